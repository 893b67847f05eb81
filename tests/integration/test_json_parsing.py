"""Two parsers read a webhook's body alike: the fast one and the strict one."""

import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.core.errors import EventMalformed
from store.webhooks import parsing

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


NAMES = st.text(alphabet='ab":\\ é\n', max_size=2)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=4)  # a name may come twice


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def indented(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def document(pairs: list[tuple[str, Any]], write: Callable[[Any], str]) -> bytes:
    members = ",".join(f"{write(name)}:{write(value)}" for name, value in pairs)
    return f'{{"object":"event"{"," if members else ""}{members}}}'.encode("utf-8", "surrogatepass")


def read(reader: Callable[[], Any]) -> str:
    """What was read, to the type of each number; or that it cannot be."""
    try:
        return repr(reader())
    except (EventMalformed, ValueError):
        return "refused"


@given(PAIRS, st.sampled_from([compact, indented, json.dumps]))
def test_orjson_and_strict_parser_agree(
    pairs: list[tuple[str, Any]], write: Callable[[Any], str]
) -> None:
    body = document(pairs, write)

    assert read(lambda: parsing.decode_body(body)) == read(
        lambda: parsing.STRICT.decode(body.decode())
    )


@given(
    st.dictionaries(st.text(max_size=3), VALUES), st.sampled_from([compact, indented, json.dumps])
)
def test_orjson_and_strict_parser_agree_on_every_layout(
    value: dict[str, Any], write: Callable[[Any], str]
) -> None:
    body = write({"object": "event", "data": value}).encode("utf-8", "surrogatepass")

    assert read(lambda: parsing.decode_body(body)) == read(
        lambda: parsing.STRICT.decode(body.decode())
    )


@pytest.mark.parametrize("option", [0, orjson.OPT_INDENT_2], ids=["compact", "as Stripe writes it"])
def test_an_ordinary_event_is_parsed_by_orjson_alone(
    option: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = {"object": "event", "data": {"object": {"amount": 3998, "lines": [], "name": "é"}}}
    monkeypatch.setattr(parsing, "STRICT", None)

    assert parsing.decode_body(orjson.dumps(event, option=option)) == event

"""Form bodies with brackets, as every Stripe SDK writes them.

`line_items[0][price_data][currency]=usd` and curl's `expand[]=line_items` both become nested
dictionaries of strings; the parameter table decides which of them are lists.

`line_items[][price]=a&line_items[][quantity]=1` is one element: `[]` continues the last element of
the list, and begins a new one if that element already has the key. This is Rack's rule
(github.com/rack/rack, `lib/rack/query_parser.rb`); clients that write `[]` work with it. Stripe
does not document which rule it follows.
"""

import re
from typing import Any
from urllib.parse import parse_qsl

from stripe_emulator.base.errors import InvalidRequest

MAX_FIELDS = 5000
MAX_DEPTH = 12
_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
Raw = dict[str, Any]


def decode(text: bytes) -> Raw:
    """Return nested dictionaries of strings. Raises InvalidRequest for text that is no valid
    form."""
    try:
        pairs = parse_qsl(
            text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError as problem:
        raise InvalidRequest("Invalid request: the parameters could not be read.") from problem
    tree: Raw = {}
    for key, value in pairs:
        _place(tree, _path(key), key, value)
    return tree


def _path(key: str) -> list[str]:
    if "[" not in key:
        return [key]
    fits = _KEY.fullmatch(key)
    if not fits:
        raise InvalidRequest(f"Invalid parameter name: {key[:100]}", param=key[:100])
    path = [fits[1], *fits[2][1:-1].split("][")]
    if len(path) > MAX_DEPTH:
        raise InvalidRequest(f"Parameters are nested too deeply: {key[:100]}", param=key[:100])
    return path


def _place(tree: Raw, path: list[str], key: str, value: str) -> None:
    """Insert one value into the tree."""
    node = tree
    for depth, part in enumerate(path[:-1]):
        name = part or _element(node, path[depth + 1 :])
        node = node.setdefault(name, {})
        if not isinstance(node, dict):
            shown = "][".join(path[: depth + 1])
            raise InvalidRequest(f"Invalid object: {shown}", param=key[:100])
    name = path[-1] or _next_index(node)
    if isinstance(node.get(name), dict):
        raise InvalidRequest(f"Invalid string: {key[:100]}", param=key[:100])
    node[name] = value


def _element(node: Raw, below: list[str]) -> str:
    """Return the index of the element that `[]` with these keys below it belongs to."""
    last = next(reversed(node), None)
    if last is None or not isinstance(node[last], dict) or _has(node[last], below):
        return _next_index(node)
    return last


def _has(element: Raw, below: list[str]) -> bool:
    """Return whether an element already has a value at these keys; a list inside it can always
    grow."""
    if "" in below:
        return False
    inner: Any = element
    for part in below:
        if not isinstance(inner, dict) or part not in inner:
            return False
        inner = inner[part]
    return True


def _next_index(node: Raw) -> str:
    """Return the first free index after the existing elements."""
    index = len(node)
    while str(index) in node:
        index += 1
    return str(index)


def canonical(raw: Raw) -> str:
    """Return the same text for the same parameters in any order, to compare two requests."""
    return "&".join(sorted(_flat(raw, "")))


def _flat(node: Raw, prefix: str) -> list[str]:
    flat: list[str] = []
    for name, value in node.items():
        path = f"{prefix}[{name}]" if prefix else name
        flat += _flat(value, path) if isinstance(value, dict) else [f"{path}={value!r}"]
    return flat


SECRET_DIGITS = ("account_number", "cvc", "iban", "number")
"""Parameters of which only the last four characters may be stored."""


def masked(raw: Raw) -> Raw:
    """Return the parameters with card and account numbers masked."""
    return {name: _masked(name, value) for name, value in raw.items()}


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return masked(value)
    return f"****{value[-4:] if len(value) > 4 else ''}" if name in SECRET_DIGITS else value

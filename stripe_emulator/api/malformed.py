"""Answers that are no Stripe object, as a proxy or a fault of Stripe's could send them.

Every shape is a valid answer with status 200; an item of a list can be bent alone.
"""

import json
from collections.abc import Callable
from typing import Any

HTML = "<!doctype html><html><head><title>502</title></head><body>Bad gateway</body></html>"
SCALARS: tuple[tuple[type, Any], ...] = (
    (bool, "yes"),  # before int, which a bool is too
    (int, "12"),
    (str, 7),
    (dict, ["of", "something"]),
    (list, {"of": "something"}),
    (type(None), 0),
)


def _wrong(value: Any) -> Any:
    return next(other for kind, other in SCALARS if isinstance(value, kind))


def _each(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Change every field but `id` and `object`, so that the answer still names what it is about."""

    def bent(value: Any) -> Any:
        if not isinstance(value, dict):
            return change(value)
        kept = ("id", "object")
        return {name: inner if name in kept else change(inner) for name, inner in value.items()}

    return bent


def _numbers(change: Callable[[int], int]) -> Callable[[Any], Any]:
    """Change every whole number, however deep it stands."""

    def bent(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: bent(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [bent(inner) for inner in value]
        return change(value) if type(value) is int else value

    return bent


def _bare(value: Any) -> Any:
    return {name: value[name] for name in ("id", "object") if name in value}


SHAPES: dict[str, Callable[[Any], Any]] = {
    "json": lambda _: {"status": "down"},
    "array": lambda _: [],
    "null": lambda _: None,
    "text": lambda _: "ok",
    "html": lambda _: HTML,
    "truncated": lambda _: "{",
    "types": _each(_wrong),
    "nulls": _each(lambda _: None),
    "missing": _bare,
    "huge": _numbers(lambda _: 2**70),
    "negative": _numbers(lambda number: -number),
}
"""The value of a `malformed` trouble → what becomes of an object."""


def answer(body: bytes, shape: str) -> tuple[bytes, dict[str, str]]:
    """A whole answer of this shape, and the headers that differ."""
    if shape == "html":
        return HTML.encode(), {"Content-Type": "text/html; charset=utf-8"}
    if shape == "truncated":
        return body[: len(body) // 2], {}
    return json.dumps(SHAPES[shape](json.loads(body))).encode(), {}


def items(body: bytes, shape_of: Callable[[str], str | None]) -> bytes:
    """A list in which the items that have a shape have become it; other answers as they are."""
    listed = json.loads(body)
    if listed.get("object") != "list":
        return body
    shapes = [shape_of(item["id"]) for item in listed["data"]]
    if not any(shapes):
        return body
    listed["data"] = [
        SHAPES[shape](item) if shape else item
        for item, shape in zip(listed["data"], shapes, strict=True)
    ]
    return json.dumps(listed).encode()

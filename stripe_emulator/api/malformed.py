"""Malformed responses, as a proxy or a fault of Stripe's could send them.

Each has status 200. A single item of a list can be malformed too.
"""

import json
from collections.abc import Callable
from typing import Any

HTML = "<!doctype html><html><head><title>502</title></head><body>Bad gateway</body></html>"
SCALARS: tuple[tuple[type, Any], ...] = (
    (bool, "yes"),  # before int, because a bool is an int
    (int, "12"),
    (str, 7),
    (dict, ["of", "something"]),
    (list, {"of": "something"}),
    (type(None), 0),
)


def _wrong(value: Any) -> Any:
    return next(other for kind, other in SCALARS if isinstance(value, kind))


def _each(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Change every field but `id` and `object`, so that the object can still be identified."""

    def malform(value: Any) -> Any:
        if not isinstance(value, dict):
            return change(value)
        kept = ("id", "object")
        return {name: inner if name in kept else change(inner) for name, inner in value.items()}

    return malform


def _numbers(change: Callable[[int], int]) -> Callable[[Any], Any]:
    """Change every whole number, at any depth."""

    def malform(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: malform(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [malform(inner) for inner in value]
        return change(value) if type(value) is int else value

    return malform


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
"""The value of a `malformed` fault → a function that malforms an object."""


def answer(body: bytes, shape: str) -> tuple[bytes, dict[str, str]]:
    """Return a whole response of this shape, and the headers that differ."""
    if shape == "html":
        return HTML.encode(), {"Content-Type": "text/html; charset=utf-8"}
    if shape == "truncated":
        return body[: len(body) // 2], {}
    return json.dumps(SHAPES[shape](json.loads(body))).encode(), {}


def items(body: bytes, shape_of: Callable[[str], str | None]) -> bytes:
    """Return a list response with some of its items malformed; any other response unchanged."""
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

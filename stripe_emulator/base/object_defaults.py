"""Defaults of objects: tables of the values that apply when a request does not set them."""

from typing import Any


class NullableDefault(dict[str, Any]):
    """Defaults of an object that is null unless the request sets it."""


class ListDefault(dict[str, Any]):
    """Defaults of each element of a list."""


ADDRESS: dict[str, None] = dict.fromkeys(
    ("city", "country", "line1", "line2", "postal_code", "state")
)


def with_defaults(defaults: Any, value: Any) -> Any:
    """Return the given value over its defaults. An empty string unsets a value."""
    if isinstance(defaults, ListDefault):
        return [with_defaults(dict(defaults), element) for element in value or []]
    if isinstance(defaults, NullableDefault) and value in (None, ""):
        return None
    if not isinstance(defaults, dict):
        return defaults if value in (None, "") else value
    value = value or {}
    filled = {name: with_defaults(default, value.get(name)) for name, default in defaults.items()}
    return value | filled

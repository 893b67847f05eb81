"""Defaults of objects: tables of the values that apply when a request does not set them."""

from typing import Any


class NullableDefault(dict[str, Any]):
    """Defaults of an object that is null unless the request sets it."""


class ListDefault(dict[str, Any]):
    """Defaults of each element of a list."""


ADDRESS: dict[str, None] = dict.fromkeys(
    ("city", "country", "line1", "line2", "postal_code", "state")
)


def with_defaults(blank: Any, given: Any) -> Any:
    """Return the given value over its defaults. An empty string unsets a value."""
    if isinstance(blank, ListDefault):
        return [with_defaults(dict(blank), element) for element in given or []]
    if isinstance(blank, NullableDefault) and given in (None, ""):
        return None
    if not isinstance(blank, dict):
        return blank if given in (None, "") else given
    given = given or {}
    filled = {name: with_defaults(value, given.get(name)) for name, value in blank.items()}
    return given | filled

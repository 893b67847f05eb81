"""Objects as tables of blanks: what stands there unless something was given."""

from typing import Any


class NullableDefault(dict[str, Any]):
    """Null unless it was given; what was given stands over these blanks."""


class ListDefault(dict[str, Any]):
    """A list; each element that was given stands over these blanks."""


ADDRESS: dict[str, None] = dict.fromkeys(
    ("city", "country", "line1", "line2", "postal_code", "state")
)


def with_defaults(blank: Any, given: Any) -> Any:
    """What was given, laid over a blank. An empty string unsets."""
    if isinstance(blank, ListDefault):
        return [with_defaults(dict(blank), element) for element in given or []]
    if isinstance(blank, NullableDefault) and given in (None, ""):
        return None
    if not isinstance(blank, dict):
        return blank if given in (None, "") else given
    given = given or {}
    filled = {name: with_defaults(value, given.get(name)) for name, value in blank.items()}
    return given | filled

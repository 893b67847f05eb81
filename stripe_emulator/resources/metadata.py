"""Metadata of any object."""

from typing import Any


def merge_metadata(params: Any, before: dict[str, str] | None = None) -> dict[str, str]:
    """Return the metadata after a request: an empty value unsets its key, an empty string all of
    them."""
    if params == "":
        return {}
    merged = {**(before or {}), **(params or {})}
    return {name: value for name, value in merged.items() if value != ""}

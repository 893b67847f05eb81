"""`data/shop.toml`: what the shop is called and how it presents itself."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from store.core.errors import SettingsError
from store.core.setting_sources import toml_document
from store.core.settings import ROOT

FILE = ROOT / "data" / "shop.toml"
IMAGES = ROOT / "data" / "images"
FIELDS = {"name", "motto", "mark"}
MAX_LENGTH = 80


class ShopProfile(NamedTuple):
    """The shop's name, its motto, and the file of its mark, an SVG image that is no product's."""

    name: str
    motto: str
    mark: Path


@lru_cache(maxsize=1)
def current() -> ShopProfile:
    """The profile of this shop, read once."""
    return read(FILE)


def read(file: Path) -> ShopProfile:
    """The profile in a file; SettingsError if a field is missing or wrong."""
    fields = toml_document(file)
    try:
        if wrong := FIELDS ^ fields.keys():
            name = min(wrong)[:40]
            state = "is missing" if name in FIELDS else f"is none of {', '.join(sorted(FIELDS))}"
            raise ValueError(f"{name} {state}")
        for name, value in fields.items():
            if not isinstance(value, str) or not value.isprintable() or not value.strip():
                raise ValueError(f'{name} must be text in quotes, such as {name} = "…"')
            if len(value) > MAX_LENGTH:
                raise ValueError(f"{name} is longer than {MAX_LENGTH} characters")
        mark = IMAGES / fields["mark"]
        if mark.parent != IMAGES or mark.suffix != ".svg" or not mark.is_file():
            raise ValueError(f"mark: there is no SVG image {fields['mark']!r} in data/images")
    except ValueError as error:
        raise SettingsError(f"data/shop.toml: {error}.") from None
    return ShopProfile(fields["name"], fields["motto"], mark)

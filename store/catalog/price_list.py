"""`data/products.toml`: the products of a new database, read and validated.

Each error is one sentence with the file, the product and the field.
"""

import re
from pathlib import Path
from typing import Any

from store.catalog import images, product_editor
from store.catalog.product_editor import MAX_SLUG_LENGTH
from store.core import clock, money, settings, toml_files
from store.core.errors import ProductsFileError

FILE = settings.ROOT / "data" / "products.toml"
FIELDS = ("slug", "name", "description", "price", "image")
PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,3})?", re.ASCII)
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def rows(currency: str, file: Path | None = None) -> list[dict[str, Any]]:
    """The products of the file, in its order, as rows of `products`, priced in `currency`.

    Raises:
        ProductsFileError: the file cannot be read, or a product in it cannot be sold.
    """
    entries = _entries(file or FILE)
    products: list[dict[str, Any]] = []
    for place, entry in enumerate(entries, start=1):
        try:
            product = _product(entry, currency)
            if product["slug"] in {other["slug"] for other in products}:
                raise ValueError("slug: another product before it has the same one")
        except ValueError as error:
            raise ProductsFileError(f"{_label(entry, place)}: {error}.") from None
        products.append(product)
    return products


def _entries(file: Path) -> list[Any]:
    """The `[[products]]` of the file."""
    try:
        content = toml_files.read(file)
    except ValueError as error:
        raise ProductsFileError(f"{_name()}{error}.") from None
    if unknown := sorted(content.keys() - {"products"}):
        raise ProductsFileError(
            f"{_name()} has {unknown[0][:40]!r} outside of any product; each starts with "
            "[[products]]."
        )
    entries = content.get("products")
    if not isinstance(entries, list) or not entries:
        raise ProductsFileError(f"{_name()} has no products; each starts with [[products]].")
    return entries


def _name() -> str:
    return FILE.relative_to(settings.ROOT).as_posix()


def _label(entry: Any, place: int) -> str:
    slug = entry.get("slug") if isinstance(entry, dict) else None
    label = repr(slug[:MAX_SLUG_LENGTH]) if isinstance(slug, str) and slug else f"number {place}"
    return f"{_name()}, product {label}"


def _product(entry: Any, currency: str) -> dict[str, Any]:
    """One product as a row. Raises ValueError, with the field before a colon."""
    if not isinstance(entry, dict):
        raise ValueError("it is not a table of fields")
    for field in FIELDS:
        if field not in entry:
            raise ValueError(f"{field}: it is missing")
        if not isinstance(entry[field], str):
            kind = "in quotes, such as " + (
                f'"{money.example(currency)}"' if field == "price" else f'{field} = "…"'
            )
            raise ValueError(f"{field}: it must be text {kind}")
    if unknown := sorted(entry.keys() - set(FIELDS)):
        raise ValueError(f"{unknown[0][:40]}: there is no such field, only {', '.join(FIELDS)}")
    return {
        "slug": _slug(entry["slug"]),
        "name": _line(entry["name"], "name", product_editor.MAX_NAME_LENGTH),
        "description": _line(
            entry["description"], "description", product_editor.MAX_DESCRIPTION_LENGTH
        ),
        "unit_amount": _amount(entry["price"], currency),
        "currency": currency,
        "image": _image(entry["image"]),
        "active": True,
        "updated_at": clock.now(),
    }


def _slug(slug: str) -> str:
    if not SLUG.fullmatch(slug) or len(slug) > MAX_SLUG_LENGTH:
        raise ValueError(
            f"slug: it must be small letters, digits and hyphens, at most {MAX_SLUG_LENGTH}"
        )
    return slug


def _line(text: str, field: str, longest: int) -> str:
    try:
        return product_editor.one_line(text, longest)
    except ValueError as error:
        raise ValueError(f"{field}: {error}".removesuffix(".")) from None


def _amount(price: str, currency: str) -> int:
    if not PRICE.fullmatch(price) or not price.strip("0."):
        raise ValueError(f"price: {price[:20]!r} is no price such as {money.example(currency)}")
    try:
        amount = money.parse_list_price(price, currency)
    except ValueError as error:
        raise ValueError(f"price: {error}") from None
    if amount > money.maximum(currency):
        most = money.text(money.maximum(currency), currency)
        raise ValueError(f"price: a payment by card is at most {most}")
    return amount


def _image(image: str) -> str:
    if image not in images.listed():
        raise ValueError(f"image: there is no {image[:60]!r} in data/images")
    return image

"""The database brought up to date or emptied, with the products of `data/products.toml`.

A mistake in the file is one sentence with its name, the product and the field.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlmodel import insert, select

from store.catalog import images, product_editor
from store.catalog.product_editor import MAX_SLUG_LENGTH, one_line
from store.core import clock, money, settings
from store.core.errors import SettingsError
from store.core.setting_sources import toml_document
from store.db import engine as db
from store.db.models import Lease, Product, ShopMark

FILE = settings.ROOT / "data" / "products.toml"
NAME = "data/products.toml"
PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,3})?", re.ASCII)
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# These belong to no order, and a process that holds a lease or places an order needs them.
KEPT_TABLES = (Lease.__tablename__, ShopMark.__tablename__)


def migrate() -> None:
    """Bring the schema up to date and fill a table of products that has no row yet.

    Both are one transaction; harmless where the schema is current.

    Raises:
        SettingsError: the database is new and the products file is wrong; nothing was written.
        DatabaseUnavailable, DatabaseUnusable, SchemaUnknown
    """
    if db.needs_migration():
        with db.migration() as connection:
            if connection.execute(select(Product.id).limit(1)).first() is None:
                connection.execute(insert(Product), first_products())


@contextmanager
def emptied() -> Iterator[None]:
    """No orders, and the first products, committed at the end of the block.

    Rows are deleted and no table is dropped, so other processes go on working on an empty shop. An
    error, such as SettingsError, leaves the database as it is.
    """
    products = first_products()
    with db.unit_of_work() as session:
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            # Many rows may take longer than any query of a page.
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            # Wait for running writers and block new ones, so that no new row refers to a deleted
            # one: orders first and events second, as all writers lock. SQLite has one writer.
            connection.exec_driver_sql("LOCK TABLE orders, stripe_events IN EXCLUSIVE MODE")
        for table in reversed(Product.metadata.sorted_tables):
            if table.name not in KEPT_TABLES:
                connection.execute(table.delete())
        connection.execute(insert(Product), products)
        yield


def first_products(currency: str = "", file: Path = FILE) -> list[dict[str, Any]]:
    """The products of the file as rows of `products`; SettingsError if one cannot be sold."""
    products = dict[str, dict[str, Any]]()
    currency = currency or settings.current().currency
    for place, entry in enumerate(_entries(file), start=1):
        try:
            product = _product(entry, currency)
            if product["slug"] in products:
                raise ValueError("slug: another product before it has the same one")
        except ValueError as error:
            slug = entry.get("slug") if isinstance(entry, dict) else None
            named = isinstance(slug, str) and slug[:MAX_SLUG_LENGTH]
            label = repr(named) if named else f"number {place}"
            raise SettingsError(f"{NAME}, product {label}: {error}.") from None
        products[product["slug"]] = product
    return list(products.values())


def _entries(file: Path) -> list[Any]:
    """The `[[products]]` of the file."""
    content = toml_document(file)
    start = "each starts with [[products]]"
    if unknown := sorted(content.keys() - {"products"}):
        raise SettingsError(f"{NAME} has {unknown[0][:40]!r} outside of any product; {start}.")
    entries = content.get("products")
    if not isinstance(entries, list) or not entries:
        raise SettingsError(f"{NAME} has no products; {start}.")
    return entries


def _product(entry: Any, currency: str) -> dict[str, Any]:
    """One product as a row. Raises ValueError, with the field before a colon."""
    readers: dict[str, Callable[[str], Any]] = {
        "slug": _slug,
        "name": lambda text: one_line(text, product_editor.MAX_NAME_LENGTH),
        "description": lambda text: one_line(text, product_editor.MAX_DESCRIPTION_LENGTH),
        "price": lambda text: _amount(text, currency),
        "image": _image,
    }
    if not isinstance(entry, dict):
        raise ValueError("it is not a table of fields")
    for field in readers:
        if field not in entry:
            raise ValueError(f"{field}: it is missing")
        if not isinstance(entry[field], str):
            example = f'"{money.example(currency)}"' if field == "price" else f'{field} = "…"'
            raise ValueError(f"{field}: it must be text in quotes, such as {example}")
    if unknown := sorted(entry.keys() - readers.keys()):
        raise ValueError(f"{unknown[0][:40]}: there is no such field, only {', '.join(readers)}")
    values = dict[str, Any]()
    for field, read in readers.items():
        try:
            values[field] = read(entry[field])
        except ValueError as error:
            raise ValueError(f"{field}: {error}".removesuffix(".")) from None
    amount = values.pop("price")
    return values | {
        "unit_amount": amount,
        "currency": currency,
        "active": True,
        "updated_at": clock.now(),
    }


def _slug(slug: str) -> str:
    if not SLUG.fullmatch(slug) or len(slug) > MAX_SLUG_LENGTH:
        raise ValueError(f"it must be small letters, digits and hyphens, at most {MAX_SLUG_LENGTH}")
    return slug


def _amount(price: str, currency: str) -> int:
    if not PRICE.fullmatch(price) or not price.strip("0."):
        raise ValueError(f"{price[:20]!r} is no price such as {money.example(currency)}")
    amount = money.parse_list_price(price, currency)
    if amount > money.maximum(currency):
        most = money.text(money.maximum(currency), currency)
        raise ValueError(f"a payment by card is at most {most}")
    return amount


def _image(image: str) -> str:
    if image not in images.listed():
        raise ValueError(f"there is no {image[:60]!r} in data/images")
    return image

"""The database brought up to date, with the products of `data/products.toml` in a new one."""

from contextlib import AbstractContextManager

from sqlalchemy import Connection
from sqlmodel import insert, select

from store.catalog import price_list
from store.db import engine as db
from store.db.models import Product


def migrate() -> None:
    """Bring the schema up to date and fill a table of products that has no row yet.

    Both are one transaction; harmless where the schema is current.

    Raises:
        ProductsFileError: the database is new and the products file is wrong; nothing was written.
        DatabaseUnavailable, DatabaseUnusable, SchemaUnknown
    """
    db.migrate(_seed)


def recreated() -> AbstractContextManager[None]:
    """Our tables as in a new database, committed at the end of the block; all else stays.

    Raises:
        ProductsFileError, DatabaseUnavailable, DatabaseUnusable, SchemaUnknown: nothing is deleted.
    """
    return db.recreated(_seed)


def _seed(connection: Connection) -> None:
    if connection.execute(select(Product.id).limit(1)).first() is None:
        connection.execute(insert(Product), price_list.rows())

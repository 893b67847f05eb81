"""The database brought up to date, with the products of `data/products.toml` in a new one."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlmodel import insert, select

from store.catalog import products
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


@contextmanager
def recreated() -> Iterator[None]:
    """Our tables as in a new database, committed at the end of the block; all else stays.

    Raises:
        ProductsFileError, DatabaseUnavailable, DatabaseUnusable, SchemaUnknown: nothing was
            deleted.
    """
    with db.recreated(_seed):
        yield


def _seed(connection: Connection) -> None:
    if connection.execute(select(Product.id).limit(1)).first() is None:
        connection.execute(insert(Product), products.seed_rows())

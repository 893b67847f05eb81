"""A database that is read-only, full or loses its connections."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from store.db import engine as db

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def break_connections(act: Callable[[Any], None]) -> None:
    """Do something to every connection that is opened from now on."""
    db.engine().dispose()
    event.listen(db.engine(), "connect", lambda connection, _: act(connection))


def read_only(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")


def full(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")

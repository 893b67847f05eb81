"""The schema of this version, and a check of a SQLite file that imports no libraries."""

import sqlite3
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from store.core.settings import ROOT

VERSIONS = ROOT / "store" / "db" / "migrations" / "versions"
LEAST_SQLITE = (3, 31, 0)  # the oldest that the tests run on
# Other programs number their revisions too, but have no such table.
OURS = "SELECT number, buyer_hash, idempotency_key, checkout_session_id FROM orders LIMIT 0"


@lru_cache(maxsize=1)
def revisions() -> frozenset[str]:
    """Every revision that this version can upgrade, and the newest."""
    return frozenset(file.stem.split("_")[0] for file in VERSIONS.glob("[0-9]*.py"))


def newest_revision() -> str:
    """The revision of this version: the migration file with the highest number."""
    return max(revisions())


def is_current_in(file: Path) -> bool:
    """True if this SQLite file has exactly that schema; False if not, or if it cannot be read.

    Loading SQLAlchemy to ask this would be the longest part of the command line's second start.
    """
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True)) as connection:
            revisions = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            connection.execute(OURS)
    except sqlite3.Error:
        return False
    return sqlite3.sqlite_version_info >= LEAST_SQLITE and revisions == [(newest_revision(),)]

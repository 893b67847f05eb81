"""Which schema this program was written for, and a look at a database that needs no libraries."""

import sqlite3
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from store.core.settings import ROOT

VERSIONS = ROOT / "store" / "db" / "migrations" / "versions"
LEAST_SQLITE = (3, 31, 0)  # the oldest that the tests run on
# Other programs count their revisions too; none has these columns beside the same number.
OURS = "SELECT number, buyer_hash, idempotency_key, checkout_session_id FROM orders LIMIT 0"


@lru_cache(maxsize=1)
def revisions() -> frozenset[str]:
    """Every schema that this program can bring up to date, and the newest."""
    return frozenset(file.stem.split("_")[0] for file in VERSIONS.glob("[0-9]*.py"))


def newest_revision() -> str:
    """The schema that this program was written for: revisions are files that count upwards."""
    return max(revisions())


def is_current_in(file: Path) -> bool:
    """True where this SQLite file has exactly that schema; False for whatever else is the matter.

    Loading SQLAlchemy to ask this would be the longest part of the command line's second start.
    """
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True)) as found:
            revisions = found.execute("SELECT version_num FROM alembic_version").fetchall()
            found.execute(OURS)
    except sqlite3.Error:
        return False
    return sqlite3.sqlite_version_info >= LEAST_SQLITE and revisions == [(newest_revision(),)]

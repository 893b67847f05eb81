"""Which schema this program was written for, and a look at a database that needs no libraries."""

import sqlite3
from contextlib import closing
from functools import lru_cache
from pathlib import Path

from store.settings import ROOT

VERSIONS = ROOT / "store" / "migrations" / "versions"


@lru_cache(maxsize=1)
def newest_revision() -> str:
    """The schema that this program was written for: revisions are files that count upwards."""
    return max(file.stem.split("_")[0] for file in VERSIONS.glob("[0-9]*.py"))


def is_current_in(file: Path) -> bool:
    """True where this SQLite file has exactly that schema; False for whatever else is the matter.

    Loading SQLAlchemy to ask this would be the longest part of the launcher's second start.
    """
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True)) as found:
            revisions = found.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return False
    return revisions == [(newest_revision(),)]

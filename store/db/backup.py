"""A copy of the shop's database, made while the shop runs.

Copying the file by hand would lose the commits in SQLite's log beside it (`store.db-wal`).
"""

import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL

from store.core import private_files
from store.core.errors import StoreError
from store.db import engine as db


class BackupRefused(StoreError):
    """The sentence says why there is no copy, and what to do."""


def write(target: Path) -> int:
    """Copy the database to a new file; returns its size in bytes.

    SQLite copies a snapshot including the log, and blocks no other process. The copy is checked
    before it gets its name, and is a single file without a log. After BackupRefused there is none.
    """
    url = db.engine().url
    if url.get_backend_name() != "sqlite":
        raise BackupRefused(f"This database is PostgreSQL's to copy: {pg_dump(url, target)}")
    source = Path(url.database or "")
    if not source.is_file():
        raise BackupRefused(f"There is no database at {source} yet.")
    if target.exists():
        raise BackupRefused(f"{target} is already there; name a new file.")
    try:
        with private_files.written_whole(target) as draft:
            _copy(source, draft)
    except OSError as error:
        raise BackupRefused(f"Cannot write {target} ({error.strerror}).") from None
    except sqlite3.Error as error:
        raise BackupRefused(f"{source} cannot be copied to {target}: {error}.") from None
    return target.stat().st_size


def _copy(source: Path, draft: Path) -> None:
    uri = f"{source.resolve().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(uri, uri=True, timeout=db.LOCK_SECONDS)) as here,
        closing(sqlite3.connect(draft, isolation_level=None)) as copy,
    ):
        here.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"the database is damaged ({verdict})")


def pg_dump(url: URL, target: Path) -> str:
    """The command that copies a PostgreSQL database; the password is asked for."""
    host = url.host or url.query.get("host")
    places = {"host": host, "port": url.port, "username": url.username}
    flags = [f"--{name}={value}" for name, value in places.items() if value]
    return shlex.join(["pg_dump", "--format=custom", f"--file={target}", *flags, f"{url.database}"])

"""A lock: one emulator per file, because a second one would deliver the first one's events too.

The lock is SQLite's, on a small database beside the file; the operating system releases it however
its holder ends. Other processes can still read the holder's address there.
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

WAIT_SECONDS = 2.0  # an emulator that is shutting down still holds the file


class FileLock:
    """A lock that is held until `release`."""

    def __init__(self, file: Path, address: str) -> None:
        """Acquire the lock.

        Raises:
            ValueError: another emulator holds it, or it cannot be created; the message says which.
        """
        whole = file.resolve()
        self._path = whole.with_name(f"{whole.name}.lock")
        self._connection = sqlite3.connect(
            self._path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._take(f"process {os.getpid()}, an emulator at {address}")
        except sqlite3.DatabaseError as error:
            self._connection.close()
            if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise ValueError(f"{file} is in use by {self._holder()}.") from None
            raise ValueError(f"{self._path} cannot be locked ({error}).") from None

    def _take(self, holder: str) -> None:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        run("CREATE TABLE IF NOT EXISTS holder (name TEXT)")
        run("DELETE FROM holder")
        run("INSERT INTO holder VALUES (?)", (holder,))
        run("COMMIT")
        run("BEGIN IMMEDIATE")  # not exclusive, so that others can read the holder's address

    def _holder(self) -> str:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, timeout=0)) as other:
            if row := other.execute("SELECT name FROM holder").fetchone():
                return str(row[0])
        return "another program"

    def release(self) -> None:
        """Release the lock."""
        self._connection.close()

"""One emulator per file: a second one would deliver the first one's events to another receiver.

The lock is SQLite's, on a small database beside the file, and the operating system releases it
when its holder ends in whatever way. Others can still read there who the holder is.
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

WAIT_SECONDS = 2.0  # an emulator that is being stopped still has the file


class FileLock:
    """Held from the start until `release`."""

    def __init__(self, file: Path, address: str) -> None:
        """
        Raises:
            ValueError: another program holds it, or it cannot be made; the sentence says which.
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
        run("BEGIN IMMEDIATE")  # not exclusive: the name above can be read

    def _holder(self) -> str:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, timeout=0)) as other:
            if row := other.execute("SELECT name FROM holder").fetchone():
                return str(row[0])
        return "another program"

    def release(self) -> None:
        """Let the next one have the file."""
        self._connection.close()

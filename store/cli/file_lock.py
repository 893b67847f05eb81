"""A lock between processes: SQLite's exclusive lock on an empty file.

It works alike on every system, and the operating system releases it when its holder ends, also when
killed. Standard library only.
"""

import errno
import sqlite3
from contextlib import AbstractContextManager, closing
from pathlib import Path

BUSY, LOCKED = 5, 6  # SQLite's result codes; the higher bits only say more of them
Lock = AbstractContextManager[sqlite3.Connection]


class Held(Exception):
    """Another process holds the lock, and did not release it in time."""


def acquire(path: Path, *, wait_seconds: float) -> Lock:
    """The lock on the file at `path`, acquired; the end of its `with` block releases it.

    Raises:
        Held: another process holds the lock.
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab"):  # SQLite's own message would not say why
        lock = sqlite3.connect(path, timeout=wait_seconds, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        lock.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (BUSY, LOCKED):
            raise Held from error
        raise OSError(errno.EIO, str(error)) from error  # a full disk, or no file of ours
    return closing(lock)

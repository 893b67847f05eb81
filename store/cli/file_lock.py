"""A lock between processes, in the standard library and alike on every system.

It is SQLite's lock on an empty file. The operating system releases it when its holder ends in
whatever way, so that nothing is ever left locked.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

BUSY, LOCKED = 5, 6  # SQLite's result codes; the higher bits only say more of them


class Held(Exception):
    """Another process has it, and did not let go in time."""


@contextmanager
def exclusive(path: Path, *, wait_seconds: float) -> Iterator[None]:
    """
    Raises:
        Held: another process holds the lock.
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab"):  # SQLite's own message would not say why
        lock = sqlite3.connect(path, timeout=wait_seconds, isolation_level=None)
    with closing(lock):
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if is_busy(error):
                raise Held from error
            raise OSError(errno.EIO, str(error)) from error  # a full disk, or no file of ours
        yield


def is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (BUSY, LOCKED)

"""A lock between processes: SQLite's exclusive lock on an empty file.

It works alike on every system, and the operating system releases it when its holder ends, also when
killed. Standard library only.
"""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

BUSY, LOCKED = 5, 6  # SQLite's result codes; the higher bits only say more of them


class Held(Exception):
    """Another process holds the lock, and did not release it in time."""


@contextmanager
def exclusive(path: Path, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock on the file at `path` meanwhile.

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

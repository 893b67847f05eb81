"""A lock between processes: SQLite's exclusive lock on an empty file.

It works alike on every system, and the operating system releases it when its holder ends, also when
killed. Standard library only.
"""

import errno
import os
import sqlite3
from contextlib import AbstractContextManager, closing
from pathlib import Path

BUSY, LOCKED = 5, 6  # SQLite's result codes; the higher bits only say more of them
Lock = AbstractContextManager[sqlite3.Connection]


def acquire(path: Path, *, wait_seconds: float) -> Lock:
    """The lock on the file at `path`, acquired; the end of its `with` block releases it.

    Only one thread of a process may acquire it at a time: another one would release it.

    Raises:
        TimeoutError: another process holds the lock and did not release it in time.
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # SQLite would lock nothing in a file that it can only read.
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    lock = sqlite3.connect(path, timeout=wait_seconds, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        lock.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (BUSY, LOCKED):
            sentence = f"another process holds {path.name}, or its disk has no locks"
            raise TimeoutError(errno.ETIMEDOUT, sentence) from error
        raise OSError(errno.EIO, str(error)) from error  # a full disk, or no file of ours
    return closing(lock)

"""A lock between processes, in the standard library and alike on every system.

It is SQLite's lock on an empty file. The operating system releases it when its holder ends in
whatever way, so that nothing is ever left locked.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


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
        except sqlite3.OperationalError as error:
            raise Held from error
        yield

"""Whether the database takes writes, tested by a small write.

A database with a full disk, a read-only file or a held lock still answers every SELECT. So a row
that needs new pages is inserted, deleted and committed. The write runs in a thread of its own, at
most once in `MAX_AGE_SECONDS`, and a caller waits at most `TIMEOUT_SECONDS` for it. A crash in
between rolls it back; two processes write a row each.
"""

import logging
import threading
import time
from typing import Any

from store.core import clock
from store.core.errors import StoreError
from store.db import engine as db
from store.db.models import OrderCheck

log = logging.getLogger(__name__)

MAX_AGE_SECONDS = 2.0
TIMEOUT_SECONDS = 1.5
FILLER = "x" * 16_384  # more than a page, so that the database has to allocate one


class WriteProbe:
    """The result of the last test write, and at most one thread that runs the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._database: Any = None
        self._began_at = 0.0
        self._trouble: str | None = None

    def trouble(self) -> str | None:
        """Why the database takes no writes, for operators; None if it does."""
        with self._lock:
            self._begin()
            done, began_at = self._done, self._began_at
        if not done.wait(TIMEOUT_SECONDS):
            seconds = time.monotonic() - began_at
            return f"A small write has been waiting for {seconds:.0f} seconds: something locks it."
        return self._trouble

    def _begin(self) -> None:
        """Start a write if the last one is old, or was in another database."""
        database, now = _database(), time.monotonic()
        same = self._database == database
        running = same and not self._done.is_set() and self._began_at
        if running or (same and now - self._began_at < MAX_AGE_SECONDS):
            return
        self._database, self._began_at, self._done = database, now, threading.Event()
        thread = threading.Thread(
            target=self._write, args=(self._done,), name="write probe", daemon=True
        )
        thread.start()

    def _write(self, done: threading.Event) -> None:
        trouble = "The write was not finished."
        try:
            trouble = _trouble_of_a_write() or ""
        finally:
            if done is self._done:
                self._trouble = trouble or None
            done.set()


def _database() -> object:
    try:
        return id(db.engine())
    except StoreError:
        return None


def _trouble_of_a_write() -> str | None:
    try:
        with db.unit_of_work() as session:
            row = OrderCheck(at=clock.now(), source="health", evidence=FILLER)
            session.add(row)
            session.flush()
            session.delete(row)
    except StoreError as error:
        return error.for_operator
    except Exception as error:
        log.exception("The test write failed")
        return f"A small write failed: {type(error).__name__}."
    return None

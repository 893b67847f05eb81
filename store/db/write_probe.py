"""Whether the database takes writes, tested by a small write.

A database with a full disk, a read-only file or a held lock still answers every SELECT. So a row
that needs new pages is inserted, deleted and committed. The write runs in a thread of its own, at
most once in `MAX_AGE_SECONDS`, and a caller waits at most `TIMEOUT_SECONDS` for it. A crash in
between rolls it back; two processes write a row each.
"""

import logging
import threading
import time
from concurrent.futures import Future

from sqlalchemy import Engine

from store.core import clock
from store.core.errors import StoreError
from store.core.workers import in_thread
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
        self._database: Engine | None = None
        self._began_at = 0.0
        self._result: Future[str | None] = Future()

    def trouble(self) -> str | None:
        """Why the database takes no writes, for operators; None if it does."""
        try:
            database = db.engine()
        except StoreError as error:
            return error.for_operator
        with self._lock:
            now = time.monotonic()
            is_old = self._result.done() and now - self._began_at >= MAX_AGE_SECONDS
            if is_old or self._database is not database:
                self._database, self._began_at, self._result = database, now, in_thread(_write)
            result, began_at = self._result, self._began_at
        try:
            return result.result(TIMEOUT_SECONDS)
        except TimeoutError:
            seconds = time.monotonic() - began_at
            return f"A small write has been waiting for {seconds:.0f} seconds: something locks it."


def _write() -> str | None:
    """Insert and delete a row; returns why that failed, None if it did not."""
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

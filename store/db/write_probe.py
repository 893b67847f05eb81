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
        self._database: object = None
        self._began_at = float("-inf")
        self._result: Future[str | None] = Future()
        self._result.set_result(None)

    def trouble(self) -> str | None:
        """Why the database takes no writes, for operators; None if it does."""
        with self._lock:
            self._begin()
            result, began_at = self._result, self._began_at
        try:
            return result.result(TIMEOUT_SECONDS)
        except TimeoutError:
            seconds = time.monotonic() - began_at
            return f"A small write has been waiting for {seconds:.0f} seconds: something locks it."

    def _begin(self) -> None:
        """Start a write if the last one is old, or was in another database."""
        database, now = _database(), time.monotonic()
        is_recent = not self._result.done() or now - self._began_at < MAX_AGE_SECONDS
        if is_recent and self._database == database:
            return
        self._database, self._began_at, self._result = database, now, Future()
        threading.Thread(target=_write, args=(self._result,), daemon=True).start()


def _database() -> object:
    try:
        return id(db.engine())
    except StoreError:
        return None


def _write(result: "Future[str | None]") -> None:
    """Insert and delete a row; the result is why that failed, None if it did not."""
    trouble: str | None = "The write was not finished."
    try:
        with db.unit_of_work() as session:
            row = OrderCheck(at=clock.now(), source="health", evidence=FILLER)
            session.add(row)
            session.flush()
            session.delete(row)
        trouble = None
    except StoreError as error:
        trouble = error.for_operator
    except Exception as error:
        log.exception("The test write failed")
        trouble = f"A small write failed: {type(error).__name__}."
    finally:
        result.set_result(trouble)

"""One thread that commits waiting events together, so that a burst needs few commits.

A single event is committed at once. While a commit is on its way to the disk, further events queue
up, and the next commit takes them all. Each request is answered after the commit that holds its
event, so a process that dies has lost nothing it has answered. At most `MAX_IN_FLIGHT` events are
in here; further ones are answered 503, which bounds memory.

No event holds up another:

- An event whose order another transaction holds is left out of its batch and retried after a pause,
  for `db.LOCK_SECONDS` in total; then it is answered 503.
- A batch that waits in the database for longer than a moment is given up, and each of its events
  continues alone in one of a few threads. One that has to wait there too continues in one of the
  threads for slow events, with the usual lock time, and stays out of batches for a while.
- A batch that fails in any other way is halved until the failing event is alone.
- An event that does not fit its order, or what the database accepts, is looked up at Stripe in a
  thread of its own, and returns with Stripe's answer.

SQLite has one lock for the whole file; an event that cannot have it in time is answered 503.

If the process dies anywhere in here, nothing uncommitted was answered, so Stripe delivers it again.
Two processes at once are two transactions; see processing.py. An exception in the thread is logged,
the requests it was working for are answered 503, and the thread continues. A second thread
supervises it: if it hangs, waiting requests are answered 503; if it has ended, it is started again.
The supervisor is restarted too; `/readyz` reports both.
"""

import asyncio
import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy.exc import DataError, IntegrityError

from store.core.errors import DatabaseUnavailable, QueueBroken, QueueFull, StripeBusy
from store.core.workers import Worker
from store.db import engine as db
from store.orders.stripe_facts import Document
from store.webhooks import parsing, processing
from store.webhooks.parsing import ParsedEvent
from store.webhooks.processing import Doubt, Locked, Outcome

log = logging.getLogger(__name__)

MAX_BATCH = 200
MAX_IN_FLIGHT = 2000
WAIT_SECONDS = 0.001
RETRY_SECONDS = (0.05, 0.1, 0.2, 0.4)  # pauses while an order is locked; the last one repeats
LOOK_UP_SECONDS = 20.0  # of all tries of one look-up at Stripe
STUCK_SECONDS = 30.0  # in addition to the lock's time; no commit takes that long
RESTART_SECONDS = 0.1
SUPERVISE_SECONDS = 0.5
THREADS = {"look-up": 8, "single": 4, "slow": 4}
SLOW_SECONDS = 5.0  # in addition to the lock's time, to wait for a thread
KEPT_OUT_SECONDS = 30.0
# Time limits of a batch for a lock and for a statement, and of an event's first attempt alone. In a
# thread for slow events it has `db.LOCK_SECONDS`, because it delays no other there.
SHORT_SECONDS = (0.1, 1.0)
# lock_not_available, deadlock_detected, query_canceled, serialization_failure
CONTENTION = frozenset(["55P03", "40P01", "57014", "40001"])
# Errors of the database about values that it never accepts.
UNSUITABLE = (IntegrityError, DataError, OverflowError, UnicodeError)
CONTRADICTED = "it contradicts what is recorded here"

Result = Outcome | Doubt | Locked
Future = asyncio.Future[Result]
Answer = TypeVar("Answer")


class Contended(Exception):
    """The database made a batch, or an event alone, wait for longer than its time limit."""


class EventBatcher:
    """Takes events from many requests and answers each after its commit."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[ParsedEvent, Future] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._batch: list[tuple[ParsedEvent, Future]] = []
        # Watched by one supervisor: a timer per request costs more than the rest of its processing.
        self._pending = set[Future]()
        self._alone = set[str]()
        self._kept_out: dict[str, float] = {}  # event ids, until when
        self._in_flight = 0
        self._last_batch_was_shared = False
        self._busy_since: float | None = None
        self._supervisor: Worker | None = None
        self.committed_at: float | None = None  # of time.time()
        self.restarts = 0

    def open(self) -> None:
        self._pools = {
            name: ThreadPoolExecutor(count, f"webhook {name}") for name, count in THREADS.items()
        }
        self._start()
        self._supervisor = Worker("webhook supervisor", self._supervise)
        self._supervisor.start()

    def _start(self) -> None:
        self._thread = threading.Thread(
            target=self._run_forever, name="webhook batcher", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Commit and answer what has arrived, then stop."""
        if self._supervisor:
            self._supervisor.stop()
        self._waiting.put(None)
        if self._thread:
            self._thread.join(timeout=10)
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    def problem(self) -> str | None:
        """Why events are not being committed; None if they are."""
        if not self._thread or not self._thread.is_alive():
            return "The thread that commits webhooks has ended. It starts again with the next one."
        since, limit = self._busy_since, db.LOCK_SECONDS + STUCK_SECONDS
        if since is not None and (seconds := time.monotonic() - since) > limit:
            return f"The thread that commits webhooks has been busy for {seconds:.0f} seconds."
        return None

    def supervisor_problem(self) -> str | None:
        """Why the thread is not being supervised; None if it is."""
        return self._supervisor.trouble() if self._supervisor else None

    async def submit(self, document: Document) -> Outcome:
        """The outcome of an event, once the event and its effect are committed.

        Raises:
            QueueFull, QueueBroken, DatabaseUnavailable, StripeError: nothing was written; Stripe
                must deliver the event again.
            EventMalformed: it is not an event; another delivery would not help.
        """
        if self._in_flight >= MAX_IN_FLIGHT:
            raise QueueFull
        self._in_flight += 1
        try:
            if parsing.needs_lookup(document):
                return await self._process(await self._look_up(parsing.parse_event, document))
            return await self._process(parsing.parse_event(document))
        finally:
            self._in_flight -= 1

    async def _process(self, event: ParsedEvent) -> Outcome:
        """Queue an event until it is committed, looking it up or waiting in between."""
        until, pauses, refusals = time.monotonic() + db.LOCK_SECONDS, iter(RETRY_SECONDS), 0
        pause = 0.0
        while True:
            try:
                result = await self._enqueue(event)
            except Contended:
                result = await self._commit_alone(event)
            except UNSUITABLE as error:
                refusals += 1
                event = await self._without_contradiction(event, error, refusals)
                continue
            if isinstance(result, Doubt):
                event = await self._look_up(parsing.look_up, event, result.reason)
            elif isinstance(result, Locked):
                pause = next(pauses, pause)
                if time.monotonic() + pause > until:
                    raise DatabaseUnavailable("This event's order is locked. Send it again.")
                await asyncio.sleep(pause)
            else:
                return result

    async def _enqueue(self, event: ParsedEvent) -> Result:
        """Hand an event to the thread."""
        if time.monotonic() < self._kept_out.get(event.id, 0):
            raise Contended
        answer: Future = asyncio.get_running_loop().create_future()
        self._pending.add(answer)
        self._waiting.put((event, answer))
        try:
            return await answer
        finally:
            self._pending.remove(answer)

    async def _look_up(self, call: Callable[..., Answer], *arguments: Any) -> Answer:
        """Run a call of Stripe or the database in a thread, for a bounded time."""
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                return await self._in_thread("look-up", call, *arguments)
        except TimeoutError:
            raise StripeBusy from None

    async def _in_thread(self, pool: str, call: Callable[..., Answer], *arguments: Any) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pools.get(pool), call, *arguments)

    async def _without_contradiction(
        self, event: ParsedEvent, error: Exception, refusals: int
    ) -> ParsedEvent:
        """The event as Stripe answers it; if the database rejects that too, only a doubt.

        Raises the error itself if the event is about no order, or the doubt is rejected as well.
        """
        if event.fact is None or refusals > 2:
            raise error
        ids = {"event_id": event.id, "order_number": event.fact.order_number}
        log.warning("The database refuses %s: %s", event.id, type(error).__name__, extra=ids)
        if refusals == 1 and not event.fact.checked:
            return await self._look_up(parsing.look_up, event, CONTRADICTED)
        return parsing.contested(event, CONTRADICTED)

    async def _commit_alone(self, event: ParsedEvent) -> Result:
        """Commit one event in a thread of its own: with short time limits, then with long ones."""
        if event.id in self._alone:
            raise DatabaseUnavailable("This event is already being processed. Send it again.")
        self._alone.add(event.id)
        slow_seconds = (db.LOCK_SECONDS, db.LOCK_SECONDS + SLOW_SECONDS - 1)
        try:
            async with asyncio.timeout(db.LOCK_SECONDS + SLOW_SECONDS):
                if event.id not in self._kept_out:
                    with suppress(Contended):
                        return await self._record_alone("single", event, SHORT_SECONDS)
                if len(self._kept_out) >= MAX_IN_FLIGHT:
                    self._kept_out.clear()
                self._kept_out[event.id] = time.monotonic() + KEPT_OUT_SECONDS
                result = await self._record_alone("slow", event, slow_seconds)
        except (TimeoutError, Contended):
            raise DatabaseUnavailable(
                "The database makes this event wait. Send it again."
            ) from None
        finally:
            self._alone.discard(event.id)
        self._kept_out.pop(event.id, None)
        return result

    async def _record_alone(
        self, pool: str, event: ParsedEvent, limits: tuple[float, float]
    ) -> Result:
        (result,) = await self._in_thread(pool, _record, [event], limits)
        self.committed_at = time.time()
        return result

    # --- in the supervising thread ------------------------------------------------------------

    def _supervise(self, stop: threading.Event) -> None:
        while not stop.wait(SUPERVISE_SECONDS):
            self._check_thread()

    def _check_thread(self) -> None:
        """Answer the requests that wait for a hanging thread; restart one that has ended."""
        pending = list(self._pending)
        if not pending or not self._thread:
            return
        if not self._thread.is_alive():
            self.restarts += 1
            self._start()
        elif problem := self.problem():
            log.error("%s %d requests get 503.", problem, len(pending))
            _answer(pending, [QueueBroken()] * len(pending))

    # --- in the thread ------------------------------------------------------------------------

    def _run_forever(self) -> None:
        while True:
            try:
                self._busy_since = None
                if not self._next_batch():
                    return
                self._busy_since = time.monotonic()
                results = self._commit([event for event, _ in self._batch])
                _answer([answer for _, answer in self._batch], results)
            except BaseException as error:
                self.restarts += 1
                ids = ", ".join(event.id for event, _ in self._batch)
                log.error("Unexpected error in the webhook queue; 503 for: %s", ids, exc_info=error)
                _answer([answer for _, answer in self._batch], [QueueBroken()] * len(self._batch))
                self._batch = []
                time.sleep(RESTART_SECONDS)

    def _next_batch(self) -> bool:
        """Take all waiting events, at least one; False once closed."""
        batch = self._batch = []
        while len(batch) < MAX_BATCH and not (batch and self._waiting.empty()):
            waiting = self._waiting.get()
            if waiting is None:
                if batch:
                    self._waiting.put(None)
                break
            batch.append(waiting)
            if len(batch) == 1 and self._last_batch_was_shared:
                self._wait_for_more()
        self._last_batch_was_shared = len(batch) > 1
        return bool(batch)

    def _wait_for_more(self) -> None:
        """Wait 1 ms at a time while the queue grows, so that concurrent senders share a commit.

        Called only if the last batch had more than one event; a single sender is never delayed.
        """
        size = -1
        while size < self._waiting.qsize() < MAX_BATCH:
            size = self._waiting.qsize()
            time.sleep(WAIT_SECONDS)

    def _commit(self, batch: Sequence[ParsedEvent]) -> list[Result | Exception]:
        """Commit a batch, or the part of it that can be committed; one result per event."""
        try:
            results = _record(batch, SHORT_SECONDS)
            self.committed_at = time.time()
            return [*results]
        except (Contended, DatabaseUnavailable) as error:
            return [error] * len(batch)  # a smaller batch would only wait again
        except Exception as error:  # noqa: BLE001 - each request gets the error of its event
            if len(batch) == 1:
                return [error]
        # One failing event must not hold up the others.
        half = len(batch) // 2
        return [*self._commit(batch[:half]), *self._commit(batch[half:])]


def _record(events: Sequence[ParsedEvent], limits: tuple[float, float]) -> list[Result]:
    """Commit events in one transaction; Contended if the database makes it wait for too long.

    `limits` are the seconds of waiting for a lock and of a statement (PostgreSQL only).
    """
    try:
        with db.unit_of_work() as session:
            if session.get_bind().dialect.name == "postgresql":
                lock, statement = (f"{seconds * 1000:.0f}" for seconds in limits)
                session.connection().exec_driver_sql(
                    f"SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {statement}"
                )
            results = processing.try_events(session, events, source="webhook", wait=False)
    except DatabaseUnavailable as error:
        driver = getattr(error.__cause__, "orig", None)
        if getattr(driver, "pgcode", None) in CONTENTION:
            raise Contended from error
        raise
    return results


def _answer(answers: Sequence[Future], results: Sequence[Result | Exception]) -> None:
    """Answer every request of a batch; each event loop is woken only once, which is expensive."""
    by_loop = defaultdict[asyncio.AbstractEventLoop, list[tuple[Future, Result | Exception]]](list)
    for answer, result in zip(answers, results, strict=True):
        by_loop[answer.get_loop()].append((answer, result))
    for loop, answered in by_loop.items():
        with suppress(RuntimeError):  # a closed loop has no waiting requests
            loop.call_soon_threadsafe(_set_results, answered)


def _set_results(answered: Sequence[tuple[Future, Result | Exception]]) -> None:
    for answer, result in answered:
        if answer.done():
            continue  # the request was cancelled
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)

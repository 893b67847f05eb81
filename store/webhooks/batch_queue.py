"""One thread that commits waiting webhooks together, so that a burst costs few commits.

An event that arrives alone is committed at once. While a commit is on its way to the disk,
others gather, and the next commit takes them all. Each is answered after the commit that holds
it, so that a process that dies has lost nothing it has answered. No more than `MOST` may be
inside: who comes then is told to come again, and memory stays what it is.

No event holds up another:

- One whose order is locked by somebody else is left out of its batch and tried again after a
  pause, for `db.LOCK_SECONDS` in all; then it is answered 503.
- A batch that the database makes wait, whatever for, is given up after a moment, and each of its
  events goes on by itself in one of a few threads. One that has to wait there too goes on in one of
  the threads for those that wait, for as long as is usual, and is kept out of the batches for a
  while.
- A batch that fails otherwise is split in halves until the event that it fails for stands alone.
- One that does not fit its order, or what the database allows, is looked up at Stripe in a thread
  of its own, and comes back with what Stripe answered.

On SQLite there is one lock for all, and who cannot have it in time is answered 503.

Dead anywhere: nothing that was not committed was answered, so Stripe sends it again. Two processes
at once are two transactions; see events.py. Whatever is raised in the thread is logged, answered
with 503 to the requests it was working for, and the thread goes on. A second thread looks after it:
where it hangs, or has ended all the same, the requests that wait for it are answered.
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
from sqlmodel import Session

from store.core.errors import DatabaseUnavailable, InboxBroken, InboxFull, StripeBusy
from store.db import engine as db
from store.orders.stripe_facts import Document
from store.webhooks import parsing, processing
from store.webhooks.parsing import ParsedEvent
from store.webhooks.processing import Doubt, Locked, Outcome

log = logging.getLogger(__name__)

LARGEST_BATCH = 200
MOST = 2000
GATHER_SECONDS = 0.001
RETRY_SECONDS = (0.05, 0.1, 0.2, 0.4)  # pauses while an order is locked; the last one repeats
ASK_SECONDS = 20.0  # of all tries of one look-up at Stripe
STUCK_SECONDS = 30.0  # beyond the lock's own time; no commit takes that long
RESTART_SECONDS = 0.1
WATCH_SECONDS = 0.5
ASKING_THREADS, SINGLE_THREADS, PATIENT_THREADS = 8, 4, 4
PATIENT_SECONDS = 5.0  # beyond the lock's own time, in which an event's turn has to come
KEPT_OUT_SECONDS = 30.0
# No event holds up those beside or behind it for longer than this for a lock, and for a statement;
# one that waits where it is in nobody's way waits for `db.LOCK_SECONDS`.
SHORT_SECONDS = (0.1, 1.0)
# lock_not_available, deadlock_detected, query_canceled, serialization_failure
CONTENTION = frozenset(["55P03", "40P01", "57014", "40001"])
# What the database says of values that it cannot take, whoever brings them and however often.
UNSUITABLE = (IntegrityError, DataError, OverflowError, UnicodeError)
CONTRADICTED = "it contradicts what is recorded here"

Loop = asyncio.AbstractEventLoop
Result = Outcome | Doubt | Locked
Waiting = tuple[ParsedEvent, "asyncio.Future[Result]", Loop]
Asked = TypeVar("Asked")


class Contended(Exception):
    """An event of a batch that the database made wait for longer than a batch may."""


class Inbox:
    """Takes events from many requests and answers each after its commit."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._asking: ThreadPoolExecutor | None = None
        self._single: ThreadPoolExecutor | None = None
        self._patient: ThreadPoolExecutor | None = None
        self._batch: list[Waiting] = []
        # A timer for each request would cost more than all else that is done for it here.
        self._pending: dict[asyncio.Future[Result], Waiting] = {}
        self._alone = set[str]()
        self._kept_out: dict[str, float] = {}  # event ids, until when
        self._inside = 0
        self._crowded = False
        self._busy_since: float | None = None
        self._opened = False
        self._closed = threading.Event()
        self.committed_at: float | None = None  # of time.time()
        self.restarts = 0

    def open(self) -> None:
        self._opened = True
        self._closed = threading.Event()
        self._asking = ThreadPoolExecutor(ASKING_THREADS, "inbox asking")
        self._single = ThreadPoolExecutor(SINGLE_THREADS, "inbox single")
        self._patient = ThreadPoolExecutor(PATIENT_THREADS, "inbox patient")
        self._start()
        threading.Thread(target=self._watch, name="inbox watch", daemon=True).start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="inbox", daemon=True)
        self._thread.start()

    def _restart(self) -> None:
        with self._starting:
            if self._thread and not self._thread.is_alive():
                self.restarts += 1
                self._start()

    def close(self) -> None:
        """Answer what has arrived, then stop."""
        self._opened = False
        self._closed.set()
        self._waiting.put(None)
        if self._thread:
            self._thread.join(timeout=10)
        for pool in filter(None, [self._asking, self._single, self._patient]):
            pool.shutdown(wait=False, cancel_futures=True)

    def trouble(self) -> str | None:
        """What keeps events from being committed; None while there is nothing."""
        if not self._thread or not self._thread.is_alive():
            return "The thread that commits webhooks has ended. It starts again with the next one."
        since, limit = self._busy_since, db.LOCK_SECONDS + STUCK_SECONDS
        if since is not None and (seconds := time.monotonic() - since) > limit:
            return f"The thread that commits webhooks has been busy for {seconds:.0f} seconds."
        return None

    async def receive(self, event: Document) -> Outcome:
        """Wait until the event and its effect are committed.

        Raises:
            InboxFull, InboxBroken, DatabaseUnavailable, StripeError: nothing was written; Stripe
                has to send it again.
            EventMalformed: it is none; sending it again would not help.
        """
        if self._inside >= MOST:
            raise InboxFull
        self._inside += 1
        try:
            if parsing.needs_lookup(event):
                return await self._settle(await self._ask(parsing.parse_event, event))
            return await self._settle(parsing.parse_event(event))
        finally:
            self._inside -= 1

    async def _settle(self, arrival: ParsedEvent) -> Outcome:
        """Submit an event until it is written, looking it up or waiting in between."""
        until, pauses, refusals = time.monotonic() + db.LOCK_SECONDS, iter(RETRY_SECONDS), 0
        pause = 0.0
        while True:
            try:
                result = await self._submit(arrival)
            except Contended:
                result = await self._commit_alone(arrival)
            except UNSUITABLE as error:
                refusals += 1
                arrival = await self._without_contradiction(arrival, error, refusals)
                continue
            if isinstance(result, Doubt):
                arrival = await self._ask(parsing.look_up, arrival, result.reason)
            elif isinstance(result, Locked):
                pause = next(pauses, pause)
                if time.monotonic() + pause > until:
                    raise DatabaseUnavailable("This event's order is locked. Send it again.")
                await asyncio.sleep(pause)
            else:
                return result

    async def _submit(self, arrival: ParsedEvent) -> Result:
        """Hand an event to the thread; a thread that has ended is started again."""
        if time.monotonic() < self._kept_out.get(arrival.id, 0):
            raise Contended
        if self._opened and self._thread and not self._thread.is_alive():
            self._restart()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()
        waiting = self._pending[answer] = (arrival, answer, loop)
        self._waiting.put(waiting)
        try:
            return await answer
        finally:
            del self._pending[answer]

    async def _ask(self, question: Callable[..., Asked], *given: Any) -> Asked:
        """Run what may ask Stripe or the database beside the requests, for a bounded time."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await loop.run_in_executor(self._asking, question, *given)
        except TimeoutError:
            raise StripeBusy from None

    async def _without_contradiction(
        self, arrival: ParsedEvent, error: Exception, refusals: int
    ) -> ParsedEvent:
        """The event as Stripe answers it; where the database refuses that too, a mere doubt.

        Raises:
            the error itself, where the event is about no order or the doubt is refused as well.
        """
        if arrival.fact is None or refusals > 2:
            raise error
        log.warning(
            "The database refuses %s: %s",
            arrival.id,
            type(error).__name__,
            extra={"event_id": arrival.id, "order_number": arrival.fact.order_number},
        )
        if refusals == 1 and not arrival.fact.checked:
            return await self._ask(parsing.look_up, arrival, CONTRADICTED)
        return parsing.contested(arrival, CONTRADICTED)

    async def _commit_alone(self, arrival: ParsedEvent) -> Result:
        """Commit one event in a thread of its own, once at a time: quickly, then patiently."""
        if arrival.id in self._alone:
            raise DatabaseUnavailable("This event is being taken in already. Send it again.")
        self._alone.add(arrival.id)
        patient_seconds = (db.LOCK_SECONDS, db.LOCK_SECONDS + PATIENT_SECONDS - 1)
        try:
            async with asyncio.timeout(db.LOCK_SECONDS + PATIENT_SECONDS):
                if arrival.id not in self._kept_out:
                    with suppress(Contended):
                        return await self._run(self._single, arrival, SHORT_SECONDS)
                self._keep_out(arrival.id)
                result = await self._run(self._patient, arrival, patient_seconds)
        except (TimeoutError, Contended):
            raise DatabaseUnavailable(
                "The database makes this event wait. Send it again."
            ) from None
        finally:
            self._alone.discard(arrival.id)
        self._kept_out.pop(arrival.id, None)
        return result

    async def _run(
        self, threads: ThreadPoolExecutor | None, arrival: ParsedEvent, limits: tuple[float, float]
    ) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(threads, _commit_one, arrival, limits)

    def _keep_out(self, event_id: str) -> None:
        if len(self._kept_out) >= MOST:
            self._kept_out.clear()
        self._kept_out[event_id] = time.monotonic() + KEPT_OUT_SECONDS

    # --- in the thread that looks after the other ---------------------------------------------

    def _watch(self) -> None:
        closed = self._closed
        while not closed.wait(WATCH_SECONDS):
            try:
                self._look_after()
            except Exception:
                log.exception("Looking after the webhook queue failed")

    def _look_after(self) -> None:
        """Answer those who wait for a thread that hangs; start one again that others wait for."""
        pending = list(self._pending.values())
        if not pending or not self._thread:
            return
        if not self._thread.is_alive():
            self._restart()
        elif trouble := self.trouble():
            log.error("%s %d requests get 503.", trouble, len(pending))
            _answer(pending, [InboxBroken()] * len(pending))

    # --- in the thread ------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            try:
                self._busy_since = None
                if not self._next_batch():
                    return
                self._busy_since = time.monotonic()
                _answer(self._batch, self._commit(self._batch))
            except BaseException as error:  # noqa: BLE001 - a queue without its thread is a dead end
                self.restarts += 1
                self._give_back(error)

    def _give_back(self, error: BaseException) -> None:
        """Answer whatever was being worked for, so that Stripe sends it again."""
        ids = ", ".join(arrival.id for arrival, *_ in self._batch)
        log.error("Unexpected error in the webhook queue; 503 for: %s", ids, exc_info=error)
        _answer(self._batch, [InboxBroken()] * len(self._batch))
        self._batch = []
        time.sleep(RESTART_SECONDS)

    def _next_batch(self) -> bool:
        """Take whatever waits, and at least one; False at the end."""
        batch = self._batch = []
        while len(batch) < LARGEST_BATCH and not (batch and self._waiting.empty()):
            waiting = self._waiting.get()
            if waiting is None:
                if batch:
                    self._waiting.put(None)
                break
            batch.append(waiting)
            if len(batch) == 1 and self._crowded:
                self._gather()
        self._crowded = len(batch) > 1
        return bool(batch)

    def _gather(self) -> None:
        """Let those come in who are at the door, while there are any.

        Only where the last commit was for several: they have just been answered, and send the
        next ones at the same moment. Who comes alone never waits.
        """
        known = -1
        while known < self._waiting.qsize() < LARGEST_BATCH:
            known = self._waiting.qsize()
            time.sleep(GATHER_SECONDS)

    def _commit(self, batch: Sequence[Waiting]) -> list[Result | Exception]:
        """Commit a batch, or whatever of it can be committed."""
        try:
            with db.unit_of_work() as session:
                _limit(session, *SHORT_SECONDS)
                told = processing.try_events(
                    session, [arrival for arrival, *_ in batch], source="webhook", wait=False
                )
            self.committed_at = time.time()
            return list(told)
        except DatabaseUnavailable as error:
            if not _is_contention(error):
                return [error] * len(batch)  # trying each alone would only wait as many times
            return [Contended()] * len(batch)
        except Exception as error:  # noqa: BLE001 - each request is told what its event met
            if len(batch) == 1:
                return [error]
        # One bad event must not hold up the others.
        half = len(batch) // 2
        return [*self._commit(batch[:half]), *self._commit(batch[half:])]


def _limit(session: Session, lock_seconds: float, statement_seconds: float) -> None:
    """Let this transaction wait no longer than this for one of its events."""
    if session.get_bind().dialect.name == "postgresql":
        session.connection().exec_driver_sql(
            f"SET LOCAL lock_timeout = {lock_seconds * 1000:.0f}; "
            f"SET LOCAL statement_timeout = {statement_seconds * 1000:.0f}"
        )


def _is_contention(error: DatabaseUnavailable) -> bool:
    """True where the database is there, and something in this very batch has to wait."""
    driver = getattr(error.__cause__, "orig", None)
    return getattr(driver, "pgcode", None) in CONTENTION


def _commit_one(arrival: ParsedEvent, limits: tuple[float, float]) -> Result:
    """Commit one event by itself.

    Raises:
        Contended: within these limits it did not get through.
        DatabaseUnavailable
    """
    try:
        with db.unit_of_work() as session:
            _limit(session, *limits)
            (result,) = processing.try_events(session, [arrival], source="webhook", wait=False)
    except DatabaseUnavailable as error:
        if _is_contention(error):
            raise Contended from error
        raise
    return result


def _answer(batch: Sequence[Waiting], results: Sequence[Result | Exception]) -> None:
    """Wake every request of a batch; each event loop is called only once, for that is dear."""
    told: dict[Loop, list[tuple[asyncio.Future[Result], Result | Exception]]]
    told = defaultdict(list)
    for (_, answer, loop), result in zip(batch, results, strict=True):
        told[loop].append((answer, result))
    for loop, answers in told.items():
        with suppress(RuntimeError):  # a loop that is closed waits for nothing
            loop.call_soon_threadsafe(_tell, answers)


def _tell(answers: Sequence[tuple["asyncio.Future[Result]", Result | Exception]]) -> None:
    for answer, result in answers:
        if answer.done():
            continue  # nobody waits for it any more
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)

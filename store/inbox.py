"""One thread that commits waiting webhooks together, so that a burst costs few commits.

An event that arrives alone is committed at once. While a commit is on its way to the disk,
others gather, and the next commit takes them all. Each is answered after the commit that holds
it, so that a process that dies has lost nothing it has answered. No more than `MOST` may be
inside: who comes then is told to come again, and memory stays what it is.
"""

import asyncio
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Sequence

from store import arrivals, db, events
from store.arrivals import Arrival
from store.errors import DatabaseUnavailable, InboxFull
from store.events import Outcome
from store.facts import Document

LARGEST_BATCH = 200
MOST = 2000
GATHER_SECONDS = 0.001
Loop = asyncio.AbstractEventLoop
Waiting = tuple[Arrival, "asyncio.Future[Outcome]", Loop]


class Inbox:
    """Takes events from many requests and answers each after its commit."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._inside = 0
        self._crowded = False

    def open(self) -> None:
        self._thread = threading.Thread(target=self._work, name="inbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer what has arrived, then stop."""
        self._waiting.put(None)
        if self._thread:
            self._thread.join(timeout=10)

    async def receive(self, event: Document) -> Outcome:
        """Wait until the event and its effect are committed.

        Raises:
            InboxFull, DatabaseUnavailable, StripeError: nothing was written; Stripe has to send
                it again.
            EventMalformed: it is none; sending it again would not help.
        """
        if self._inside >= MOST:
            raise InboxFull
        self._inside += 1
        try:
            if arrivals.may_ask(event):
                arrival = await asyncio.to_thread(arrivals.read, event)
            else:
                arrival = arrivals.read(event)
            loop = asyncio.get_running_loop()
            answer: asyncio.Future[Outcome] = loop.create_future()
            self._waiting.put((arrival, answer, loop))
            return await answer
        finally:
            self._inside -= 1

    def _work(self) -> None:
        while batch := self._next_batch():
            _answer(batch, self._commit(batch))

    def _next_batch(self) -> list[Waiting]:
        """Whatever waits, and at least one; nothing at the end."""
        batch: list[Waiting] = []
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
        return batch

    def _gather(self) -> None:
        """Let those come in who are at the door, while there are any.

        Only where the last commit was for several: they have just been answered, and send the
        next ones at the same moment. Who comes alone never waits.
        """
        known = -1
        while known < self._waiting.qsize() < LARGEST_BATCH:
            known = self._waiting.qsize()
            time.sleep(GATHER_SECONDS)

    def _commit(self, batch: Sequence[Waiting]) -> list[Outcome | Exception]:
        try:
            with db.unit_of_work() as session:
                return list(
                    events.receive(session, [event for event, *_ in batch], source="webhook")
                )
        except DatabaseUnavailable as error:
            return [error] * len(batch)  # trying each alone would only wait as many times longer
        except Exception as error:  # noqa: BLE001 - each request is told what its event met
            if len(batch) == 1:
                return [error]
        # One bad event must not hold up the others: each on its own.
        return [outcome for waiting in batch for outcome in self._commit([waiting])]


def _answer(batch: Sequence[Waiting], outcomes: Sequence[Outcome | Exception]) -> None:
    """Wake every request of a batch; each event loop is called only once, for that is dear."""
    told: dict[Loop, list[tuple[asyncio.Future[Outcome], Outcome | Exception]]]
    told = defaultdict(list)
    for (_, answer, loop), outcome in zip(batch, outcomes, strict=True):
        told[loop].append((answer, outcome))
    for loop, answers in told.items():
        loop.call_soon_threadsafe(_tell, answers)


def _tell(answers: Sequence[tuple["asyncio.Future[Outcome]", Outcome | Exception]]) -> None:
    for answer, outcome in answers:
        if answer.done():
            continue  # nobody waits for it any more
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

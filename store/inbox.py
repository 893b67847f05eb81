"""One thread that commits waiting webhooks together, so that a burst costs few commits.

An event that arrives alone is committed at once. While a commit is on its way to the disk,
others gather, and the next commit takes them all.
"""

import asyncio
import queue
import threading
from collections.abc import Sequence

from store import db, events
from store.errors import DatabaseUnavailable
from store.events import Arrival, Outcome

LARGEST_BATCH = 200
Waiting = tuple[Arrival, "asyncio.Future[Outcome]", asyncio.AbstractEventLoop]


class Inbox:
    """Takes events from many requests and answers each after its commit."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Waiting | None] = queue.Queue()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        self._thread = threading.Thread(target=self._work, name="inbox", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer what has arrived, then stop."""
        self._waiting.put(None)
        if self._thread:
            self._thread.join(timeout=10)

    async def receive(self, event: Arrival) -> Outcome:
        """Wait until the event and its effect are committed.

        Raises:
            DatabaseUnavailable: nothing was written; Stripe has to send it again.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.put((event, answer, loop))
        return await answer

    def _work(self) -> None:
        while batch := self._next_batch():
            for waiting, outcome in zip(batch, self._commit(batch), strict=True):
                _answer(waiting, outcome)

    def _next_batch(self) -> list[Waiting]:
        first = self._waiting.get()
        if first is None:
            return []
        batch = [first]
        while len(batch) < LARGEST_BATCH:
            try:
                other = self._waiting.get_nowait()
            except queue.Empty:
                break
            if other is None:
                self._waiting.put(None)
                break
            batch.append(other)
        return batch

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


def _answer(waiting: Waiting, outcome: Outcome | Exception) -> None:
    _, answer, loop = waiting

    def tell() -> None:
        if answer.cancelled():
            return
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    loop.call_soon_threadsafe(tell)

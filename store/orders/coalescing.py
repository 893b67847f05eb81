"""Coalesces calls of Stripe: one per order at a time, and at most one per second."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from store.core.errors import StoreError

REUSE_SECONDS = 1.0
MAX_ORDERS = 10_000  # beyond them, the least recently used are dropped


@dataclass
class _Calls:
    """The last calls about one order: when they began, ended and failed."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    began: float = float("-inf")
    ended: dict[str, float] = field(default_factory=dict)
    error: StoreError | None = None
    failed_at: float = float("-inf")


class RequestCoalescer:
    """Calls of Stripe that buyers cause: one per order at a time, and at most one per second.

    Callers that arrive while a call is running wait for it and do not repeat it. The result itself
    is in the database; only the times of calls are kept here. A process that restarts has none of
    them and calls once more.
    """

    def __init__(self) -> None:
        self._orders: OrderedDict[str, _Calls] = OrderedDict()
        self._lock = threading.Lock()

    def run(
        self, order_number: str, kind: str, call: Callable[[], object], *, reuse: Collection[str]
    ) -> bool:
        """Run `call` unless it has just been run; returns whether it ran here.

        A result is reused if its call began after this caller arrived, or if it is at most a second
        old and of a kind in `reuse`: a buyer who returns from paying must not see an older state.
        A StoreError of the call is raised here, and for all callers that waited for it.
        """
        arrived = time.monotonic()
        calls = self._of(order_number)
        with calls.lock:
            if calls.failed_at >= arrived and calls.error is not None:
                raise calls.error
            if calls.began >= arrived or any(
                calls.ended.get(other, float("-inf")) >= arrived - REUSE_SECONDS for other in reuse
            ):
                return False
            began = time.monotonic()
            try:
                call()
            except StoreError as error:
                calls.error, calls.failed_at = error, time.monotonic()
                raise
            calls.began = began
            calls.ended[kind] = time.monotonic()
            return True

    def _of(self, order_number: str) -> _Calls:
        with self._lock:
            calls = self._orders.setdefault(order_number, _Calls())
            self._orders.move_to_end(order_number)
            while len(self._orders) > MAX_ORDERS:
                self._orders.popitem(last=False)
            return calls

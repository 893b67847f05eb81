"""One question to Stripe per order at a time; whoever comes meanwhile gets the same answer.

A buyer may ask as often as the browser lets them; Stripe is asked at most once in a second about
an order in one process. The answer itself is in the database; what is kept here is only when it
was asked for. A process that dies forgets it, and asks once more.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from store.core.errors import StoreError

REUSE_SECONDS = 1.0
KEPT = 10_000


@dataclass
class _Asked:
    """The questions about one order: when the last ones began and ended, and how."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    began: float = float("-inf")
    ended: dict[str, float] = field(default_factory=dict)
    error: StoreError | None = None
    failed_at: float = float("-inf")


class Questions:
    """What this process asks Stripe about orders on behalf of buyers."""

    def __init__(self) -> None:
        self._orders: OrderedDict[str, _Asked] = OrderedDict()
        self._lock = threading.Lock()

    def ask(
        self, number: str, kind: str, act: Callable[[], object], *, reuse: Collection[str]
    ) -> bool:
        """Ask, unless it has just been done; answers whether it was asked here.

        An answer is reused where its question began after the caller came, or where it is no
        older than a second and of a kind in `reuse`: who returns from paying may not be told
        what was true before. Those who waited for a question that failed share its error.

        Raises:
            StoreError: what `act` raised, for this caller or the one it waited for.
        """
        came = time.monotonic()
        asked = self._of(number)
        with asked.lock:
            if asked.failed_at >= came and asked.error is not None:
                raise asked.error
            if asked.began >= came or any(
                asked.ended.get(other, float("-inf")) >= came - REUSE_SECONDS for other in reuse
            ):
                return False
            began = time.monotonic()
            try:
                act()
            except StoreError as error:
                asked.error, asked.failed_at = error, time.monotonic()
                raise
            asked.began = began
            asked.ended[kind] = time.monotonic()
            return True

    def _of(self, number: str) -> _Asked:
        """The questions about an order; those asked longest ago are forgotten first."""
        with self._lock:
            asked = self._orders.setdefault(number, _Asked())
            self._orders.move_to_end(number)
            while len(self._orders) > KEPT:
                self._orders.popitem(last=False)
            return asked

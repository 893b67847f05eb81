"""Catching up with Stripe and comparing both books because an operator wants it now.

Either may take minutes, so it is done beside the pages, which only watch; one at a time.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from store import audit, clock, reconcile
from store.errors import StoreError
from store.restore import MissingOrder


class TaskRunning(StoreError):
    sentence = "The books are being worked on already. Wait for the result."


@dataclass(frozen=True)
class AuditResult:
    """How many paid orders each book knows, and whether all else agrees too."""

    stripes: int
    ours: int
    agrees: bool
    differing: list[audit.Entry]
    missing: list[MissingOrder] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, found: audit.Audit) -> "AuditResult":
        return cls(
            sum(entry.stripes.paid_amount > 0 for entry in found.entries)
            + sum(order.status == "paid" for order in found.missing),
            sum(entry.ours.paid_amount > 0 for entry in found.entries),
            found.agrees,
            [entry for entry in found.entries if not entry.agrees],
            found.missing,
            found.unreadable,
        )

    def __str__(self) -> str:
        sign = "=" if self.stripes == self.ours else "≠"
        return f"Stripe {self.stripes} {sign} ours {self.ours}"


@dataclass
class Task:
    """What is being done, or was done last; `progress` says how far it is."""

    name: str
    by: str
    progress: Callable[[], str]
    began_at: datetime = field(default_factory=clock.now)
    result: str = ""
    good: bool = True

    @property
    def seconds(self) -> int:
        return int((clock.now() - self.began_at).total_seconds())


class BackgroundTasks:
    """Does one task at a time, and remembers what the last ones came to."""

    def __init__(self) -> None:
        self.task: Task | None = None
        self.audited: AuditResult | None = None
        self.lock = threading.Lock()

    @property
    def busy(self) -> bool:
        return self.task is not None and not self.task.result

    def reconcile(self, by: str) -> None:
        """Begin to take in all that Stripe knows.

        Raises:
            AtWork
        """
        done = reconcile.CaughtUp()

        def work() -> str:
            reconcile.catch_up(done)
            left = [
                f"Order {number} could not be brought back: {why}."
                for number, why in done.lost.items()
            ]
            return " ".join([f"Caught up: {done}.", *left])

        self._begin(Task("Reconcile", by, lambda: str(done)), work)

    def compare(self, by: str) -> None:
        """Begin to put both books side by side.

        Raises:
            AtWork
        """

        def work() -> str:
            self.audited = AuditResult.of(audit.audit())
            return f"{self.audited}."

        self._begin(Task("Compare", by, lambda: "reading Stripe's book and ours"), work)

    def _begin(self, task: Task, work: Callable[[], str]) -> None:
        with self.lock:
            if self.busy:
                raise TaskRunning
            self.task = task

        def run() -> None:
            result, good = "This failed for a reason that nobody expected; the log tells.", False
            try:
                result, good = work(), True
            except StoreError as error:
                result = error.for_operator
            finally:
                task.good, task.result = good, result

        threading.Thread(target=run, name="bookkeeping", daemon=True).start()


TASKS = BackgroundTasks()

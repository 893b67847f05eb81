"""Reconciling and auditing because an operator wants it now.

Either may take minutes, so it is done in a thread of its own, which the pages watch. One at a time:
in this process by a lock, in all processes of the shop by a lease. Should the process die on any
line, the lease ends by itself (see `turns`), and what was reconciled is committed step by step;
an audit writes nothing.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from store.core import clock
from store.core.errors import StoreError
from store.db import engine as db
from store.db import leases
from store.reconciliation import audit, reconciler
from store.reconciliation.restored_orders import MissingOrder

log = logging.getLogger(__name__)

RECONCILE, COMPARE = "Reconcile", "Compare with Stripe"
LEASE = "back office"
UNEXPECTED = "This failed for an unexpected reason, which is in the log of the shop."
STAGES = {
    "missing orders": "looking for orders that are missing here",
    "events": "reading the events that Stripe lists",
    "events tried before": "trying events again that failed before",
    "orders": "asking about orders that may still change",
    "refunds": "sending refunds that are owed",
    "all sessions": "reading every Checkout Session",
    "all refunds": "reading every refund",
    "all disputes": "reading every dispute",
}


class TaskRunning(StoreError):
    sentence = "A run is in progress already. Wait for its result."


@dataclass(frozen=True)
class Pair:
    """One figure in both records; amounts are minor units of `currency`."""

    stripes: int
    ours: int
    currency: str = ""

    @property
    def difference(self) -> int:
        return self.stripes - self.ours


@dataclass(frozen=True)
class AuditResult:
    """Stripe's records beside ours, in figures, and every order in which they differ."""

    agrees: bool
    orders: int
    payments: Pair
    refunds: list[Pair]  # one for each currency
    disputes: Pair
    differing: list[audit.Entry] = field(default_factory=list)
    missing: list[MissingOrder] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    strangers: int = 0

    @classmethod
    def of(cls, found: audit.Audit) -> "AuditResult":
        stripes = [entry.stripes for entry in found.entries]
        ours = [entry.ours for entry in found.entries]
        missing_paid = sum(order.status == "paid" for order in found.missing)
        return cls(
            agrees=found.agrees,
            orders=len(found.entries),
            payments=Pair(_payments(stripes) + missing_paid, _payments(ours)),
            refunds=_refunds(found.entries),
            disputes=Pair(
                sum(len(book.disputes) for book in stripes),
                sum(len(book.disputes) for book in ours),
            ),
            differing=[entry for entry in found.entries if not entry.agrees],
            missing=found.missing,
            unreadable=found.unreadable,
            strangers=len(found.strangers),
        )

    def __str__(self) -> str:
        sign = "=" if self.payments.stripes == self.payments.ours else "≠"
        return f"payments at Stripe {self.payments.stripes} {sign} ours {self.payments.ours}"


def _payments(books: Iterable[audit.Book]) -> int:
    return sum(payment.paid_amount > 0 for book in books for payment in book.payments.values())


def _refunds(entries: Iterable[audit.Entry]) -> list[Pair]:
    sums: dict[str, tuple[int, int]] = {}
    for entry in entries:
        stripes, ours = sums.get(entry.currency, (0, 0))
        stripes += entry.stripes.refunded_amount
        sums[entry.currency] = (stripes, ours + entry.ours.refunded_amount)
    return [Pair(stripes, ours, currency) for currency, (stripes, ours) in sorted(sums.items())]


@dataclass
class Task:
    """A run that is in progress, or the last one of its name; `progress` says how far it is."""

    name: str
    operator: str
    progress: Callable[[], str]
    began_at: datetime = field(default_factory=clock.now)
    ended_at: datetime | None = None
    result: str = ""
    good: bool = True

    @property
    def seconds(self) -> float:
        return ((self.ended_at or clock.now()) - self.began_at).total_seconds()


class BackgroundTasks:
    """Runs one task at a time, and keeps the last one of each name."""

    def __init__(self) -> None:
        self.running: Task | None = None
        self.last: dict[str, Task] = {}
        self.audited: AuditResult | None = None
        self.lock = threading.Lock()

    def runs_elsewhere(self) -> datetime | None:
        """Since when another process of the shop runs a task, if one does.

        Raises:
            DatabaseUnavailable
        """
        with db.reading() as session:
            lease = leases.held(session, LEASE)
        return lease.acquired_at if lease and self.running is None else None

    def reconcile(self, operator: str) -> None:
        """Begin to process all that Stripe knows and the shop does not.

        Raises:
            TaskRunning, DatabaseUnavailable
        """
        done = reconciler.CaughtUp()

        def progress() -> str:
            return f"{STAGES.get(done.stage, done.stage) or 'starting'} · {done}"

        def work() -> str:
            reconciler.catch_up(done)
            return " ".join(
                [
                    f"Reconciled: {done}.",
                    *(f"Order {n} could not be restored: {why}." for n, why in done.lost.items()),
                ]
            )

        self._start(Task(RECONCILE, operator, progress), work)

    def compare(self, operator: str) -> None:
        """Begin to compare every payment, refund and dispute at Stripe with ours.

        Raises:
            TaskRunning, DatabaseUnavailable
        """
        progress = audit.Progress()

        def work() -> str:
            self.audited = AuditResult.of(audit.audit(progress))
            agreement = (
                "They agree." if self.audited.agrees else "They differ; the orders stand below."
            )
            return f"Compared {self.audited.orders} orders. {agreement}"

        self._start(Task(COMPARE, operator, lambda: str(progress)), work)

    def _start(self, task: Task, work: Callable[[], str]) -> None:
        with self.lock, ExitStack() as lease:
            if self.running:
                raise TaskRunning
            if lease.enter_context(leases.lease(LEASE, every=timedelta(0))) is None:
                raise TaskRunning
            self.running = task
            thread = threading.Thread(
                target=self._run, args=(task, work, lease.pop_all()), name=task.name, daemon=True
            )
        thread.start()

    def _run(self, task: Task, work: Callable[[], str], lease: ExitStack) -> None:
        result, good = UNEXPECTED, False
        try:
            with lease:
                result, good = work(), True
        except StoreError as error:
            result, good = error.for_operator, False
        except Exception:
            log.exception("%s failed", task.name)
        finally:
            task.result, task.good, task.ended_at = result, good, clock.now()
            self.last[task.name] = task
            self.running = None


TASKS = BackgroundTasks()

"""Background tasks: reconciling and auditing on an operator's request.

Either may take minutes, so it runs in a thread of its own and the pages show its progress. Only one
runs at a time: a lock holds that in this process, a lease in all processes of the shop. If the
process dies, the lease ends by itself (see `leases`); reconciling commits step by step, and an
audit writes nothing.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from store.core import clock
from store.core.errors import StoreError
from store.db import engine as db
from store.db import leases
from store.reconciliation import audit, reconciler
from store.reconciliation.restored_orders import MissingOrder
from store.reconciliation.result import ReconcileResult

log = logging.getLogger(__name__)

RECONCILE, COMPARE = "Reconcile", "Compare with Stripe"
LEASE = "back office"
UNEXPECTED = "This failed for an unexpected reason, which is in the log of the shop."


class TaskRunning(StoreError):
    sentence = "A run is in progress already. Wait for its result."


@dataclass(frozen=True)
class Pair:
    """One figure at Stripe and ours; amounts are minor units of `currency`."""

    stripes: int
    ours: int
    currency: str = ""

    @property
    def difference(self) -> int:
        return self.stripes - self.ours


@dataclass(frozen=True)
class AuditResult:
    """The result of an audit: figures at Stripe and ours, and every order that differs."""

    agrees: bool
    orders: int
    payments: Pair
    refunds: list[Pair]  # one for each currency
    disputes: Pair
    differing: list[audit.OrderComparison] = field(default_factory=list)
    missing: list[MissingOrder] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    strangers: int = 0

    @classmethod
    def of(cls, result: audit.Audit) -> "AuditResult":
        entries = result.entries

        def pair(count: Callable[[audit.OrderTotals], int], currency: str = "") -> Pair:
            compared = [entry for entry in entries if currency in ("", entry.currency)]
            ours = sum(count(entry.ours) for entry in compared)
            return Pair(sum(count(entry.stripes) for entry in compared), ours, currency)

        payments = pair(lambda one: sum(p.paid_amount > 0 for p in one.payments.values()))
        missing_paid = sum(order.status == "paid" for order in result.missing)
        return cls(
            agrees=result.agrees,
            orders=len(entries),
            payments=Pair(payments.stripes + missing_paid, payments.ours),
            refunds=[
                pair(lambda one: one.total.refunded_amount, currency)
                for currency in sorted({entry.currency for entry in entries})
            ],
            disputes=pair(lambda one: len(one.disputes)),
            differing=[entry for entry in entries if not entry.agrees],
            missing=result.missing,
            unreadable=result.unreadable,
            strangers=len(result.strangers),
        )

    def __str__(self) -> str:
        return "agrees" if self.agrees else "differs from Stripe"


@dataclass
class Task:
    """A run in progress, or the last one of its name; `progress` returns how far it is."""

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
    """Runs one task at a time; `last` has the last one of each name."""

    def __init__(self) -> None:
        self.running: Task | None = None
        self.last: dict[str, Task] = {}
        self.audited: AuditResult | None = None
        self.lock = threading.Lock()

    def runs_elsewhere(self) -> datetime | None:
        """When another process began the task that it runs, if it runs one."""
        with db.reading() as session:
            lease = leases.held(session, LEASE)
        return lease.acquired_at if lease and self.running is None else None

    def reconcile(self, operator: str) -> None:
        """Process everything that Stripe knows and the shop does not. Raises TaskRunning."""
        done = ReconcileResult()

        def work() -> str:
            reconciler.reconcile_everything(done)
            lost = [f"Order {n} could not be restored: {why}." for n, why in done.lost.items()]
            return " ".join([f"Reconciled: {done}.", *lost])

        task = Task(RECONCILE, operator, lambda: f"{done.stage or 'starting'} · {done}")
        self._start(task, work)

    def compare(self, operator: str) -> None:
        """Compare every payment, refund and dispute at Stripe with ours. Raises TaskRunning."""
        stripes = audit.StripeRecords()

        def work() -> str:
            self.audited = AuditResult.of(audit.audit(stripes))
            agreement = "They agree."
            if not self.audited.agrees:
                agreement = "They differ; the orders stand below."
            return f"Compared {self.audited.orders} orders. {agreement}"

        self._start(Task(COMPARE, operator, lambda: str(stripes)), work)

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
        except BaseException:
            log.exception("The task %r failed", task.name)
        finally:
            task.result, task.good, task.ended_at = result, good, clock.now()
            self.last[task.name] = task
            self.running = None

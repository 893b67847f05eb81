"""Health checks: one for each part of the shop, and how to repair what is bad.

They run in a background thread because a broken dependency takes seconds to time out.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlmodel import func, select

from store.backoffice.tasks import RECONCILE, BackgroundTasks
from store.core import clock, errors, local_http, money, settings
from store.core.workers import in_thread
from store.db import engine as db
from store.db.models import Lease, StripeEvent
from store.db.write_probe import WriteProbe
from store.orders import refunds
from store.stripe_api import requests
from store.stripe_api.clock_skew import CLOCK_SECONDS

log = logging.getLogger(__name__)

MAX_AGE_SECONDS = 4.0
FIRST_RESULT_SECONDS = 1.5
WAIT_SECONDS = 0.3  # for new results where there are older ones


@dataclass(frozen=True)
class HealthCheck:
    """`good` is None where nothing is good or bad; the message ends with the time since `at`."""

    name: str
    good: bool | None
    state: str
    remedy: str = ""
    at: datetime | None = None

    @property
    def message(self) -> str:
        return f"{self.state} {time_ago(self.at)}".strip() if self.at else self.state


def check_webhook_server() -> HealthCheck:
    address = settings.current().sidecar_url
    remedy = f"Start it: python -m store, or uvicorn webhook_server:app. Expected at {address}."
    if not (readiness := local_http.readiness(address)):
        return HealthCheck("Webhook server", False, "not running", remedy)
    ready, states = readiness
    faults = [state for name, state in states.items() if name != "clock"]  # which has its own check
    if ready and not faults:
        return HealthCheck("Webhook server", True, "ready")
    state = "ready, with a fault" if ready else "not ready"
    return HealthCheck("Webhook server", False, state, faults[0] if faults else remedy)


def check_database(probe: WriteProbe) -> HealthCheck:
    try:
        kind = {"sqlite": "SQLite"}.get(db.engine().dialect.name, "PostgreSQL")
        current = db.schema_is_current()
    except errors.DatabaseUnavailable:
        return HealthCheck("Database", False, "does not answer", "python -m store doctor says why.")
    if not current:
        return HealthCheck(
            "Database", False, "schema is not current", "Run: python -m store migrate"
        )
    if trouble := probe.trouble():
        return HealthCheck("Database", False, "takes no writes", trouble)
    return HealthCheck("Database", True, kind)


def check_stripe() -> list[HealthCheck]:
    """Whether Stripe (or the emulator) answers, and whether this machine's clock is right."""
    offline = settings.current().offline
    name = "Emulator" if offline else "Stripe"

    def failed(state: str, remedy: str) -> list[HealthCheck]:
        return [HealthCheck(name, False, state, remedy), HealthCheck("Clock", None, "unknown")]

    started = time.monotonic()
    try:
        ahead = requests.clock_offset().total_seconds()
    except errors.StripeKeyRefused:
        remedy = "Set STRIPE_SECRET_KEY to a test key from dashboard.stripe.com/test/apikeys."
        return failed("refuses the key", remedy)
    except errors.StripePermissionMissing as missing:
        return failed("the key lacks a permission", missing.for_operator)
    except errors.StoreError as error:
        start = "Start the shop with python -m store."
        return failed("does not answer", start if offline else error.for_operator)
    milliseconds = round((time.monotonic() - started) * 1000)
    off = abs(ahead) > CLOCK_SECONDS
    word = f"{abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}" if abs(ahead) > 2 else "right"
    remedy = "Set this machine's clock by NTP: signed webhooks are refused otherwise."
    return [
        HealthCheck(name, True, f"answers in {milliseconds} ms"),
        HealthCheck("Clock", not off, word, remedy if off else ""),
    ]


def check_last_event() -> HealthCheck:
    with db.reading() as session:
        at = session.exec(select(func.max(StripeEvent.received_at))).one()
    return HealthCheck("Last event", None, "" if at else "none yet", at=at)


def check_reconciliation(tasks: BackgroundTasks) -> HealthCheck:
    """When the shop last caught up with Stripe, and what the last comparison came to."""
    audited = tasks.audited
    if audited and not audited.agrees:
        remedy = "Open Reconciliation: reconcile, then compare again."
        return HealthCheck("Reconciliation", False, str(audited), remedy)
    with db.reading() as session:
        lease = session.get(Lease, "reconciler")
    by_operator = tasks.last.get(RECONCILE)
    times = [lease.processed_until] if lease and lease.processed_until else []
    times += [by_operator.began_at] if by_operator and by_operator.good else []
    at = max(times, default=None)
    state = "reconciled" if at else "not reconciled yet"
    state = f"{audited}, {state}" if audited else state
    return HealthCheck("Reconciliation", bool(at) or None, state, at=at)


def check_refunds() -> list[HealthCheck]:
    """A bad result while a refund is stuck; none otherwise."""
    with db.reading() as session:
        stuck = refunds.overdue(session)
    if not stuck:
        return []
    refund, order = stuck[0]
    amount = money.text(refund.amount, order.currency)
    state = f"{len(stuck)} stuck, {amount} since {time_ago(refund.created_at)}"
    remedy = "Open Reconciliation for the reason, and to submit it again."
    return [HealthCheck("Refunds", False, state, remedy)]


def time_ago(at: datetime) -> str:
    seconds = (clock.now() - at).total_seconds()
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {word} ago"
    return f"{max(seconds, 0):.0f} s ago"


def run_checks(tasks: BackgroundTasks, probe: WriteProbe) -> list[HealthCheck]:
    """The results of all checks, in the order in which they are shown."""
    checks: dict[str, Callable[[], HealthCheck | list[HealthCheck]]] = {
        "Webhook server": check_webhook_server,
        "Database": partial(check_database, probe),
        "Stripe": check_stripe,
        "Last event": check_last_event,
        "Reconciliation": partial(check_reconciliation, tasks),
        "Refunds": check_refunds,
    }
    results = [HealthCheck("Shop", True, "open")]
    for name, check in checks.items():
        try:
            result = check()
        except errors.DatabaseUnavailable:  # which has a check of its own
            result = [] if check is check_refunds else HealthCheck(name, None, "unknown")
        except Exception:  # one check that fails unexpectedly must not hide the others
            log.exception("The check %r failed", name)
            result = HealthCheck(name, False, "cannot be checked", "The log of the shop says why.")
        results += result if isinstance(result, list) else [result]
    return results


class HealthMonitor:
    """The results of the last checks, and at most one thread that repeats them when they are old.

    The checks usually take some milliseconds, so a page waits for new results; while something
    times out, it shows the last ones, and new ones with its next refresh.
    """

    def __init__(self, tasks: BackgroundTasks) -> None:
        self.tasks, self.probe = tasks, WriteProbe()
        self.results: list[HealthCheck] = []
        self.checked_at = self.expired_at = -math.inf
        self.lock = threading.Lock()
        self.run: Future[None] | None = None

    def checks(self) -> list[HealthCheck]:
        """Results at most `MAX_AGE_SECONDS` old, or older ones if new ones take too long."""
        now = time.monotonic()
        deadline = now + (WAIT_SECONDS if self.results else FIRST_RESULT_SECONDS)
        wanted_since = max(now - MAX_AGE_SECONDS, self.expired_at)
        while self.checked_at < wanted_since:
            with self.lock:
                if self.run is None or self.run.done():
                    self.run = in_thread(self._run)
            if not wait([self.run], deadline - time.monotonic()).done:
                break
        return self.results

    def expire(self) -> None:
        """Treat results of checks that began before now as old, because something was changed."""
        self.expired_at = time.monotonic()

    def _run(self) -> None:
        began_at = time.monotonic()
        self.results = run_checks(self.tasks, self.probe)
        self.checked_at = began_at

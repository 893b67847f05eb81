"""Health checks: one for each part of the shop, and how to mend what is bad.

They run in a background thread because a broken dependency takes seconds to time out.
"""

import http.client
import json
import math
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import func, select

from store.backoffice import tasks
from store.core import clock, money, settings
from store.core.errors import (
    DatabaseUnavailable,
    StoreError,
    StripeKeyRefused,
    StripePermissionMissing,
)
from store.db import engine as db
from store.db.models import Lease, StripeEvent
from store.db.write_probe import WriteProbe
from store.orders import refunds
from store.stripe_api import gateway
from store.stripe_api.traces import CLOCK_SECONDS

MAX_AGE_SECONDS = 4.0
FIRST_RESULT_SECONDS = 1.5
WAIT_SECONDS = 0.3  # for new results where there are older ones
READY_SECONDS = 4.0  # it may wait a moment for a write of its own
PROBE = WriteProbe()
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class HealthCheck:
    """`good` is None for what is neither good nor bad; `remedy` says how to mend what is bad.

    `at` is a moment that the message ends with, as the time since then.
    """

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
    remedy = f"Start it: python -m store, or uvicorn webhook_server:app. Looked for at {address}."
    try:
        with LOCAL.open(f"{address}/readyz", timeout=READY_SECONDS) as answer:
            ready, body = True, answer.read()
    except urllib.error.HTTPError as error:
        ready, body = False, error.read()
    except (OSError, http.client.HTTPException):
        return HealthCheck("Webhook server", False, "not running", remedy)
    try:
        said = json.loads(body)
        wrong = [word for name, word in said.items() if word != "ok" and name != "clock"]
    except (ValueError, AttributeError):
        wrong = []
    if ready and not wrong:
        return HealthCheck("Webhook server", True, "ready")
    state = "ready, but look here" if ready else "not ready"
    return HealthCheck("Webhook server", False, state, str(wrong[0]) if wrong else remedy)


def check_database() -> HealthCheck:
    try:
        kind = {"sqlite": "SQLite"}.get(db.engine().dialect.name, "PostgreSQL")
        current = db.schema_is_current()
    except DatabaseUnavailable:
        return HealthCheck("Database", False, "does not answer", "python -m store doctor says why.")
    if not current:
        return HealthCheck(
            "Database", False, "schema is not current", "Run: python -m store migrate"
        )
    if trouble := PROBE.trouble():
        return HealthCheck("Database", False, "takes no writes", trouble)
    return HealthCheck("Database", True, kind)


def check_stripe() -> list[HealthCheck]:
    offline = settings.current().offline
    name = "Emulator" if offline else "Stripe"
    try:
        started = time.monotonic()
        ahead = gateway.clock_offset().total_seconds()
        took = round((time.monotonic() - started) * 1000)
    except StripeKeyRefused:
        remedy = "Set STRIPE_SECRET_KEY to a test key from dashboard.stripe.com/test/apikeys."
        return [
            HealthCheck(name, False, "refuses the key", remedy),
            HealthCheck("Clock", None, "unknown"),
        ]
    except StripePermissionMissing as missing:
        state = "the key lacks a permission"
        return [
            HealthCheck(name, False, state, missing.for_operator),
            HealthCheck("Clock", None, "unknown"),
        ]
    except StoreError as error:
        remedy = "Start the shop with python -m store." if offline else error.for_operator
        return [
            HealthCheck(name, False, "does not answer", remedy),
            HealthCheck("Clock", None, "unknown"),
        ]
    off = abs(ahead) > CLOCK_SECONDS
    word = f"{abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}" if abs(ahead) > 2 else "right"
    remedy = (
        "Set this machine's clock by NTP: signed webhooks are refused otherwise." if off else ""
    )
    return [
        HealthCheck(name, True, f"answers in {took} ms"),
        HealthCheck("Clock", not off, word, remedy),
    ]


def check_last_event() -> HealthCheck:
    try:
        with db.reading() as session:
            at = session.exec(select(func.max(StripeEvent.received_at))).one()
    except DatabaseUnavailable:
        return HealthCheck("Last event", None, "unknown")
    return HealthCheck("Last event", None, "" if at else "none yet", at=at)


def check_reconciliation() -> HealthCheck:
    """When the shop last caught up with Stripe, and what the last comparison came to."""
    audited = tasks.TASKS.audited
    if audited and not audited.agrees:
        return HealthCheck(
            "Reconciliation",
            False,
            str(audited),
            "Open Reconciliation: reconcile, then compare again.",
        )
    try:
        with db.reading() as session:
            turn = session.get(Lease, "reconciler")
    except DatabaseUnavailable:
        return HealthCheck("Reconciliation", None, "unknown")
    by_operator = tasks.TASKS.last.get(tasks.RECONCILE)
    times = [turn.processed_until] if turn and turn.processed_until else []
    times += [by_operator.began_at] if by_operator and by_operator.good else []
    at = max(times, default=None)
    state = "reconciled" if at else "not reconciled yet"
    state = f"{audited}, {state}" if audited else state
    return HealthCheck("Reconciliation", bool(at) or None, state, at=at)


def check_refunds() -> list[HealthCheck]:
    """Red while a refund is stuck; no light where none is."""
    try:
        with db.reading() as session:
            stuck = refunds.overdue(session)
    except DatabaseUnavailable:
        return []
    if not stuck:
        return []
    refund, order = stuck[0]
    word = f"{len(stuck)} stuck, {money.text(refund.amount, order.currency)} since " + time_ago(
        refund.created_at
    )
    return [
        HealthCheck(
            "Refunds", False, word, "Open Reconciliation: it says why, and sends again at once."
        )
    ]


def time_ago(at: datetime) -> str:
    seconds = (clock.now() - at).total_seconds()
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {word} ago"
    return f"{max(seconds, 0):.0f} s ago"


def run_checks() -> list[HealthCheck]:
    return [
        HealthCheck("Shop", True, "open"),
        check_webhook_server(),
        check_database(),
        *check_stripe(),
        check_last_event(),
        check_reconciliation(),
        *check_refunds(),
    ]


class HealthMonitor:
    """The results of the last checks, and a thread that checks again where they are old.

    Where all is well the checks take some milliseconds, so a page waits for new ones; where
    something times out it shows the last results, and new ones with its next refresh.
    """

    def __init__(self) -> None:
        self.results: list[HealthCheck] = []
        self.checked_at = self.expired_at = -math.inf
        self.changed = threading.Condition()
        self.running = False

    def checks(self) -> list[HealthCheck]:
        """Results that are at most `MAX_AGE_SECONDS` old, if they come within a moment."""
        patience = WAIT_SECONDS if self.results else FIRST_RESULT_SECONDS
        with self.changed:
            wanted_since = time.monotonic() - MAX_AGE_SECONDS
            if self.checked_at < wanted_since and not self.running:
                self.running = True
                threading.Thread(target=self._run, name="health", daemon=True).start()
            self.changed.wait_for(lambda: self.checked_at >= wanted_since, patience)
            return self.results

    def expire(self) -> None:
        """Something has just been done: results of checks that began before are old."""
        with self.changed:
            self.checked_at = -math.inf
            self.expired_at = time.monotonic()

    def _run(self) -> None:
        """Run the checks, and once more where `expire` was called meanwhile."""
        try:
            is_current = False
            while not is_current:
                began_at, results = time.monotonic(), run_checks()
                with self.changed:
                    self.results, is_current = results, began_at >= self.expired_at
                    if is_current:
                        self.checked_at, self.running = began_at, False
                        self.changed.notify_all()
        finally:
            self.running = False


MONITOR = HealthMonitor()

"""How everything is, at a glance: one light for each part, and how to mend what is red.

Looking takes a moment where something is broken, so it happens beside the pages: they show what
was seen last, and let somebody look again when that is old.
"""

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import func, select

from store import bookkeeping, clock, db, gateway, money, refunds, settings
from store.errors import (
    DatabaseUnavailable,
    StoreError,
    StripeKeyRefused,
    StripePermissionMissing,
)
from store.models import StripeEvent, Turn
from store.probe import WriteProbe
from store.traces import CLOCK_SECONDS

OLD_SECONDS = 4.0
FIRST_SECONDS = 1.5
READY_SECONDS = 4.0  # it may wait a moment for a write of its own
PROBE = WriteProbe()
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Light:
    """`good` is None for what is neither; `mend` is one line for whoever sees red."""

    name: str
    good: bool | None
    says: str
    mend: str = ""


def webhooks() -> Light:
    address = settings.current().sidecar_url
    mend = f"Start it: python -m store, or uvicorn webhook_server:app. Looked for at {address}."
    try:
        with LOCAL.open(f"{address}/readyz", timeout=READY_SECONDS) as answer:
            ready, body = True, answer.read()
    except urllib.error.HTTPError as error:
        ready, body = False, error.read()
    except (OSError, http.client.HTTPException):
        return Light("Webhooks", False, "not running", mend)
    try:
        said = json.loads(body)
        wrong = [word for name, word in said.items() if word != "ok" and name != "clock"]
    except (ValueError, AttributeError):
        wrong = []
    if ready and not wrong:
        return Light("Webhooks", True, "ready")
    says = "ready, but look here" if ready else "not ready"
    return Light("Webhooks", False, says, str(wrong[0]) if wrong else mend)


def database() -> Light:
    try:
        kind = {"sqlite": "SQLite"}.get(db.engine().dialect.name, "PostgreSQL")
        current = db.schema_is_current()
    except DatabaseUnavailable:
        return Light("Database", False, "does not answer", "python -m store doctor says why.")
    if not current:
        return Light("Database", False, "schema is not current", "Run: python -m store migrate")
    if trouble := PROBE.trouble():
        return Light("Database", False, "takes no writes", trouble)
    return Light("Database", True, kind)


def stripe() -> list[Light]:
    offline = settings.current().offline
    name = "Emulator" if offline else "Stripe"
    try:
        started = time.monotonic()
        ahead = gateway.clock_offset().total_seconds()
        took = round((time.monotonic() - started) * 1000)
    except StripeKeyRefused:
        mend = "Set STRIPE_SECRET_KEY to a test key from dashboard.stripe.com/test/apikeys."
        return [Light(name, False, "refuses the key", mend), Light("Clock", None, "unknown")]
    except StripePermissionMissing as missing:
        says = "the key lacks a permission"
        return [Light(name, False, says, missing.for_operator), Light("Clock", None, "unknown")]
    except StoreError as error:
        mend = "Start the shop with python -m store." if offline else error.for_operator
        return [Light(name, False, "does not answer", mend), Light("Clock", None, "unknown")]
    off = abs(ahead) > CLOCK_SECONDS
    word = f"{abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}" if abs(ahead) > 2 else "right"
    mend = "Set this machine's clock by NTP: signed webhooks are refused otherwise." if off else ""
    return [Light(name, True, f"answers in {took} ms"), Light("Clock", not off, word, mend)]


def last_event() -> Light:
    try:
        with db.reading() as session:
            at = session.exec(select(func.max(StripeEvent.received_at))).one()
    except DatabaseUnavailable:
        return Light("Last event", None, "unknown")
    return Light("Last event", None, ago(at) if at else "none yet")


def books() -> Light:
    """When Stripe's book was last caught up with, and what their last comparison came to."""
    audited = bookkeeping.KEEPER.audited
    if audited and not audited.agrees:
        return Light("Books", False, str(audited), "Open Books: reconcile, then compare again.")
    try:
        with db.reading() as session:
            turn = session.get(Turn, "reconciler")
    except DatabaseUnavailable:
        return Light("Books", None, "unknown")
    at = turn and turn.done_until
    word = f"reconciled {ago(at)}" if at else "not reconciled yet"
    return Light("Books", bool(at) or None, f"{word}, {audited}" if audited else word)


def owed() -> list[Light]:
    """Red while a refund is stuck; no light where none is."""
    try:
        with db.reading() as session:
            stuck = refunds.overdue(session)
    except DatabaseUnavailable:
        return []
    if not stuck:
        return []
    refund, order = stuck[0]
    word = f"{len(stuck)} stuck, {money.text(refund.amount, order.currency)} since " + ago(
        refund.created_at
    )
    return [Light("Refunds", False, word, "Open Books: it says why, and asks again at once.")]


def ago(at: datetime) -> str:
    seconds = (clock.now() - at).total_seconds()
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {word} ago"
    return f"{max(seconds, 0):.0f} s ago"


class Watch:
    """What was seen last, and one thread at a time that looks again."""

    def __init__(self) -> None:
        self.seen: list[Light] = []
        self.seen_at = -OLD_SECONDS
        self.looking = threading.Lock()
        self.first = threading.Event()

    def lights(self) -> list[Light]:
        """At once, except for whoever asks first, who waits a moment."""
        if time.monotonic() - self.seen_at > OLD_SECONDS and self.looking.acquire(blocking=False):
            threading.Thread(target=self._look, name="health", daemon=True).start()
        self.first.wait(FIRST_SECONDS)
        return self.seen

    def _look(self) -> None:
        try:
            self.seen = [
                Light("Shop", True, "open"),
                webhooks(),
                database(),
                *stripe(),
                last_event(),
                books(),
                *owed(),
            ]
            self.seen_at = time.monotonic()
        finally:
            self.first.set()
            self.looking.release()


WATCH = Watch()

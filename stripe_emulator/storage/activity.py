"""What the dashboard reads: counts, the request log, and the timeline of a payment."""

import json
import sqlite3
from typing import TYPE_CHECKING, Literal, cast

from stripe_emulator.base.models import LoggedRequest, TimelineEntry
from stripe_emulator.storage.transaction import Transaction

if TYPE_CHECKING:
    from stripe_emulator.emulator import Kind

KINDS: tuple["Kind", ...] = (
    *("checkout.session", "payment_intent", "charge", "refund", "dispute", "event"),
    *("product", "price", "webhook_endpoint"),
)


Log = Literal["delivery", "request"]


def counts(tx: Transaction) -> dict["Kind", int]:
    """Return the number of objects of each kind."""
    rows = tx.connection.execute("SELECT kind, count(*) AS n FROM objects GROUP BY kind")
    by_kind = {row["kind"]: row["n"] for row in rows}
    by_kind["event"] = tx.connection.execute("SELECT count(*) FROM events").fetchone()[0]
    return {kind: by_kind.get(kind, 0) for kind in KINDS}


def log_counts(tx: Transaction) -> dict[Log, int]:
    """Return the number of stored deliveries and API requests."""
    (deliveries,) = tx.connection.execute("SELECT count(*) FROM deliveries").fetchone()
    (requests,) = tx.connection.execute("SELECT count(*) FROM requests").fetchone()
    return {"delivery": deliveries, "request": requests}


def requests(tx: Transaction, limit: int) -> list[LoggedRequest]:
    """Return API requests, newest first."""
    rows = tx.connection.execute("SELECT * FROM requests ORDER BY seq DESC LIMIT ?", (limit,))
    return [_request(row) for row in rows]


def _request(row: sqlite3.Row) -> LoggedRequest:
    return LoggedRequest(
        id=row["id"],
        at=row["at"],
        method=row["method"],
        path=row["path"],
        status=row["status"],
        seconds=row["seconds"],
        key=row["key"],
        idempotency_key=row["idempotency_key"],
        replayed=bool(row["replayed"]),
        parameters=row["parameters"],
        response=row["answer"],
        trouble=row["trouble"],
    )


def timeline_of_payment(tx: Transaction, intent_id: str) -> list[TimelineEntry]:
    """Return requests, events and delivery attempts about one payment, oldest first."""
    row = tx.connection.execute(
        "SELECT id FROM objects WHERE payment_intent = ? AND kind = 'checkout.session'",
        (intent_id,),
    ).fetchone()
    session_id = row["id"] if row else ""
    events = tx.connection.execute(
        "SELECT * FROM events WHERE payment_intent = ? OR about IN (?, ?) ORDER BY seq",
        (intent_id, intent_id, session_id),
    ).fetchall()
    entries = [entry for event in events for entry in _event(tx, event)]
    entries += _requests(tx, intent_id, session_id)
    return sorted(entries, key=lambda entry: entry.at)


def _event(tx: Transaction, row: sqlite3.Row) -> list[TimelineEntry]:
    """Return the entry of an event and of each attempt to deliver it."""
    subject = json.loads(row["body"])["data"]["object"]
    status = str(subject.get("status") or "")
    entry = TimelineEntry(row["at"], "event", row["type"], status, row["id"], ok=True)
    rows = tx.connection.execute(
        "SELECT attempts.*, json_extract(objects.body, '$.url') AS url FROM attempts"
        " JOIN deliveries ON deliveries.id = delivery_id"
        " LEFT JOIN objects ON objects.id = endpoint_id WHERE event_id = ? ORDER BY attempts.id",
        (row["id"],),
    )
    return [entry, *(_attempt(attempt, row["type"], row["id"]) for attempt in rows)]


def _attempt(row: sqlite3.Row, event_type: str, event_id: str) -> TimelineEntry:
    outcome = f"{row['status']}" if row["status"] else row["body"]
    detail = f"{outcome} in {row['seconds'] * 1000:.0f} ms from {row['url'] or '(deleted)'}"
    if row["trouble"]:
        detail += f" ({row['trouble']} on purpose)"
    title = f"{event_type} delivered" if row["status"] else f"{event_type} not delivered"
    ok = row["status"] is not None and 200 <= row["status"] < 300
    return TimelineEntry(row["at"], "attempt", title, detail, event_id, ok=ok)


def _requests(tx: Transaction, intent_id: str, session_id: str) -> list[TimelineEntry]:
    """Return the requests that named the payment, its session or one of its charges."""
    rows = tx.connection.execute(
        "SELECT requests.* FROM requests WHERE path LIKE ? OR path LIKE ? OR parameters LIKE ?"
        " OR (method = 'POST' AND path = '/v1/checkout/sessions' AND answer LIKE ?)"
        " OR (method = 'POST' AND path = '/v1/payment_intents' AND answer LIKE ?)",
        (
            f"%{intent_id}%",
            f"%{session_id or '/no session'}%",
            f"%{intent_id}%",
            f"%{session_id or '/no session'}%",
            f"%{intent_id}%",
        ),
    )
    return [
        TimelineEntry(
            at=row["at"],
            kind="request",
            title=f"{row['method']} {row['path']}",
            detail=f"{row['status']}" + (" replayed" if row["replayed"] else ""),
            id=row["id"],
            ok=row["status"] < 400,
        )
        for row in cast("list[sqlite3.Row]", rows.fetchall())
    ]

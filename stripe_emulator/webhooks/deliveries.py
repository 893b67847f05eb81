"""Deliveries as rows: which are due, what one carries, what became of it."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from stripe_emulator import faults
from stripe_emulator.base.config import RETRY_SCHEDULES, Schedule
from stripe_emulator.base.models import Attempt, Delivery, DeliveryState, StripeObject, Trouble
from stripe_emulator.resources import events, webhook_endpoints
from stripe_emulator.storage.transaction import CLI_SESSION, Books, text
from stripe_emulator.webhooks.http_client import Answered

HELD_SECONDS = 10.0
"""How long a reordered delivery waits for a later one before it gives up waiting."""


@dataclass(frozen=True)
class Parcel:
    """All that one attempt needs, read in one go."""

    delivery_id: int
    event_id: str
    endpoint_id: str
    url: str
    payload: bytes
    secrets: list[str]
    tries: int
    trouble: Trouble | None
    by_cli: bool = False
    """Whether it goes through the WebSocket of a Stripe CLI."""


def due(connection: sqlite3.Connection, now: float, most: int) -> list[int]:
    """Deliveries whose time has come, the longest waiting first."""
    rows = connection.execute(
        "SELECT id FROM deliveries WHERE next_attempt_at <= ? ORDER BY next_attempt_at, id LIMIT ?",
        (now, most),
    )
    return [row["id"] for row in rows]


def next_due(connection: sqlite3.Connection) -> float | None:
    """When the next delivery or timer is due."""
    moment: float | None = connection.execute(
        "SELECT min(at) FROM (SELECT min(next_attempt_at) AS at FROM deliveries WHERE"
        " next_attempt_at IS NOT NULL UNION ALL SELECT min(due_at) FROM timers)"
    ).fetchone()[0]
    return moment


def pack(
    books: Books, delivery_id: int, connected: Callable[[str], bool] = lambda _: False
) -> Parcel | None:
    """What to send now; None where nothing is to be sent (any more, or yet).

    `connected` says whether a session of the Stripe CLI can take it at this moment.
    """
    row = books.connection.execute(
        "SELECT deliveries.*, events.body AS event FROM deliveries"
        " JOIN events ON events.id = event_id"
        " WHERE deliveries.id = ? AND next_attempt_at <= ?",
        (delivery_id, books.now),
    ).fetchone()
    if row is None:
        return None
    endpoint = books.find(row["endpoint_id"])
    if endpoint is None or endpoint.get("deleted") or endpoint["status"] != "enabled":
        _end(books, delivery_id, "failed")
        return None
    by_cli = endpoint["object"] == CLI_SESSION
    if by_cli and not connected(endpoint["id"]):
        _end(books, delivery_id, "pending")  # until the CLI is back, or its session ends
        return None
    trouble = None
    if row["trouble"] is None:
        trouble = faults.take(books.connection, "delivery", row["event_type"], row["endpoint_id"])
        if trouble and _postponed(books, row, trouble):
            return None
    return Parcel(
        delivery_id=delivery_id,
        event_id=row["event_id"],
        endpoint_id=endpoint["id"],
        url=endpoint["url"],
        payload=text(
            events.shown(books.connection, row["event"], endpoint["api_version"])
        ).encode(),
        secrets=webhook_endpoints.secrets(books, CLI_SESSION if by_cli else endpoint["id"]),
        tries=row["tries"],
        trouble=trouble,
        by_cli=by_cli,
    )


def _postponed(books: Books, row: sqlite3.Row, trouble: Trouble) -> bool:
    """Carry out the troubles that concern when and how often; True when nothing is sent now."""
    if trouble.kind == "drop":
        _mark(books, row["id"], "drop")
        _end(books, row["id"], "dropped")
        return True
    if trouble.kind in ("delay", "reorder"):
        seconds = float(trouble.value) if trouble.kind == "delay" else HELD_SECONDS
        books.connection.execute(
            "UPDATE deliveries SET trouble = ?, next_attempt_at = ? WHERE id = ?",
            (trouble.kind, books.now + seconds, row["id"]),
        )
        return True
    if trouble.kind == "duplicate":
        _mark(books, row["id"], "duplicate")
        for _ in range(min(int(float(trouble.value)), 1000) - 1):
            copy = books.deliver(row["event_id"], row["event_type"], row["endpoint_id"])
            _mark(books, copy, "duplicate")
    return False


def _mark(books: Books, delivery_id: int, kind: str) -> None:
    books.connection.execute("UPDATE deliveries SET trouble = ? WHERE id = ?", (kind, delivery_id))


def _end(books: Books, delivery_id: int, state: DeliveryState) -> None:
    books.connection.execute(
        "UPDATE deliveries SET state = ?, next_attempt_at = NULL WHERE id = ?", (state, delivery_id)
    )


def record(
    books: Books, parcel: Parcel, answered: Answered, signature: str, schedule: Schedule
) -> None:
    """Keep what an attempt brought, and when the next one is."""
    _attempt(books, parcel, answered, signature)
    gaps = RETRY_SCHEDULES[schedule]
    gap = gaps[parcel.tries] if parcel.tries < len(gaps) else None
    again = None if answered.ok or answered.final or gap is None else books.now + gap
    state = "succeeded" if answered.ok else "pending" if again else "failed"
    books.connection.execute(
        "UPDATE deliveries SET tries = tries + 1, state = ?, next_attempt_at = ? WHERE id = ?",
        (state, again, parcel.delivery_id),
    )
    books.connection.execute(
        "UPDATE deliveries SET next_attempt_at = ? WHERE trouble = 'reorder' AND state = 'pending'"
        " AND tries = 0 AND id < ? AND endpoint_id = ?",
        (books.now, parcel.delivery_id, parcel.endpoint_id),
    )


def _attempt(books: Books, parcel: Parcel, answered: Answered, signature: str) -> None:
    books.connection.execute(
        "INSERT INTO attempts (delivery_id, at, status, body, seconds, signature, trouble)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(parcel.delivery_id, books.now, answered.status, answered.body, answered.seconds),
            *(signature, parcel.trouble.kind if parcel.trouble else None),
        ),
    )


def sent_to_cli(books: Books, parcel: Parcel, signature: str) -> None:
    """Keep an attempt through the Stripe CLI; `answered_by_cli` completes it."""
    _attempt(books, parcel, Answered(None, "Not acknowledged by the Stripe CLI.", 0.0), signature)


def answered_by_cli(books: Books, delivery_id: int, session_id: str, answered: Answered) -> None:
    """Keep what the Stripe CLI reports: that it has the event, and later what it was answered
    where it forwards to. The CLI never tries again, so neither does this."""
    changed = books.connection.execute(
        "UPDATE deliveries SET tries = max(tries, 1), state = ?, next_attempt_at = NULL"
        " WHERE id = ? AND endpoint_id = ?",
        ("succeeded" if answered.ok else "failed", delivery_id, session_id),
    ).rowcount
    if changed:
        books.connection.execute(
            "UPDATE attempts SET status = ?, body = ?, seconds = ?"
            " WHERE id = (SELECT max(id) FROM attempts WHERE delivery_id = ?)",
            (answered.status, answered.body, answered.seconds, delivery_id),
        )


def resend(
    books: Books, event: StripeObject, endpoint_id: str | None, *, cli_only: bool = False
) -> int:
    """Deliver an event once more under its own id; its automatic retries go on as planned."""
    if endpoint_id is not None:
        targets = [books.get(endpoint_id, "webhook_endpoint")["id"]]
    else:
        targets = [
            endpoint["id"]
            for endpoint in books.listeners(event["type"])
            if not cli_only or endpoint["object"] == CLI_SESSION
        ]
    for target in targets:
        books.deliver(event["id"], event["type"], target)
    return len(targets)


def unanswered(connection: sqlite3.Connection, event_ids: list[str], now: float) -> bool:
    """Whether a first attempt of one of these events is still out, or about to leave."""
    marks = ",".join("?" * len(event_ids))
    row = connection.execute(
        f"SELECT 1 FROM deliveries WHERE event_id IN ({marks}) AND tries = 0"  # noqa: S608
        " AND state = 'pending' AND next_attempt_at <= ? LIMIT 1",
        (*event_ids, now),
    ).fetchone()
    return row is not None


def shown(
    books: Books, *, event_id: str | None, state: DeliveryState | None, limit: int
) -> list[Delivery]:
    """Deliveries with their attempts, newest first."""
    rows = books.connection.execute(
        "SELECT deliveries.*, json_extract(objects.body, '$.url') AS url FROM deliveries"
        " LEFT JOIN objects ON objects.id = endpoint_id"
        " WHERE (? IS NULL OR event_id = ?) AND (? IS NULL OR state = ?)"
        " ORDER BY deliveries.id DESC LIMIT ?",
        (event_id, event_id, state, state, limit),
    )
    return [_delivery(books.connection, row) for row in rows.fetchall()]


def _delivery(connection: sqlite3.Connection, row: sqlite3.Row) -> Delivery:
    rows = connection.execute(
        "SELECT * FROM attempts WHERE delivery_id = ? ORDER BY id", (row["id"],)
    )
    attempts = [
        Attempt(
            id=attempt["id"],
            at=attempt["at"],
            status=attempt["status"],
            body=attempt["body"],
            seconds=attempt["seconds"],
            signature=attempt["signature"],
            trouble=attempt["trouble"],
        )
        for attempt in rows
    ]
    return Delivery(
        id=row["id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        endpoint_id=row["endpoint_id"],
        url=row["url"] or "(deleted)",
        state=row["state"],
        created_at=row["created_at"],
        next_attempt_at=row["next_attempt_at"],
        attempts=attempts,
    )

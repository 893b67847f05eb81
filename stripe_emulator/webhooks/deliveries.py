"""Deliveries as rows: which are due, what each sends, and its result."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from stripe_emulator import faults
from stripe_emulator.base.config import RETRY_SCHEDULES, Schedule
from stripe_emulator.base.models import Attempt, Delivery, DeliveryState, Fault, StripeObject
from stripe_emulator.resources import events, webhook_endpoints
from stripe_emulator.storage.transaction import CLI_SESSION, Transaction, to_json
from stripe_emulator.webhooks.http_client import HttpResult

HELD_SECONDS = 10.0
"""How long a reordered delivery waits for a later one."""


@dataclass(frozen=True)
class PreparedDelivery:
    """All that one attempt needs, read at once."""

    delivery_id: int
    event_id: str
    endpoint_id: str
    url: str
    payload: bytes
    secrets: list[str]
    tries: int
    fault: Fault | None
    by_cli: bool = False
    """Whether it is sent over the WebSocket of a Stripe CLI."""


def due(connection: sqlite3.Connection, now: float, most: int) -> list[int]:
    """Return the ids of due deliveries, the longest waiting first."""
    rows = connection.execute(
        "SELECT id FROM deliveries WHERE next_attempt_at <= ? ORDER BY next_attempt_at, id LIMIT ?",
        (now, most),
    )
    return [row["id"] for row in rows]


def next_due(connection: sqlite3.Connection) -> float | None:
    """Return when the next delivery or timer is due."""
    moment: float | None = connection.execute(
        "SELECT min(at) FROM (SELECT min(next_attempt_at) AS at FROM deliveries WHERE"
        " next_attempt_at IS NOT NULL UNION ALL SELECT min(due_at) FROM timers)"
    ).fetchone()[0]
    return moment


def prepare(
    tx: Transaction, delivery_id: int, connected: Callable[[str], bool] = lambda _: False
) -> PreparedDelivery | None:
    """Return what to send now; None if nothing is to be sent (any more, or yet).

    `connected` says whether a session of the Stripe CLI is connected.
    """
    row = tx.connection.execute(
        "SELECT deliveries.*, events.body AS event FROM deliveries"
        " JOIN events ON events.id = event_id"
        " WHERE deliveries.id = ? AND next_attempt_at <= ?",
        (delivery_id, tx.now),
    ).fetchone()
    if row is None:
        return None
    endpoint = tx.find(row["endpoint_id"])
    if endpoint is None or endpoint.get("deleted") or endpoint["status"] != "enabled":
        _end(tx, delivery_id, "failed")
        return None
    by_cli = endpoint["object"] == CLI_SESSION
    if by_cli and not connected(endpoint["id"]):
        _end(tx, delivery_id, "pending")  # until the CLI is back or its session ends
        return None
    fault = None
    if row["trouble"] is None:
        fault = faults.take(tx.connection, "delivery", row["event_type"], row["endpoint_id"])
        if fault and _postponed(tx, row, fault):
            return None
    return PreparedDelivery(
        delivery_id=delivery_id,
        event_id=row["event_id"],
        endpoint_id=endpoint["id"],
        url=endpoint["url"],
        payload=to_json(
            events.render(tx.connection, row["event"], endpoint["api_version"])
        ).encode(),
        secrets=webhook_endpoints.secrets(tx, CLI_SESSION if by_cli else endpoint["id"]),
        tries=row["tries"],
        fault=fault,
        by_cli=by_cli,
    )


def _postponed(tx: Transaction, row: sqlite3.Row, fault: Fault) -> bool:
    """Apply the faults of when and how often; returns True if nothing is sent now."""
    if fault.kind == "drop":
        _mark(tx, row["id"], "drop")
        _end(tx, row["id"], "dropped")
        return True
    if fault.kind in ("delay", "reorder"):
        seconds = float(fault.value) if fault.kind == "delay" else HELD_SECONDS
        tx.connection.execute(
            "UPDATE deliveries SET trouble = ?, next_attempt_at = ? WHERE id = ?",
            (fault.kind, tx.now + seconds, row["id"]),
        )
        return True
    if fault.kind == "duplicate":
        _mark(tx, row["id"], "duplicate")
        for _ in range(min(int(float(fault.value)), 1000) - 1):
            copy = tx.deliver(row["event_id"], row["event_type"], row["endpoint_id"])
            _mark(tx, copy, "duplicate")
    return False


def _mark(tx: Transaction, delivery_id: int, kind: str) -> None:
    tx.connection.execute("UPDATE deliveries SET trouble = ? WHERE id = ?", (kind, delivery_id))


def _end(tx: Transaction, delivery_id: int, state: DeliveryState) -> None:
    tx.connection.execute(
        "UPDATE deliveries SET state = ?, next_attempt_at = NULL WHERE id = ?", (state, delivery_id)
    )


def record(
    tx: Transaction,
    prepared: PreparedDelivery,
    result: HttpResult,
    signature: str,
    schedule: Schedule,
) -> None:
    """Store the result of an attempt and when the next one is due."""
    _attempt(tx, prepared, result, signature)
    gaps = RETRY_SCHEDULES[schedule]
    gap = gaps[prepared.tries] if prepared.tries < len(gaps) else None
    again = None if result.ok or result.final or gap is None else tx.now + gap
    state = "succeeded" if result.ok else "pending" if again else "failed"
    tx.connection.execute(
        "UPDATE deliveries SET tries = tries + 1, state = ?, next_attempt_at = ? WHERE id = ?",
        (state, again, prepared.delivery_id),
    )
    tx.connection.execute(
        "UPDATE deliveries SET next_attempt_at = ? WHERE trouble = 'reorder' AND state = 'pending'"
        " AND tries = 0 AND id < ? AND endpoint_id = ?",
        (tx.now, prepared.delivery_id, prepared.endpoint_id),
    )


def _attempt(
    tx: Transaction, prepared: PreparedDelivery, result: HttpResult, signature: str
) -> None:
    tx.connection.execute(
        "INSERT INTO attempts (delivery_id, at, status, body, seconds, signature, trouble)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            *(prepared.delivery_id, tx.now, result.status, result.body, result.seconds),
            *(signature, prepared.fault.kind if prepared.fault else None),
        ),
    )


def record_cli_attempt(tx: Transaction, prepared: PreparedDelivery, signature: str) -> None:
    """Store an attempt through the Stripe CLI; `record_cli_report` completes it."""
    _attempt(tx, prepared, HttpResult(None, "Not acknowledged by the Stripe CLI.", 0.0), signature)


def record_cli_report(
    tx: Transaction, delivery_id: int, session_id: str, result: HttpResult
) -> None:
    """Store what the Stripe CLI reports: that it received the event, and later the response to the
    forwarded one. The CLI never retries, so neither does this."""
    changed = tx.connection.execute(
        "UPDATE deliveries SET tries = max(tries, 1), state = ?, next_attempt_at = NULL"
        " WHERE id = ? AND endpoint_id = ?",
        ("succeeded" if result.ok else "failed", delivery_id, session_id),
    ).rowcount
    if changed:
        tx.connection.execute(
            "UPDATE attempts SET status = ?, body = ?, seconds = ?"
            " WHERE id = (SELECT max(id) FROM attempts WHERE delivery_id = ?)",
            (result.status, result.body, result.seconds, delivery_id),
        )


def resend(
    tx: Transaction, event: StripeObject, endpoint_id: str | None, *, cli_only: bool = False
) -> int:
    """Deliver an event again under its own id, besides its automatic retries; returns to how many
    endpoints."""
    if endpoint_id is not None:
        targets = [tx.get(endpoint_id, "webhook_endpoint")["id"]]
    else:
        targets = [
            endpoint["id"]
            for endpoint in tx.listeners(event["type"])
            if not cli_only or endpoint["object"] == CLI_SESSION
        ]
    for target in targets:
        tx.deliver(event["id"], event["type"], target)
    return len(targets)


def unanswered(connection: sqlite3.Connection, event_ids: list[str], now: float) -> bool:
    """Return whether the first attempt of one of these events is still pending."""
    marks = ",".join("?" * len(event_ids))
    row = connection.execute(
        f"SELECT 1 FROM deliveries WHERE event_id IN ({marks}) AND tries = 0"  # noqa: S608
        " AND state = 'pending' AND next_attempt_at <= ? LIMIT 1",
        (*event_ids, now),
    ).fetchone()
    return row is not None


def list_deliveries(
    tx: Transaction, *, event_id: str | None, state: DeliveryState | None, limit: int
) -> list[Delivery]:
    """Return deliveries with their attempts, newest first."""
    rows = tx.connection.execute(
        "SELECT deliveries.*, json_extract(objects.body, '$.url') AS url FROM deliveries"
        " LEFT JOIN objects ON objects.id = endpoint_id"
        " WHERE (? IS NULL OR event_id = ?) AND (? IS NULL OR state = ?)"
        " ORDER BY deliveries.id DESC LIMIT ?",
        (event_id, event_id, state, state, limit),
    )
    return [_delivery(tx.connection, row) for row in rows.fetchall()]


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

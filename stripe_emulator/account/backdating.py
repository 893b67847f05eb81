"""Dating payments back: sample data that looks as if it had been created earlier.

Everything about a payment moves by the same time: its objects and the times in them, its events,
deliveries, timers and logged requests. Amounts and states stay. Lists are ordered by row number, so
the rows are renumbered by their new times.
"""

import json
from collections.abc import Mapping
from typing import Any

from stripe_emulator.storage.transaction import Transaction, to_json

TIME_FIELDS = frozenset(
    ("arrival_date", "available_on", "canceled_at", "created", "due_by", "expires_at", "updated")
)


def date_back(tx: Transaction, created: Mapping[str, int]) -> None:
    """Date Checkout Sessions, and all that followed from them, back to the given times.

    A session that is already that old is left alone, so repeating the call changes nothing.

    Raises:
        NotFound: there is no such session.
    """
    for session_id, moment in created.items():
        session = tx.get(session_id, "checkout.session", "session")
        if (seconds := session["created"] - moment) > 0:
            _shift_payment(tx, session, seconds)
    for table, column in (("objects", "created"), ("events", "at")):
        _order_by_time(tx, table, column)


def _shift_payment(tx: Transaction, session: dict[str, Any], seconds: int) -> None:
    intent = session.get("payment_intent")
    related = tx.connection.execute(
        "SELECT id FROM objects WHERE id = ? OR id = ? OR payment_intent = ?",
        (session["id"], intent, intent),
    )
    ids = [row["id"] for row in related]
    condition = " OR ".join(["body LIKE ?"] * len(ids))
    mentions = [f'%"{object_id}"%' for object_id in ids]
    for table in ("objects", "events"):
        rows = tx.connection.execute(
            f"SELECT id, body FROM {table} WHERE {condition}",  # noqa: S608 - placeholders
            mentions,
        ).fetchall()
        for row in rows:
            _shift_row(tx, table, row["id"], json.loads(row["body"]), seconds)
    for object_id in ids:
        tx.connection.execute(
            "UPDATE timers SET due_at = due_at - ? WHERE subject = ?", (seconds, object_id)
        )
        tx.connection.execute(
            "UPDATE requests SET at = at - ? WHERE at > ? AND (path LIKE ? OR parameters LIKE ?"
            " OR answer LIKE ?)",
            (seconds, session["created"] - 1, *[f"%{object_id}%"] * 3),
        )


def _shift_row(
    tx: Transaction, table: str, row_id: str, body: dict[str, Any], seconds: int
) -> None:
    values = (to_json(_shifted(body, seconds)), seconds, row_id)
    tx.connection.execute(
        f"UPDATE {table} SET body = ?, created = created - ? WHERE id = ?",  # noqa: S608
        values,
    )
    if table == "events":
        shift = (seconds, row_id)
        tx.connection.execute("UPDATE events SET at = at - ? WHERE id = ?", shift)
        tx.connection.execute(
            "UPDATE attempts SET at = at - ? WHERE delivery_id IN"
            " (SELECT id FROM deliveries WHERE event_id = ?)",
            shift,
        )
        tx.connection.execute(
            "UPDATE deliveries SET created_at = created_at - ? WHERE event_id = ?", shift
        )


def _shifted(value: Any, seconds: int) -> Any:
    """Return a copy of JSON in which every time is earlier."""
    if isinstance(value, list):
        return [_shifted(item, seconds) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: item - seconds if key in TIME_FIELDS and type(item) is int else _shifted(item, seconds)
        for key, item in value.items()
    }


def _order_by_time(tx: Transaction, table: str, column: str) -> None:
    """Renumber all rows by time; negative numbers in between avoid collisions."""
    ranked = f"SELECT id, row_number() OVER (ORDER BY {column}, seq) AS place FROM {table}"  # noqa: S608
    places = [(-row["place"], row["id"]) for row in tx.connection.execute(ranked)]
    tx.connection.executemany(f"UPDATE {table} SET seq = ? WHERE id = ?", places)  # noqa: S608
    tx.connection.execute(f"UPDATE {table} SET seq = -seq")  # noqa: S608

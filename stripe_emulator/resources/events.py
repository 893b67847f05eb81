"""Retrieving events: one, or a list of the last 30 days."""

import json
import sqlite3
from typing import Any

from stripe_emulator.api import versions
from stripe_emulator.base.errors import InvalidRequest, NotFound
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.storage.transaction import Transaction

KEPT_SECONDS = 30 * 86400
PENDING = "EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = events.id AND d.state != %s)"
UNDELIVERED = PENDING % "'succeeded'"


def render(connection: sqlite3.Connection, body: str, version: str | None = None) -> StripeObject:
    """Return a stored event with its current `pending_webhooks`, in its own or the given version.

    `pending_webhooks` is the number of endpoints that have not yet answered 2xx.
    """
    event: StripeObject = json.loads(body)
    event = versions.event(event, version or event["api_version"])
    event["pending_webhooks"] = connection.execute(
        "SELECT count(DISTINCT endpoint_id) FROM deliveries WHERE event_id = ?"
        " AND state != 'succeeded' AND endpoint_id NOT IN"
        " (SELECT endpoint_id FROM deliveries WHERE event_id = ? AND state = 'succeeded')",
        (event["id"], event["id"]),
    ).fetchone()[0]
    return event


def find(tx: Transaction, event_id: str) -> StripeObject | None:
    """Return one event of the last 30 days; None if there is none."""
    row = tx.connection.execute(
        "SELECT body FROM events WHERE id = ? AND created > ?",
        (event_id, tx.seconds - KEPT_SECONDS),
    ).fetchone()
    return render(tx.connection, row["body"]) if row else None


def get(tx: Transaction, event_id: str) -> StripeObject:
    """Return one event. Raises NotFound."""
    event = find(tx, event_id)
    if event is None:
        raise NotFound.resource("event", event_id)
    return event


def filters(tx: Transaction, params: Parameters) -> tuple[list[str], list[Any]]:
    """Return the conditions of GET /v1/events as SQL and its values."""
    conditions: list[str] = ["created > ?"]
    values: list[Any] = [tx.seconds - KEPT_SECONDS]
    if "type" in params and "types" in params:
        raise InvalidRequest("You may only specify one of these parameters: type, types.")
    if "type" in params:
        conditions.append("type GLOB ?")
        values.append(_pattern(params["type"]))
    if params.get("types"):
        conditions.append(f"type IN ({','.join('?' * len(params['types']))})")
        values += params["types"]
    if "delivery_success" in params:
        conditions.append(f"NOT {UNDELIVERED}" if params["delivery_success"] else UNDELIVERED)
    return conditions, values


def _pattern(event_type: str) -> str:
    """Return a GLOB pattern: `*` is Stripe's only wildcard, GLOB has two more to escape."""
    return event_type.replace("[", "[[]").replace("?", "[?]")

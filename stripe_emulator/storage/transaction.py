"""A transaction on the account: objects, events, deliveries, timers.

A change, the events that announce it and the deliveries of these events commit together (an
outbox), so that a crash leaves all of it or none.
"""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from stripe_emulator.base.config import API_VERSION
from stripe_emulator.base.errors import InvalidRequest, NotFound, StripeError
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject


@dataclass(frozen=True)
class RequestContext:
    """The API request that caused an event. Payments on the hosted page have none."""

    request_id: str | None = None
    idempotency_key: str | None = None
    address: str = ""
    """The address at which the request reached the emulator."""


NO_REQUEST = RequestContext()
CLI_SESSION = "stripecli.session"
"""The kind of the Stripe CLI's sessions; while one is enabled it receives every event."""
END_CLI_SESSION = "end_cli_session"
"""The timer that ends a session of the Stripe CLI."""


class Transaction:
    """One open transaction. Do not use it after it ended."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        now: float,
        request: RequestContext = NO_REQUEST,
        address: str = "",
        *,
        api_version: str = API_VERSION,
    ) -> None:
        self.connection = connection
        self.now = now
        self.request = request
        self.address = address
        self.api_version = api_version
        self.emitted: list[tuple[str, str]] = []
        """(type, id) of the events of this transaction."""
        self.deliveries = 0
        """The number of deliveries it created."""
        self.error: StripeError | None = None
        """The response to the request, if it is an error whose effects are kept: a declined card.
        """

    @property
    def seconds(self) -> int:
        """Return the time as Stripe writes it: whole Unix seconds."""
        return int(self.now)

    # --- objects ---------------------------------------------------------------------------

    def find(self, object_id: str, kind: str | None = None) -> StripeObject | None:
        """Return a stored object, or None if there is none of that kind."""
        row = self.connection.execute(
            "SELECT kind, body FROM objects WHERE id = ?", (object_id,)
        ).fetchone()
        if row is None or (kind and row["kind"] != kind):
            return None
        body: StripeObject = json.loads(row["body"])
        return body

    def get(self, object_id: str, kind: str, param: str = "id") -> StripeObject:
        """Return a stored object. Raises NotFound in Stripe's words, also for a deleted one."""
        stripe_object = self.find(object_id, kind)
        if stripe_object is None or stripe_object.get("deleted"):
            raise NotFound.resource(kind, object_id, param)
        return stripe_object

    def get_referenced(self, object_id: str, kind: str, param: str) -> StripeObject:
        """Return the object that a parameter names. Raises InvalidRequest if there is none."""
        referenced = self.find(object_id, kind)
        if referenced is None or referenced.get("deleted"):
            raise InvalidRequest.unknown(kind, object_id, param)
        return referenced

    def private(self, object_id: str) -> dict[str, Any]:
        """Return the data stored with an object that the API never shows."""
        row = self.connection.execute(
            "SELECT hidden FROM objects WHERE id = ?", (object_id,)
        ).fetchone()
        remembered: dict[str, Any] = json.loads(row["hidden"]) if row else {}
        return remembered

    def add(
        self,
        stripe_object: StripeObject,
        *,
        parent: str | None = None,
        private: dict[str, Any] | None = None,
    ) -> StripeObject:
        """Store a new object; returns it."""
        self.connection.execute(
            "INSERT INTO objects (id, kind, created, status, payment_intent, charge, parent, body,"
            " hidden) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                stripe_object["id"],
                stripe_object["object"],
                stripe_object.get("created", self.seconds),
                *_indexed(stripe_object),
                parent,
                to_json(stripe_object),
                to_json(private) if private else "{}",
            ),
        )
        return stripe_object

    def save(self, stripe_object: StripeObject) -> StripeObject:
        """Store a changed object; returns it."""
        self.connection.execute(
            "UPDATE objects SET status = ?, payment_intent = ?, charge = ?, body = ? WHERE id = ?",
            (*_indexed(stripe_object), to_json(stripe_object), stripe_object["id"]),
        )
        return stripe_object

    def set_private(self, object_id: str, private: dict[str, Any]) -> None:
        """Store data with an object that the API never shows."""
        self.connection.execute(
            "UPDATE objects SET hidden = ? WHERE id = ?", (to_json(private), object_id)
        )

    def related(self, kind: str, **where: str) -> list[StripeObject]:
        """Return objects of one kind by `payment_intent`, `charge` or `parent`, oldest first."""
        ((column, value),) = where.items()
        assert column in ("payment_intent", "charge", "parent")
        rows = self.connection.execute(
            f"SELECT body FROM objects WHERE {column} = ? AND kind = ? ORDER BY seq",  # noqa: S608
            (value, kind),
        )
        return [json.loads(row["body"]) for row in rows]

    # --- events ----------------------------------------------------------------------------

    def emit(
        self, event_type: str, stripe_object: StripeObject, previous: dict[str, Any] | None = None
    ) -> str:
        """Store an event with a snapshot of the object, and its deliveries; returns its id."""
        data: dict[str, Any] = {"object": stripe_object}
        if previous is not None:
            data["previous_attributes"] = previous
        event = {
            "id": new_id("event"),
            "object": "event",
            "api_version": self.api_version,
            "created": self.seconds,
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {
                "id": self.request.request_id,
                "idempotency_key": self.request.idempotency_key,
            },
            "type": event_type,
        }
        subject_id = str(stripe_object.get("id", ""))  # a cash balance has no id
        payment = (
            subject_id
            if stripe_object["object"] == "payment_intent"
            else stripe_object.get("payment_intent")
        )
        self.connection.execute(
            "INSERT INTO events (id, type, created, at, about, payment_intent, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (event["id"], event_type, self.seconds, self.now, subject_id, payment, to_json(event)),
        )
        for endpoint in self.listeners(event_type):
            self.deliver(str(event["id"]), event_type, endpoint["id"])
        self.emitted.append((event_type, str(event["id"])))
        return str(event["id"])

    def update(self, event_type: str, stripe_object: StripeObject, **changes: Any) -> StripeObject:
        """Set fields, store the object, and emit an event with their previous values."""
        previous = _before(stripe_object, changes)
        stripe_object.update(changes)
        self.save(stripe_object)
        self.emit(event_type, stripe_object, previous)
        return stripe_object

    def deliver(self, event_id: str, event_type: str, endpoint_id: str) -> int:
        """Create the delivery of one event to one endpoint; returns its id."""
        added = self.connection.execute(
            "INSERT INTO deliveries (event_id, event_type, endpoint_id, state, created_at,"
            " next_attempt_at) VALUES (?, ?, ?, 'pending', ?, ?)",
            (event_id, event_type, endpoint_id, self.now, self.now),
        )
        self.deliveries += 1
        return int(added.lastrowid or 0)

    def listeners(self, event_type: str) -> list[StripeObject]:
        """Return the endpoints and Stripe CLI sessions that receive events of this type."""
        rows = self.connection.execute(
            "SELECT body FROM objects WHERE kind IN ('webhook_endpoint', ?) AND status = 'enabled'",
            (CLI_SESSION,),
        )
        endpoints = [json.loads(row["body"]) for row in rows]
        return [
            endpoint
            for endpoint in endpoints
            if event_type in endpoint["enabled_events"] or "*" in endpoint["enabled_events"]
        ]

    # --- timers ----------------------------------------------------------------------------

    def schedule(self, seconds: float, act: str, subject: str) -> None:
        """Schedule `scheduler.ACTIONS[act]` for an object."""
        self.connection.execute(
            "INSERT INTO timers (due_at, act, subject) VALUES (?, ?, ?)",
            (self.now + seconds, act, subject),
        )

    def unschedule(self, act: str, subject: str) -> None:
        """Delete a scheduled action."""
        self.connection.execute("DELETE FROM timers WHERE act = ? AND subject = ?", (act, subject))


def _before(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the previous values of the changed keys; of a nested object only its own changed keys,
    of a list the whole.

    A key that did not exist is null (docs.stripe.com/api/events/object).
    """
    before: dict[str, Any] = {}
    for name, new_value in new.items():
        old_value = old.get(name)
        if isinstance(old_value, dict) and isinstance(new_value, dict):
            removed = dict.fromkeys(old_value.keys() - new_value.keys())
            inner = _before(old_value, {**new_value, **removed})
            before |= {name: inner} if inner else {}
        elif old_value != new_value:
            before[name] = old_value
    return before


def to_json(stripe_object: object) -> str:
    """Return compact JSON."""
    return json.dumps(stripe_object, separators=(",", ":"))


def _indexed(stripe_object: StripeObject) -> tuple[Any, Any, Any]:
    return (
        stripe_object.get("status"),
        stripe_object.get("payment_intent"),
        stripe_object.get("charge"),
    )

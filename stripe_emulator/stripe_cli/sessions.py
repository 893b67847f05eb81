"""Sessions of the Stripe CLI: what `stripe listen` and `stripe logs tail` register before they
open their WebSocket.

A session that has connected takes part in every event like a webhook endpoint: each event gets a
delivery row for it. Between two connections its deliveries wait; the session ends when the CLI
stays away, and so do they. The calls are not documented; this follows what version 1.52 of the CLI
sends and expects.
"""

import json
from typing import Any

from stripe_emulator.base.config import API_VERSION
from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import webhook_endpoints
from stripe_emulator.storage.transaction import CLI_SESSION, END_CLI_SESSION, Transaction

PATH = "/stripecli/subscribe"
FEATURES = ("webhooks", "request_logs", "v2_events")
RECONNECT_SECONDS = 60
"""After so long the CLI closes its connection and opens it anew."""
AWAY_SECONDS = 120.0
"""How long a session lives without a connection."""


def create(tx: Transaction, given: Parameters) -> StripeObject:
    """POST /v1/stripecli/sessions"""
    features = given.get("websocket_features") or ["webhooks"]
    unknown = [name for name in features if name not in FEATURES]
    if unknown:
        raise InvalidRequest(
            f"This emulator does not imitate the feature {unknown[0]} of the Stripe CLI.",
            param="websocket_features",
        )
    forward_to = given.get("forward_to_url") or ""
    session = tx.add(
        {
            "id": new_id(CLI_SESSION),
            "object": CLI_SESSION,
            "created": tx.seconds,
            "status": "new",
            "api_version": None,
            "enabled_events": ["*"] if "webhooks" in features else [],
            "features": features,
            "filters": _filters(given.get("filters") or "{}"),
            "forward_to": forward_to,
            "url": f"Stripe CLI, to {forward_to}" if forward_to else "Stripe CLI",
        }
    )
    address = (tx.request.address or tx.address).replace("http", "ws", 1)
    return {
        "default_version": tx.api_version,
        "device_token": "",
        "display_connect_filter_warning": False,
        "latest_version": API_VERSION,
        "reconnect_delay": RECONNECT_SECONDS,
        "secret": secret(tx),
        "websocket_authorized_feature": features[0],
        "websocket_id": session["id"],
        "websocket_url": f"{address}{PATH}",
    }


def secret(tx: Transaction) -> str:
    """What signs everything that goes to the CLI. People copy it into their settings, so it stays
    the same as long as the account exists, also through a reset."""
    known = webhook_endpoints.secrets(tx, CLI_SESSION)
    return known[0] if known else webhook_endpoints.add_secret(tx, CLI_SESSION)


def _filters(text: str) -> dict[str, list[str]]:
    """Filters of `logs tail`: a name and its values each."""
    try:
        filters = json.loads(text)
        fits = isinstance(filters, dict) and all(
            isinstance(values, list) for values in filters.values()
        )
    except ValueError:
        fits = False
    if not fits:
        raise InvalidRequest("Invalid object", param="filters")
    return {str(name): [str(value) for value in values] for name, values in filters.items()}


def connect(tx: Transaction, session_id: str) -> StripeObject | None:
    """A connection is open: what waits becomes due. None for a session that is not (any more)."""
    session = tx.find(session_id, CLI_SESSION)
    if session is None or session["status"] == "ended":
        return None
    tx.unschedule(END_CLI_SESSION, session_id)
    tx.connection.execute(
        "UPDATE deliveries SET next_attempt_at = ? WHERE endpoint_id = ? AND state = 'pending'"
        " AND next_attempt_at IS NULL",
        (tx.now, session_id),
    )
    return tx.save(session | {"status": "enabled"})


def disconnect(tx: Transaction, session_id: str) -> None:
    """The connection is gone; the session waits some time for the next one."""
    if tx.find(session_id, CLI_SESSION):  # a restored account may not know it
        tx.unschedule(END_CLI_SESSION, session_id)
        tx.schedule(AWAY_SECONDS, END_CLI_SESSION, session_id)


def disconnect_all(tx: Transaction) -> None:
    """At the start: whatever was connected when the emulator ended is not any more."""
    rows = tx.connection.execute(
        "SELECT id FROM objects WHERE kind = ? AND status = 'enabled'", (CLI_SESSION,)
    )
    for row in rows.fetchall():
        disconnect(tx, row["id"])


def end(tx: Transaction, session_id: str) -> None:
    """The CLI stayed away: what still waits for it fails."""
    session: dict[str, Any] = tx.get(session_id, CLI_SESSION)
    tx.save(session | {"status": "ended"})
    tx.connection.execute(
        "UPDATE deliveries SET state = 'failed', next_attempt_at = NULL"
        " WHERE endpoint_id = ? AND state = 'pending'",
        (session_id,),
    )

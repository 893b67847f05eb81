"""Sessions of the Stripe CLI, which `stripe listen` and `logs tail` create before their WebSocket.

A connected session receives every event like a webhook endpoint: each event has a delivery row for
it. Between two connections its deliveries wait; if the CLI does not come back, the session ends and
they fail. The calls are undocumented; this follows what version 1.52 of the CLI sends and expects.
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
"""The interval after which the CLI closes its connection and opens a new one."""
AWAY_SECONDS = 120.0
"""How long a session lives without a connection."""


def create(tx: Transaction, params: Parameters) -> StripeObject:
    """Create a CLI session (POST /v1/stripecli/sessions)."""
    features = params.get("websocket_features") or ["webhooks"]
    unknown = [name for name in features if name not in FEATURES]
    if unknown:
        raise InvalidRequest(
            f"This emulator does not imitate the feature {unknown[0]} of the Stripe CLI.",
            param="websocket_features",
        )
    forward_to = params.get("forward_to_url") or ""
    session = tx.add(
        {
            "id": new_id(CLI_SESSION),
            "object": CLI_SESSION,
            "created": tx.seconds,
            "status": "new",
            "api_version": None,
            "enabled_events": ["*"] if "webhooks" in features else [],
            "features": features,
            "filters": _filters(params.get("filters") or "{}"),
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
    """Return the signing secret of all CLI sessions. People copy it into their settings, so it
    stays the same for the life of the account, also after a reset."""
    active = webhook_endpoints.secrets(tx, CLI_SESSION)
    return active[0] if active else webhook_endpoints.add_secret(tx, CLI_SESSION)


def _filters(text: str) -> dict[str, list[str]]:
    """Return the filters of `logs tail`: name → values. Raises InvalidRequest for invalid JSON."""
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
    """Mark a session as connected and its waiting deliveries as due; returns None if it has
    ended."""
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
    """Mark a session as disconnected; it ends unless the CLI comes back in time."""
    if tx.find(session_id, CLI_SESSION):  # a restored account may not have it
        tx.unschedule(END_CLI_SESSION, session_id)
        tx.schedule(AWAY_SECONDS, END_CLI_SESSION, session_id)


def disconnect_all(tx: Transaction) -> None:
    """Disconnect all sessions at the start: none of their connections survived."""
    rows = tx.connection.execute(
        "SELECT id FROM objects WHERE kind = ? AND status = 'enabled'", (CLI_SESSION,)
    )
    for row in rows.fetchall():
        disconnect(tx, row["id"])


def end(tx: Transaction, session_id: str) -> None:
    """End a session whose CLI did not come back, and fail its waiting deliveries."""
    session: dict[str, Any] = tx.get(session_id, CLI_SESSION)
    tx.save(session | {"status": "ended"})
    tx.connection.execute(
        "UPDATE deliveries SET state = 'failed', next_attempt_at = NULL"
        " WHERE endpoint_id = ? AND state = 'pending'",
        (session_id,),
    )

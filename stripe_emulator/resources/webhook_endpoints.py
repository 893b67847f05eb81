"""Webhook endpoints and their signing secrets."""

from typing import Any
from urllib.parse import urlsplit

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.ids import new_id, token
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.storage.transaction import Transaction

MOST = 16
ROLL_SECONDS = 86400
"""The maximum time for which a replaced secret also signs."""
FROM_COMMAND_LINE = {"from": "command line"}


def create(tx: Transaction, params: Parameters) -> StripeObject:
    """Create an endpoint (POST /v1/webhook_endpoints). Only this response shows the secret."""
    _check_url(params["url"])
    count = tx.connection.execute(
        "SELECT count(*) FROM objects WHERE kind = 'webhook_endpoint' AND status = 'enabled'"
    ).fetchone()[0]
    if count >= MOST:
        raise InvalidRequest(f"You have reached the maximum of {MOST} webhook endpoints.")
    endpoint = tx.add(_blank(tx, params))
    return endpoint | {"secret": add_secret(tx, endpoint["id"])}


def new_secret() -> str:
    """Return a new signing secret in Stripe's form."""
    return f"whsec_{token(32)}"


def _blank(tx: Transaction, params: Parameters) -> StripeObject:
    if not params["enabled_events"]:
        raise InvalidRequest("Invalid array", param="enabled_events")
    return {
        "id": new_id("webhook_endpoint"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": tx.seconds,
        "description": params.get("description") or None,
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": merge_metadata(params.get("metadata")),
        "status": "enabled",
        "url": params["url"],
    }


def _check_url(url: str) -> None:
    """Raise InvalidRequest unless the URL is http or https. One that may not be called is accepted:
    its deliveries are recorded as not sent."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise InvalidRequest("Invalid URL: must be a valid URL", code="url_invalid", param="url")


def update(tx: Transaction, endpoint: StripeObject, params: Parameters) -> StripeObject:
    """Update an endpoint (POST /v1/webhook_endpoints/{id})."""
    if "url" in params:
        _check_url(params["url"])
        endpoint["url"] = params["url"]
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    if params.get("enabled_events"):
        endpoint["enabled_events"] = params["enabled_events"]
    if "description" in params:
        endpoint["description"] = params["description"] or None
    if "metadata" in params:
        endpoint["metadata"] = merge_metadata(params["metadata"], endpoint["metadata"])
    return tx.save(endpoint)


def delete(tx: Transaction, endpoint: StripeObject) -> StripeObject:
    """Delete an endpoint and its pending deliveries (DELETE /v1/webhook_endpoints/{id})."""
    deleted = {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}
    tx.connection.execute("DELETE FROM secrets WHERE endpoint_id = ?", (endpoint["id"],))
    return tx.save(deleted)


def add_secret(tx: Transaction, endpoint_id: str, secret: str = "") -> str:
    """Add a signing secret to an endpoint, a new one if none is given; returns it."""
    secret = secret or new_secret()
    tx.connection.execute(
        "INSERT OR REPLACE INTO secrets (endpoint_id, secret, expires_at) VALUES (?, ?, NULL)",
        (endpoint_id, secret),
    )
    return secret


def secrets(tx: Transaction, endpoint_id: str) -> list[str]:
    """Return the active secrets, newest first; there are two while one is being replaced."""
    rows = tx.connection.execute(
        "SELECT secret FROM secrets WHERE endpoint_id = ? AND"
        " (expires_at IS NULL OR expires_at > ?) ORDER BY expires_at IS NULL DESC",
        (endpoint_id, tx.now),
    )
    return [row["secret"] for row in rows]


def roll_secret(tx: Transaction, endpoint_id: str, seconds: float, secret: str = "") -> str:
    """Add a secret; the old one also signs for `seconds`. Returns the new one."""
    tx.get(endpoint_id, "webhook_endpoint")
    tx.connection.execute(
        "UPDATE secrets SET expires_at = ? WHERE endpoint_id = ? AND expires_at IS NULL",
        (tx.now + min(seconds, ROLL_SECONDS), endpoint_id),
    )
    return add_secret(tx, endpoint_id, secret)


def set_command_line_endpoint(tx: Transaction, url: str, secret: str) -> StripeObject:
    """Create or update the one endpoint that was given at the start."""
    _check_url(url)
    params: dict[str, Any] = {"url": url, "enabled_events": ["*"], "description": "Command line"}
    endpoint_id = _of_command_line(tx)
    if endpoint_id is None:
        endpoint = tx.add(_blank(tx, params), private=FROM_COMMAND_LINE)
    else:
        endpoint = update(tx, tx.get(endpoint_id, "webhook_endpoint"), params)
    tx.connection.execute("DELETE FROM secrets WHERE endpoint_id = ?", (endpoint["id"],))
    add_secret(tx, endpoint["id"], secret)
    return endpoint


def _of_command_line(tx: Transaction) -> str | None:
    row = tx.connection.execute(
        "SELECT id FROM objects WHERE kind = 'webhook_endpoint'"
        " AND json_extract(hidden, '$.from') = ? AND status IS NOT NULL",
        (FROM_COMMAND_LINE["from"],),
    ).fetchone()
    return str(row["id"]) if row else None

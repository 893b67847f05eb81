"""The frames of the Stripe CLI's WebSocket: events and request log entries."""

import json
from typing import Any

from stripe_emulator.base.models import LoggedRequest
from stripe_emulator.webhooks.http_client import HEADERS

Frame = dict[str, Any]
PREFIX = "wc_"


def event(delivery_id: int, payload: bytes, signature: str) -> Frame:
    """Return the frame of an event, with the headers the CLI forwards; version null is the
    account's."""
    return {
        "type": "webhook_event",
        "webhook_id": "wh_emulator",
        "webhook_conversation_id": f"{PREFIX}{delivery_id}",
        "endpoint": {"api_version": None},
        "event_payload": payload.decode(),
        "http_headers": {**HEADERS, "Stripe-Signature": signature},
    }


def delivery_of(frame: Frame) -> int | None:
    """Return the id of the delivery that a frame of the CLI is about; None if there is none."""
    conversation = str(frame.get("webhook_conversation_id", ""))
    number = conversation.removeprefix(PREFIX)
    passes_filters = conversation.startswith(PREFIX) and number.isascii() and number.isdigit()
    return int(number) if passes_filters and len(number) < 18 else None


def request_log(logged: LoggedRequest) -> Frame:
    """Return the frame of one API request for `stripe logs tail`."""
    payload = {
        "created_at": int(logged.at),
        "error": _error(logged),
        "livemode": False,
        "method": logged.method,
        "request_id": logged.id,
        "status": logged.status,
        "url": logged.path,
    }
    return {
        "type": "request_log_event",
        "request_log_id": f"resp_{logged.id.removeprefix('req_')}",
        "event_payload": json.dumps(payload),
    }


def _error(logged: LoggedRequest) -> dict[str, str]:
    """Return the error of a response; the CLI needs every field as a string."""
    error: dict[str, Any] = {}
    if logged.status >= 400:
        try:
            error = json.loads(logged.response)["error"]
        except (ValueError, KeyError, TypeError):
            error = {}
    names = ("charge", "code", "decline_code", "message", "param", "type")
    return {name: str(error.get(name) or "") for name in names}


def passes_filters(logged: LoggedRequest, filters: dict[str, list[str]]) -> bool:
    """Return whether a request passes all filters of a `logs tail`."""
    succeeded = "SUCCEEDED" if logged.status < 400 else "FAILED"
    facts = {
        "filter_account": "self",
        "filter_http_method": logged.method,
        "filter_ip_address": "127.0.0.1",
        "filter_request_path": logged.path,
        "filter_request_status": succeeded,
        "filter_source": "API",
        "filter_status_code": str(logged.status),
        "filter_status_code_type": str(logged.status // 100 * 100),
    }
    return all(
        facts.get(name, "").upper() in [value.upper() for value in values]
        for name, values in filters.items()
        if values
    )

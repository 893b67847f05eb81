"""Deliveries changed by a fault: forged, altered or wrongly signed."""

import json
from collections.abc import Sequence
from typing import Any

from stripe_emulator.base.ids import new_id
from stripe_emulator.base.signing import signature_header
from stripe_emulator.webhooks.deliveries import PreparedDelivery

AMOUNTS = ("amount", "amount_total", "amount_subtotal", "amount_received", "amount_captured")


def body_and_signature(prepared: PreparedDelivery, now: int) -> tuple[bytes, str]:
    """Return the body and the signature header of an attempt, changed as its fault says."""
    kind = prepared.fault.kind if prepared.fault else ""
    value = prepared.fault.value if prepared.fault else ""
    payload, secrets, timestamp = prepared.payload, prepared.secrets, now
    if kind == "wrong_secret":
        secrets = ["whsec_of_somebody_else"]
    if kind == "old_timestamp":
        timestamp = now - int(float(value))
    if kind in ("livemode", "amount", "currency"):
        payload = _altered(payload, kind, value)
    signature = signature_header(payload, secrets, timestamp)
    if kind == "tamper":
        payload = _altered(payload, "amount", "1")
        payload = payload if payload != prepared.payload else payload + b" "
    return payload, signature


def forge_event(prepared: PreparedDelivery, now: int) -> tuple[bytes, str]:
    """Return an event that never happened, about the same object, signed with a wrong secret."""
    event = json.loads(prepared.payload)
    event["id"] = new_id("event")
    payload = json.dumps(event).encode()
    return payload, signature_header(payload, ["whsec_forged"], now)


def _altered(payload: bytes, kind: str, value: str) -> bytes:
    """Return the same event with another amount, currency or mode."""
    event = json.loads(payload)
    stripe_object = event["data"]["object"]
    if kind == "livemode":
        event["livemode"] = True
        _set(stripe_object, ("livemode",), True)
    if kind == "currency":
        _set(stripe_object, ("currency",), value)
    if kind == "amount":
        for name in AMOUNTS:
            if isinstance(stripe_object.get(name), int):
                stripe_object[name] = int(float(value)) if value else stripe_object[name] + 1
    return json.dumps(event, separators=(",", ":")).encode()


def _set(stripe_object: dict[str, Any], names: Sequence[str], value: object) -> None:
    for name in names:
        if name in stripe_object:
            stripe_object[name] = value

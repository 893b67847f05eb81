"""Checkout Sessions in payment mode: create, update, expire."""

from typing import Any

from stripe_emulator.base import currencies
from stripe_emulator.base.errors import InvalidRequest, Refused
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import (
    checkout_session_object,
    checkout_session_rules,
    intents,
    line_items,
    session_totals,
    shipping_rates,
)
from stripe_emulator.resources.checkout_session_rules import PLACEHOLDER
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.storage.transaction import Transaction

MINUTE, DAY = 60, 86400
REMEMBERED = ("customer_update", "payment_intent_data", "payment_method_data")
"""Parameters that a Session does not show; they apply to objects created by its payment."""


def create(tx: Transaction, params: Parameters) -> StripeObject:
    """Create a Checkout Session (POST /v1/checkout/sessions)."""
    checkout_session_rules.check(params)
    lines = line_items.priced(tx, params.get("line_items", []), params.get("currency"))
    line_items.check_optional(tx, params.get("optional_items", []), lines[0].currency)
    total = sum(line.amount for line in lines)
    adjusted = params.get("discounts") or params.get("shipping_options")
    if not adjusted:
        currencies.check_total(total, lines[0].currency)
    methods = intents.offered_methods(params, lines[0].currency)
    session = checkout_session_object.new(new_id("checkout.session"), tx.seconds, params, methods)
    session |= {
        "amount_subtotal": total,
        "amount_total": total,
        "currency": lines[0].currency,
        "expires_at": _expires_at(params, tx.seconds),
        "url": f"{tx.address}/c/pay/{session['id']}",
    }
    if "customer" in params:
        customer = tx.get_referenced(params["customer"], "customer", "customer")
        session |= {
            "customer": customer["id"],
            "customer_creation": None,
            "customer_details": checkout_session_object.prefilled(customer["email"]),
        }
    tx.add(session, private={name: params.get(name, {}) for name in REMEMBERED})
    for line in lines:
        line_items.store(tx, line, session["id"])
    if adjusted:
        _adjust(tx, session, params)
    tx.schedule(session["expires_at"] - tx.now, "expire_session", session["id"])
    return session


def _adjust(tx: Transaction, session: StripeObject, params: Parameters) -> None:
    """Apply the discount and preselect the first shipping option."""
    for discount in params.get("discounts", []):
        session_totals.apply(tx, session, discount, "discounts[0]")
    options = shipping_rates.offered(tx, params.get("shipping_options", []), session["currency"])
    session["shipping_options"] = options
    if options:
        session_totals.choose_shipping(session, options[0]["shipping_rate"])
    session_totals.recompute(tx, session)


def _expires_at(params: Parameters, now: int) -> int:
    """Return the expiry, 30 minutes to 24 hours from now; 24 hours by default."""
    moment: int = params.get("expires_at", now + DAY)
    if moment < now + 30 * MINUTE:
        raise InvalidRequest(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session "
            "creation.",
            param="expires_at",
        )
    if moment > now + DAY:
        raise InvalidRequest(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    return moment


def update(tx: Transaction, session: StripeObject, params: Parameters) -> StripeObject:
    """Update the metadata (POST /v1/checkout/sessions/{id}). It sends no event."""
    if "metadata" in params:
        session["metadata"] = merge_metadata(params["metadata"], session["metadata"])
    return tx.save(session)


def expire(tx: Transaction, session: StripeObject) -> StripeObject:
    """Expire an open session (POST /v1/checkout/sessions/{id}/expire). Raises Refused for any
    other."""
    if session["status"] != "open":
        raise Refused(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of `{session['status']}`."
        )
    session |= {"status": "expired", "url": None}
    tx.save(session)
    tx.unschedule("expire_session", session["id"])
    tx.emit("checkout.session.expired", session)
    return session


def expire_in_time(tx: Transaction, session_id: str) -> None:
    """Expire a session whose time is over; one that is no longer open stays as it is."""
    session = tx.get(session_id, "checkout.session")
    if session["status"] == "open":
        expire(tx, session)


def success_url(session: StripeObject) -> str | None:
    """Return where the buyer goes after paying. The placeholder is replaced as literal text
    only."""
    url: Any = session["success_url"]
    return str(url).replace(PLACEHOLDER, session["id"]) if url else None

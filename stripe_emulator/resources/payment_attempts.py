"""One attempt to pay a PaymentIntent: charging, declining or challenging a card, debiting a bank.

Checkout Sessions and PaymentIntents created over the API share all of it.
"""

from typing import Any

from stripe_emulator.base.errors import Refused
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.test_cards import DeclineReason, TestCard
from stripe_emulator.resources import (
    balance,
    charges,
    disputes,
    payment_intent_object,
    payment_methods,
)
from stripe_emulator.resources.payment_method_object import PaymentDetails
from stripe_emulator.storage.transaction import Transaction, to_json

SETTLE_SECONDS = 300.0
"""The time until a bank debit settles; at Stripe it is days."""
AUTHORIZED_SECONDS = 7 * 86400
"""How long a card stays authorized (docs.stripe.com/payments/place-a-hold-…)."""


def charge_card(
    tx: Transaction,
    intent: StripeObject,
    payment_details: PaymentDetails,
    card: TestCard,
    *,
    authenticated: bool = False,
) -> StripeObject:
    """Charge a card, or only authorize it where `capture_method` is manual; returns the Charge."""
    charge = charges.new_charge(
        tx, intent, payment_details, status="succeeded", authenticated=authenticated
    )
    tx.set_private(charge["id"], {"aftermath": card.aftermath})
    tx.emit("charge.succeeded", charge)
    if not charge["captured"]:
        _authorized(tx, intent, charge)
    else:
        mark_succeeded(tx, intent, charge)
        schedule_effects(tx, charge)
    return charge


def _authorized(tx: Transaction, intent: StripeObject, charge: StripeObject) -> None:
    """Wait for the capture of an authorized charge, within seven days."""
    intent |= _paid_with(charge) | {
        "amount_capturable": charge["amount"],
        "status": "requires_capture",
    }
    tx.save(intent)
    tx.schedule(AUTHORIZED_SECONDS, "expire_authorization", intent["id"])
    tx.emit("payment_intent.amount_capturable_updated", intent)


def mark_succeeded(tx: Transaction, intent: StripeObject, charge: StripeObject) -> None:
    """Mark the intent as succeeded, with the amount that was captured."""
    intent |= _paid_with(charge) | {
        "amount_capturable": 0,
        "amount_received": charge["amount_captured"],
        "status": "succeeded",
    }
    tx.save(intent)
    tx.emit("payment_intent.succeeded", intent)


def _paid_with(charge: StripeObject) -> dict[str, Any]:
    return {
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "next_action": None,
        "processing": None,
    }


def use_method(tx: Transaction, intent: StripeObject, method: StripeObject) -> None:
    """Save the payment method for the intent's customer if asked for; mark it as used if it has
    none."""
    if intent["customer"] and intent["setup_future_usage"] and not method["customer"]:
        payment_methods.save_for(tx, method, intent["customer"])
    elif not method["customer"]:
        payment_methods.mark_used(tx, method)


def schedule_effects(tx: Transaction, charge: StripeObject) -> None:
    """Schedule what follows a captured charge: its balance transaction and its test card's
    effects."""
    tx.schedule(charges.CAPTURE_SECONDS, "settle_balance", charge["id"])
    aftermath = tx.private(charge["id"]).get("aftermath")
    # At once for API requests, because `stripe trigger charge.dispute.*` lists the dispute next.
    seconds = 0.0 if tx.request.request_id else disputes.OPEN_SECONDS
    if aftermath in disputes.AFTERMATHS:
        tx.schedule(seconds, "open_dispute", charge["id"])
    if aftermath == "fraud_warning":
        tx.schedule(seconds, "warn_of_fraud", charge["id"])


def decline_card(
    tx: Transaction,
    intent: StripeObject,
    payment_details: PaymentDetails,
    method: StripeObject,
    reason: DeclineReason,
) -> StripeObject:
    """Store a failed charge and return the intent to `requires_payment_method`; returns the
    Charge."""
    charge = charges.new_charge(
        tx,
        intent | {"payment_method": method["id"]},
        payment_details,
        status="failed",
        decline=reason,
    )
    tx.emit("charge.failed", charge)
    payment_intent_object.decline(tx, intent, method, reason, charge)
    return charge


def new_challenge(tx: Transaction, subject_id: str, payment_details: PaymentDetails) -> str:
    """Store a 3-D Secure challenge of a session or intent, which replaces an older one; returns its
    id."""
    challenge_id = new_id("challenge")
    tx.connection.execute("DELETE FROM challenges WHERE session_id = ?", (subject_id,))
    tx.connection.execute(
        "INSERT INTO challenges (id, session_id, card, answered) VALUES (?, ?, ?, 0)",
        (challenge_id, subject_id, to_json(payment_details.as_json())),
    )
    return challenge_id


def redirect_to(tx: Transaction, challenge_id: str, return_url: str | None) -> dict[str, Any]:
    """Return the `next_action` that redirects to the bank's page."""
    url = f"{tx.address}/c/challenge/{challenge_id}"
    return {
        "redirect_to_url": {"return_url": return_url, "url": url},
        "type": "redirect_to_url",
    }


def require_action(tx: Transaction, intent: StripeObject, next_action: dict[str, Any]) -> None:
    """Let the intent wait for the buyer's action."""
    intent |= {
        "last_payment_error": None,
        "next_action": next_action,
        "status": "requires_action",
    }
    tx.save(intent)
    tx.emit("payment_intent.requires_action", intent)


def debit_bank(
    tx: Transaction,
    intent: StripeObject,
    payment_details: PaymentDetails,
    *,
    succeeds: bool,
    session_id: str | None = None,
) -> None:
    """Start a bank debit: the intent is `processing` until the bank decides."""
    charge = charges.new_charge(tx, intent, payment_details, status="pending")
    tx.emit("charge.pending", charge)
    intent |= {
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "next_action": None,
        "status": "processing",
    }
    tx.save(intent)
    if session_id:
        tx.set_private(intent["id"], {"session": session_id})
    tx.emit("payment_intent.processing", intent)
    tx.schedule(SETTLE_SECONDS, "debit_succeeds" if succeeds else "debit_fails", intent["id"])


def settle_debit(tx: Transaction, intent_id: str, *, succeeded: bool) -> StripeObject:
    """End a bank debit as the bank decided. Raises Refused if the intent is not `processing`."""
    intent = tx.get(intent_id, "payment_intent", "intent")
    if intent["status"] != "processing":
        raise Refused(
            f"This PaymentIntent cannot be settled: it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
    for act in ("debit_succeeds", "debit_fails"):
        tx.unschedule(act, intent_id)
    charge = tx.get(intent["latest_charge"], "charge")
    if succeeded:
        _debit_succeeds(tx, intent, charge)
    else:
        _debit_fails(tx, intent, charge)
    session_id = tx.private(intent_id).get("session")
    if session_id:
        _settle_session(tx, session_id, succeeded=succeeded)
    return intent


def _debit_succeeds(tx: Transaction, intent: StripeObject, charge: StripeObject) -> None:
    transaction = balance.record(tx, "payment", charge, charge["amount"])
    charge |= {
        "balance_transaction": transaction["id"],
        "paid": True,
        "receipt_url": charges.receipt_url(tx, charge["id"]),
        "status": "succeeded",
    }
    tx.save(charge)
    tx.emit("charge.succeeded", charge)
    mark_succeeded(tx, intent, charge)


def _debit_fails(tx: Transaction, intent: StripeObject, charge: StripeObject) -> None:
    reason = payment_intent_object.DEBIT_FAILED
    charge |= {
        "amount_captured": 0,
        "captured": False,
        "failure_code": reason.decline_code,
        "failure_message": reason.message,
        "outcome": charges.outcome(reason),
        "status": "failed",
    }
    tx.save(charge)
    tx.emit("charge.failed", charge)
    method = tx.get(intent["payment_method"], "payment_method")
    payment_intent_object.decline(tx, intent, method, reason, charge)


def _settle_session(tx: Transaction, session_id: str, *, succeeded: bool) -> None:
    session = tx.get(session_id, "checkout.session")
    if succeeded:
        session["payment_status"] = "paid"
        tx.save(session)
        tx.emit("checkout.session.async_payment_succeeded", session)
    else:
        tx.emit("checkout.session.async_payment_failed", session)

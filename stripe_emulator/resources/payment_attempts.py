"""One attempt to pay a PaymentIntent: a card is charged, declined or challenged, a bank debited.

Checkout Sessions and PaymentIntents that were created directly share all of it.
"""

from typing import Any

from stripe_emulator.base.errors import Refused
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.test_cards import TestCard
from stripe_emulator.resources import (
    balance,
    charges,
    disputes,
    payment_intents,
    saved_payment_methods,
)
from stripe_emulator.resources.payment_methods import Means
from stripe_emulator.storage.transaction import Books, text

SETTLE_SECONDS = 300.0
"""After how long a bank debit settles by itself; at Stripe it is days."""
AUTHORIZED_SECONDS = 7 * 86400
"""For how long a card stays authorized (docs.stripe.com/payments/place-a-hold-…)."""


def charge_card(
    books: Books,
    intent: StripeObject,
    means: Means,
    card: TestCard,
    *,
    authenticated: bool = False,
) -> StripeObject:
    """Charge a card, or only authorize it where `capture_method` is manual; returns the Charge."""
    charge = charges.new_charge(
        books, intent, means, status="succeeded", authenticated=authenticated
    )
    books.remember(charge["id"], {"aftermath": card.aftermath})
    books.emit("charge.succeeded", charge)
    if not charge["captured"]:
        _authorized(books, intent, charge)
    else:
        received(books, intent, charge)
        schedule_effects(books, charge)
    return charge


def _authorized(books: Books, intent: StripeObject, charge: StripeObject) -> None:
    """The money is reserved; it is taken by a capture within seven days."""
    intent |= _paid_with(charge) | {
        "amount_capturable": charge["amount"],
        "status": "requires_capture",
    }
    books.save(intent)
    books.later(AUTHORIZED_SECONDS, "expire_authorization", intent["id"])
    books.emit("payment_intent.amount_capturable_updated", intent)


def received(books: Books, intent: StripeObject, charge: StripeObject) -> None:
    """The money is there: the intent has succeeded."""
    intent |= _paid_with(charge) | {
        "amount_capturable": 0,
        "amount_received": charge["amount_captured"],
        "status": "succeeded",
    }
    books.save(intent)
    books.emit("payment_intent.succeeded", intent)


def _paid_with(charge: StripeObject) -> dict[str, Any]:
    return {
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "next_action": None,
        "processing": None,
    }


def use_method(books: Books, intent: StripeObject, method: StripeObject) -> None:
    """A method pays once, unless it is a customer's, or becomes one's by this payment."""
    if intent["customer"] and intent["setup_future_usage"] and not method["customer"]:
        saved_payment_methods.save_for(books, method, intent["customer"])
    elif not method["customer"]:
        saved_payment_methods.mark_used(books, method)


def schedule_effects(books: Books, charge: StripeObject) -> None:
    """What follows a captured charge: its balance transaction, and what its test card is for."""
    books.later(charges.CAPTURE_SECONDS, "settle_balance", charge["id"])
    aftermath = books.hidden(charge["id"]).get("aftermath")
    # `stripe trigger charge.dispute.*` lists the dispute in its next request.
    seconds = 0.0 if books.cause.request_id else disputes.OPEN_SECONDS
    if aftermath in disputes.AFTERMATHS:
        books.later(seconds, "open_dispute", charge["id"])
    if aftermath == "fraud_warning":
        books.later(seconds, "warn_of_fraud", charge["id"])


def decline_card(
    books: Books, intent: StripeObject, means: Means, method: StripeObject, card: TestCard
) -> StripeObject:
    """A failed charge, and the intent that can be tried again; returns the Charge."""
    charge = charges.new_charge(
        books, intent | {"payment_method": method["id"]}, means, status="failed", card=card
    )
    books.emit("charge.failed", charge)
    payment_intents.decline(books, intent, method, card, charge)
    return charge


def new_challenge(books: Books, subject_id: str, means: Means) -> str:
    """A 3-D Secure question about a session or an intent; an older one cannot be answered."""
    challenge_id = new_id("challenge")
    books.connection.execute("DELETE FROM challenges WHERE session_id = ?", (subject_id,))
    books.connection.execute(
        "INSERT INTO challenges (id, session_id, card, answered) VALUES (?, ?, ?, 0)",
        (challenge_id, subject_id, text(means.kept())),
    )
    return challenge_id


def redirect_to(books: Books, challenge_id: str, return_url: str | None) -> dict[str, Any]:
    """The `next_action` that leads to the bank's page."""
    url = f"{books.address}/c/challenge/{challenge_id}"
    return {
        "redirect_to_url": {"return_url": return_url, "url": url},
        "type": "redirect_to_url",
    }


def require_action(books: Books, intent: StripeObject, next_action: dict[str, Any]) -> None:
    """The intent waits until the buyer has answered their bank."""
    intent |= {
        "last_payment_error": None,
        "next_action": next_action,
        "status": "requires_action",
    }
    books.save(intent)
    books.emit("payment_intent.requires_action", intent)


def debit_bank(
    books: Books,
    intent: StripeObject,
    means: Means,
    *,
    succeeds: bool,
    session_id: str | None = None,
) -> None:
    """A bank debit: the intent is processing until the bank answers."""
    charge = charges.new_charge(books, intent, means, status="pending")
    books.emit("charge.pending", charge)
    intent |= {
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "next_action": None,
        "status": "processing",
    }
    books.save(intent)
    if session_id:
        books.remember(intent["id"], {"session": session_id})
    books.emit("payment_intent.processing", intent)
    books.later(SETTLE_SECONDS, "debit_succeeds" if succeeds else "debit_fails", intent["id"])


def settle_debit(books: Books, intent_id: str, *, succeeded: bool) -> StripeObject:
    """The bank's answer to a debit. Raises Refused where none is awaited."""
    intent = books.get(intent_id, "payment_intent", "intent")
    if intent["status"] != "processing":
        raise Refused(
            f"This PaymentIntent cannot be settled: it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
    for act in ("debit_succeeds", "debit_fails"):
        books.never(act, intent_id)
    charge = books.get(intent["latest_charge"], "charge")
    if succeeded:
        _debit_succeeds(books, intent, charge)
    else:
        _debit_fails(books, intent, charge)
    session_id = books.hidden(intent_id).get("session")
    if session_id:
        _settle_session(books, session_id, succeeded=succeeded)
    return intent


def _debit_succeeds(books: Books, intent: StripeObject, charge: StripeObject) -> None:
    transaction = balance.record(books, "payment", charge, charge["amount"])
    charge |= {
        "balance_transaction": transaction["id"],
        "paid": True,
        "receipt_url": charges.receipt_url(books, charge["id"]),
        "status": "succeeded",
    }
    books.save(charge)
    books.emit("charge.succeeded", charge)
    received(books, intent, charge)


def _debit_fails(books: Books, intent: StripeObject, charge: StripeObject) -> None:
    failure = payment_intents.DEBIT_FAILED
    charge |= {
        "amount_captured": 0,
        "captured": False,
        "failure_code": failure.decline_code,
        "failure_message": failure.message,
        "outcome": charges.outcome(failure),
        "status": "failed",
    }
    books.save(charge)
    books.emit("charge.failed", charge)
    method = books.get(intent["payment_method"], "payment_method")
    payment_intents.decline(books, intent, method, failure, charge)


def _settle_session(books: Books, session_id: str, *, succeeded: bool) -> None:
    session = books.get(session_id, "checkout.session")
    if succeeded:
        session["payment_status"] = "paid"
        books.save(session)
        books.emit("checkout.session.async_payment_succeeded", session)
    else:
        books.emit("checkout.session.async_payment_failed", session)

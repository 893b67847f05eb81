"""Paying a session: success, decline, a 3-D Secure question, a debit that settles later.

Nobody asked for these over the API, so their events have no request id
(docs.stripe.com/api/events/object: null when automatic).
"""

import json
from typing import Literal

from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import Challenge, PaymentResult, StripeObject
from stripe_emulator.base.test_cards import BY_LAST4, TestCard
from stripe_emulator.checkout import collected_fields
from stripe_emulator.resources import (
    charges,
    checkout_session_object,
    checkout_sessions,
    customers,
    disputes,
    payment_intents,
)
from stripe_emulator.resources.payment_methods import Means, new_method
from stripe_emulator.storage.transaction import Books, text

NETWORKS = {
    "amex": "american_express",
    **dict.fromkeys(("diners", "discover", "jcb", "unionpay"), "discover_global_network"),
}
"""Card brands by the networks of `restrictions[brands_blocked]`, where their names differ."""


def open_session(books: Books, session_id: str) -> StripeObject | PaymentResult:
    """The session, or why it cannot be paid."""
    session = books.get(session_id, "checkout.session")
    if session["status"] == "open":
        return session
    message = (
        "You're all done here: this session has already been completed."
        if session["status"] == "complete"
        else "This session has expired."
    )
    return PaymentResult("invalid", message)


def pay(books: Books, session: StripeObject, means: Means) -> PaymentResult:
    """One attempt with a card of the table."""
    card = BY_LAST4[means.last4]
    if _is_blocked(session, card):
        return PaymentResult("invalid", "The shop does not take this kind of card.", field="number")
    intent = payment_intents.for_session(books, session, means)
    if card.outcome == "declines":
        return _declined(books, session, intent, means, card)
    if card.outcome in ("challenge", "challenge_then_declines"):
        return _challenged(books, session, intent, means)
    return _succeeded(books, session, intent, means, card)


def _is_blocked(session: StripeObject, card: TestCard) -> bool:
    """Whether the shop wants no cards of this network or funding; every test card is credit."""
    options = session["payment_method_options"].get("card", {})
    restrictions = options.get("restrictions") or {}
    network = NETWORKS.get(card.brand, card.brand)
    return network in restrictions.get("brands_blocked", ()) or "credit" in restrictions.get(
        "funding_types_blocked", ()
    )


def confirm(books: Books, session: StripeObject, means: Means) -> PaymentResult:
    """Nothing is to be paid: the session completes without a payment."""
    customers.created_by(books, session, means)
    return complete(books, session, means, payment_status="no_payment_required")


def _succeeded(
    books: Books,
    session: StripeObject,
    intent: StripeObject,
    means: Means,
    card: TestCard,
    authenticated: bool = False,
) -> PaymentResult:
    intent["payment_method"] = new_method(books, session, means)["id"]
    charge = charges.new_charge(
        books, intent, means, status="succeeded", authenticated=authenticated
    )
    books.remember(charge["id"], {"aftermath": card.aftermath})
    books.emit("charge.succeeded", charge)
    received(books, intent, charge)
    books.later(charges.CAPTURE_SECONDS, "settle_balance", charge["id"])
    if card.aftermath in disputes.AFTERMATHS:
        books.later(disputes.OPEN_SECONDS, "open_dispute", charge["id"])
    if card.aftermath == "fraud_warning":
        books.later(disputes.OPEN_SECONDS, "warn_of_fraud", charge["id"])
    return complete(books, session, means, payment_status="paid")


def received(books: Books, intent: StripeObject, charge: StripeObject) -> None:
    """The money is there: the intent has succeeded."""
    intent |= {
        "amount_received": intent["amount"],
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "next_action": None,
        "processing": None,
        "status": "succeeded",
    }
    books.save(intent)
    books.emit("payment_intent.succeeded", intent)


def complete(
    books: Books,
    session: StripeObject,
    means: Means,
    *,
    payment_status: Literal["paid", "unpaid", "no_payment_required"],
) -> PaymentResult:
    """The session is over: paid, or unpaid where the money comes later."""
    session |= {
        "customer_details": checkout_session_object.customer_details(
            means.email, means.name, means.answers
        ),
        "payment_status": payment_status,
        "status": "complete",
        "url": None,
    }
    collected_fields.keep(session, means.answers)
    customers.keep_answers(books, session, means.answers, means.name)
    books.save(session)
    books.never("expire_session", session["id"])
    books.emit("checkout.session.completed", session)
    outcome: Literal["processing", "succeeded"] = (
        "processing" if payment_status == "unpaid" else "succeeded"
    )
    return PaymentResult(outcome, redirect_url=checkout_sessions.success_url(session))


def _declined(
    books: Books, session: StripeObject, intent: StripeObject, means: Means, card: TestCard
) -> PaymentResult:
    """The session stays open; only the intent and the failed charge say what happened."""
    method = new_method(books, session, means)
    charge = charges.new_charge(
        books, intent | {"payment_method": method["id"]}, means, status="failed", card=card
    )
    books.emit("charge.failed", charge)
    payment_intents.decline(books, intent, method, card, charge)
    return PaymentResult("declined", card.message)


def _challenged(
    books: Books, session: StripeObject, intent: StripeObject, means: Means
) -> PaymentResult:
    challenge_id = new_id("challenge")
    books.connection.execute("DELETE FROM challenges WHERE session_id = ?", (session["id"],))
    books.connection.execute(
        "INSERT INTO challenges (id, session_id, card, answered) VALUES (?, ?, ?, 0)",
        (challenge_id, session["id"], text(means.kept())),
    )
    intent |= {
        "last_payment_error": None,
        "next_action": {
            "redirect_to_url": {
                "return_url": session["url"],
                "url": f"{books.address}/c/challenge/{challenge_id}",
            },
            "type": "redirect_to_url",
        },
        "payment_method": new_method(books, session, means)["id"],
        "status": "requires_action",
    }
    books.save(intent)
    books.emit("payment_intent.requires_action", intent)
    return PaymentResult("challenge", challenge_id=challenge_id)


def open_challenge(books: Books, challenge_id: str) -> Challenge | None:
    """A question that still waits, with what the page shows; None once it is answered."""
    row = books.connection.execute(
        "SELECT * FROM challenges WHERE id = ? AND NOT answered", (challenge_id,)
    ).fetchone()
    if row is None:
        return None
    means = Means(**json.loads(row["card"]))
    session = books.get(row["session_id"], "checkout.session")
    return Challenge(
        id=challenge_id,
        session_id=session["id"],
        payment_intent_id=session["payment_intent"],
        amount=session["amount_total"],
        currency=session["currency"],
        brand=means.brand,
        last4=means.last4,
    )


def take_challenge(books: Books, challenge_id: str) -> tuple[str, Means] | None:
    """The session and card a question is about; it can be answered once."""
    run, which = books.connection.execute, "WHERE id = ? AND NOT answered"
    row = run(f"SELECT * FROM challenges {which}", (challenge_id,)).fetchone()  # noqa: S608
    run(f"UPDATE challenges SET answered = 1 {which}", (challenge_id,))  # noqa: S608
    return (row["session_id"], Means(**json.loads(row["card"]))) if row else None


def answer(books: Books, session: StripeObject, means: Means, *, passed: bool) -> PaymentResult:
    """The buyer answered the bank's question."""
    card = BY_LAST4[means.last4]
    intent = payment_intents.for_session(books, session, means)
    if not passed:
        method = books.get(intent["payment_method"], "payment_method")
        payment_intents.decline(books, intent, method, payment_intents.UNAUTHENTICATED, None)
        return PaymentResult("declined", payment_intents.UNAUTHENTICATED.message)
    if card.outcome == "challenge_then_declines":
        return _declined(books, session, intent, means, card)
    return _succeeded(books, session, intent, means, card, authenticated=True)

"""Paying a session: success, decline, a 3-D Secure question, a debit that settles later.

Nobody asked for these over the API, so their events have no request id
(docs.stripe.com/api/events/object: null when automatic).
"""

import json
from typing import Literal

from store.emulator import balance, charges, disputes, intents, sessions
from store.emulator.books import Books, text
from store.emulator.cards import BY_NUMBER, TestCard
from store.emulator.errors import Refused
from store.emulator.ids import new_id
from store.emulator.methods import Means, new_method
from store.emulator.records import Challenge, PaymentResult, StripeObject

SETTLE_SECONDS = 300.0
"""After how long a bank debit settles by itself; at Stripe it is days."""


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
    card = BY_NUMBER[means.number]
    if session["amount_total"] == 0:
        return complete(books, session, means, payment_status="no_payment_required")
    intent = intents.for_session(books, session)
    if card.outcome == "declines":
        return _declined(books, intent, means, card)
    if card.outcome in ("challenge", "challenge_then_declines"):
        return _challenged(books, session, intent, means)
    return _succeeded(books, session, intent, means, card)


def _succeeded(
    books: Books,
    session: StripeObject,
    intent: StripeObject,
    means: Means,
    card: TestCard,
    authenticated: bool = False,
) -> PaymentResult:
    intent["payment_method"] = new_method(books, means)["id"]
    charge = charges.new_charge(
        books, intent, means, status="succeeded", authenticated=authenticated
    )
    books.remember(charge["id"], {"aftermath": card.aftermath})
    books.emit("charge.succeeded", charge)
    _received(books, intent, charge)
    books.later(charges.CAPTURE_SECONDS, "settle_balance", charge["id"])
    if card.aftermath in disputes.AFTERMATHS:
        books.later(disputes.OPEN_SECONDS, "open_dispute", charge["id"])
    return complete(books, session, means, payment_status="paid")


def _received(books: Books, intent: StripeObject, charge: StripeObject) -> None:
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
        "customer_details": sessions.customer_details(means.email, means.name),
        "payment_status": payment_status,
        "status": "complete",
        "url": None,
    }
    books.save(session)
    books.never("expire_session", session["id"])
    books.emit("checkout.session.completed", session)
    outcome: Literal["processing", "succeeded"] = (
        "processing" if payment_status == "unpaid" else "succeeded"
    )
    return PaymentResult(outcome, redirect_url=sessions.success_url(session))


def _declined(books: Books, intent: StripeObject, means: Means, card: TestCard) -> PaymentResult:
    """The session stays open; only the intent and the failed charge say what happened."""
    method = new_method(books, means)
    charge = charges.new_charge(
        books, intent | {"payment_method": method["id"]}, means, status="failed", card=card
    )
    books.emit("charge.failed", charge)
    intents.decline(books, intent, method, card, charge)
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
        "payment_method": new_method(books, means)["id"],
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
    row = books.connection.execute(
        "UPDATE challenges SET answered = 1 WHERE id = ? AND NOT answered RETURNING *",
        (challenge_id,),
    ).fetchone()
    return (row["session_id"], Means(**json.loads(row["card"]))) if row else None


def answer(books: Books, session: StripeObject, means: Means, *, passed: bool) -> PaymentResult:
    """The buyer answered the bank's question."""
    card = BY_NUMBER[means.number]
    intent = intents.for_session(books, session)
    if not passed:
        method = books.get(intent["payment_method"], "payment_method")
        intents.decline(books, intent, method, intents.UNAUTHENTICATED, None)
        return PaymentResult("declined", intents.UNAUTHENTICATED.message)
    if card.outcome == "challenge_then_declines":
        return _declined(books, intent, means, card)
    return _succeeded(books, session, intent, means, card, authenticated=True)


def pay_later(
    books: Books, session: StripeObject, means: Means, *, succeeds: bool
) -> PaymentResult:
    """A bank debit: the session completes now, the money comes (or not) later."""
    intent = intents.for_session(books, session)
    intent["payment_method"] = new_method(books, means)["id"]
    charge = charges.new_charge(books, intent, means, status="pending")
    books.emit("charge.pending", charge)
    intent |= {
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "next_action": None,
        "status": "processing",
    }
    books.save(intent)
    books.remember(intent["id"], {"session": session["id"]})
    books.emit("payment_intent.processing", intent)
    act = "debit_succeeds" if succeeds else "debit_fails"
    books.later(SETTLE_SECONDS, act, intent["id"])
    return complete(books, session, means, payment_status="unpaid")


def settle(books: Books, intent_id: str, *, succeeded: bool) -> StripeObject:
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
    session = books.get(books.hidden(intent_id)["session"], "checkout.session")
    if succeeded:
        _debit_succeeds(books, intent, charge, session)
    else:
        _debit_fails(books, intent, charge, session)
    return intent


def _debit_succeeds(
    books: Books, intent: StripeObject, charge: StripeObject, session: StripeObject
) -> None:
    transaction = balance.record(books, "payment", charge, charge["amount"])
    charge |= {
        "balance_transaction": transaction["id"],
        "paid": True,
        "receipt_url": f"{books.address}/emulator/receipts/{charge['id']}",
        "status": "succeeded",
    }
    books.save(charge)
    books.emit("charge.succeeded", charge)
    _received(books, intent, charge)
    session["payment_status"] = "paid"
    books.save(session)
    books.emit("checkout.session.async_payment_succeeded", session)


def _debit_fails(
    books: Books, intent: StripeObject, charge: StripeObject, session: StripeObject
) -> None:
    failure = intents.DEBIT_FAILED
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
    intents.decline(books, intent, method, failure, charge)
    books.emit("checkout.session.async_payment_failed", session)

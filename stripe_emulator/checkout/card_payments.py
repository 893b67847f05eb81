"""Paying a session: success, decline, a 3-D Secure question, a debit that settles later.

Nobody asked for these over the API, so their events have no request id
(docs.stripe.com/api/events/object: null when automatic).
"""

from typing import Literal

from stripe_emulator.base.models import PaymentResult, StripeObject
from stripe_emulator.base.test_cards import BY_LAST4, TestCard
from stripe_emulator.checkout import collected_fields
from stripe_emulator.resources import (
    checkout_session_object,
    checkout_sessions,
    customers,
    payment_attempts,
    payment_intents,
    session_totals,
)
from stripe_emulator.resources.payment_methods import Means, new_method
from stripe_emulator.storage.transaction import Books

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
    """Whether the shop takes no cards of this network or funding."""
    options = session["payment_method_options"].get("card", {})
    restrictions = options.get("restrictions") or {}
    network = NETWORKS.get(card.brand, card.brand)
    return network in restrictions.get("brands_blocked", ()) or card.funding in restrictions.get(
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
    method = new_method(books, session, means)
    intent["payment_method"] = method["id"]
    payment_attempts.use_method(books, intent, method)
    payment_attempts.charge_card(books, intent, means, card, authenticated=authenticated)
    return complete(books, session, means, payment_status="paid")


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
    session_totals.redeem(books, session)
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
    payment_attempts.decline_card(books, intent, means, method, card)
    return PaymentResult("declined", card.message)


def _challenged(
    books: Books, session: StripeObject, intent: StripeObject, means: Means
) -> PaymentResult:
    challenge_id = payment_attempts.new_challenge(books, session["id"], means)
    intent["payment_method"] = new_method(books, session, means)["id"]
    next_action = payment_attempts.redirect_to(books, challenge_id, session["url"])
    payment_attempts.require_action(books, intent, next_action)
    return PaymentResult("challenge", challenge_id=challenge_id)


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

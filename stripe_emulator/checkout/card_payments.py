"""Paying a Checkout Session by card: success, decline, 3-D Secure.

No API request causes these events, so their request id is null (docs.stripe.com/api/events/object).
"""

from typing import Literal

from stripe_emulator.base.models import PaymentResult, StripeObject
from stripe_emulator.base.test_cards import BY_LAST4, DeclineReason, TestCard
from stripe_emulator.checkout import collected_fields
from stripe_emulator.resources import (
    checkout_session_object,
    checkout_sessions,
    customers,
    payment_attempts,
    payment_intent_object,
    session_totals,
)
from stripe_emulator.resources.payment_method_object import PaymentDetails, new_method
from stripe_emulator.storage.transaction import Transaction

NETWORKS = {
    "amex": "american_express",
    **dict.fromkeys(("diners", "discover", "jcb", "unionpay"), "discover_global_network"),
}
"""Card brands whose name in `restrictions[brands_blocked]` differs."""


def payable_session(tx: Transaction, session_id: str) -> StripeObject | PaymentResult:
    """Return the session, or the result that says why it cannot be paid."""
    session = tx.get(session_id, "checkout.session")
    if session["status"] == "open":
        return session
    message = (
        "You're all done here: this session has already been completed."
        if session["status"] == "complete"
        else "This session has expired."
    )
    return PaymentResult("invalid", message)


def pay(tx: Transaction, session: StripeObject, payment_details: PaymentDetails) -> PaymentResult:
    """Attempt one payment with a test card."""
    card = BY_LAST4[payment_details.last4]
    if _is_blocked(session, card):
        return PaymentResult("invalid", "The shop does not take this kind of card.", field="number")
    intent = payment_intent_object.for_session(tx, session, payment_details)
    if card.outcome == "declines" and card.decline:
        return _declined(tx, session, intent, payment_details, card.decline)
    if "challenge" in card.outcome:
        return _challenged(tx, session, intent, payment_details)
    return _succeeded(tx, session, intent, payment_details, card)


def _is_blocked(session: StripeObject, card: TestCard) -> bool:
    """Return whether the session blocks cards of this network or funding type."""
    options = session["payment_method_options"].get("card", {})
    restrictions = options.get("restrictions") or {}
    network = NETWORKS.get(card.brand, card.brand)
    return network in restrictions.get("brands_blocked", ()) or card.funding in restrictions.get(
        "funding_types_blocked", ()
    )


def confirm(
    tx: Transaction, session: StripeObject, payment_details: PaymentDetails
) -> PaymentResult:
    """Complete a session with a total of 0, without a payment."""
    customers.create_for_session(tx, session, payment_details)
    return complete(tx, session, payment_details, payment_status="no_payment_required")


def _succeeded(
    tx: Transaction,
    session: StripeObject,
    intent: StripeObject,
    payment_details: PaymentDetails,
    card: TestCard,
    authenticated: bool = False,
) -> PaymentResult:
    method = new_method(tx, session, payment_details)
    intent["payment_method"] = method["id"]
    payment_attempts.use_method(tx, intent, method)
    payment_attempts.charge_card(tx, intent, payment_details, card, authenticated=authenticated)
    return complete(tx, session, payment_details, payment_status="paid")


def complete(
    tx: Transaction,
    session: StripeObject,
    payment_details: PaymentDetails,
    *,
    payment_status: Literal["paid", "unpaid", "no_payment_required"],
) -> PaymentResult:
    """Complete the session: paid, or unpaid if the money comes later."""
    session |= {
        "customer_details": checkout_session_object.customer_details(
            payment_details.email, payment_details.name, payment_details.answers
        ),
        "payment_status": payment_status,
        "status": "complete",
        "url": None,
    }
    collected_fields.store_answers(session, payment_details.answers)
    customers.save_answers(tx, session, payment_details.answers, payment_details.name)
    session_totals.redeem(tx, session)
    tx.save(session)
    tx.unschedule("expire_session", session["id"])
    tx.emit("checkout.session.completed", session)
    outcome: Literal["processing", "succeeded"] = (
        "processing" if payment_status == "unpaid" else "succeeded"
    )
    return PaymentResult(outcome, redirect_url=checkout_sessions.success_url(session))


def _declined(
    tx: Transaction,
    session: StripeObject,
    intent: StripeObject,
    payment_details: PaymentDetails,
    reason: DeclineReason,
) -> PaymentResult:
    """Decline the payment. The session stays open; only the intent and the failed charge show
    it."""
    method = new_method(tx, session, payment_details)
    payment_attempts.decline_card(tx, intent, payment_details, method, reason)
    return PaymentResult("declined", reason.message)


def _challenged(
    tx: Transaction, session: StripeObject, intent: StripeObject, payment_details: PaymentDetails
) -> PaymentResult:
    challenge_id = payment_attempts.new_challenge(tx, session["id"], payment_details)
    intent["payment_method"] = new_method(tx, session, payment_details)["id"]
    next_action = payment_attempts.redirect_to(tx, challenge_id, session["url"])
    payment_attempts.require_action(tx, intent, next_action)
    return PaymentResult("challenge", challenge_id=challenge_id)


def answer_challenge(
    tx: Transaction, session: StripeObject, payment_details: PaymentDetails, *, passed: bool
) -> PaymentResult:
    """Continue the payment after a 3-D Secure challenge was passed or failed."""
    card = BY_LAST4[payment_details.last4]
    intent = payment_intent_object.for_session(tx, session, payment_details)
    if not passed:
        method = tx.get(intent["payment_method"], "payment_method")
        payment_intent_object.decline(
            tx, intent, method, payment_intent_object.UNAUTHENTICATED, None
        )
        return PaymentResult("declined", payment_intent_object.UNAUTHENTICATED.message)
    if card.decline:
        return _declined(tx, session, intent, payment_details, card.decline)
    return _succeeded(tx, session, intent, payment_details, card, authenticated=True)

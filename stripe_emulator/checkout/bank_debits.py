"""Bank debits: the session completes now, and the bank answers later."""

from stripe_emulator.base.errors import Refused
from stripe_emulator.base.models import PaymentResult, StripeObject
from stripe_emulator.checkout import card_payments
from stripe_emulator.resources import balance, charges, payment_intents
from stripe_emulator.resources.payment_methods import Means, new_method
from stripe_emulator.storage.transaction import Books

SETTLE_SECONDS = 300.0
"""After how long a bank debit settles by itself; at Stripe it is days."""


def pay_later(
    books: Books, session: StripeObject, means: Means, *, succeeds: bool
) -> PaymentResult:
    """A bank debit: the session completes now, the money comes (or not) later."""
    intent = payment_intents.for_session(books, session, means)
    intent["payment_method"] = new_method(books, session, means)["id"]
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
    return card_payments.complete(books, session, means, payment_status="unpaid")


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
    card_payments.received(books, intent, charge)
    session["payment_status"] = "paid"
    books.save(session)
    books.emit("checkout.session.async_payment_succeeded", session)


def _debit_fails(
    books: Books, intent: StripeObject, charge: StripeObject, session: StripeObject
) -> None:
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
    books.emit("checkout.session.async_payment_failed", session)

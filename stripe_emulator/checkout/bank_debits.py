"""Bank debits: the session completes now, and the bank answers later."""

from stripe_emulator.base.models import PaymentResult, StripeObject
from stripe_emulator.checkout import card_payments
from stripe_emulator.resources import payment_attempts, payment_intents
from stripe_emulator.resources.payment_methods import Means, new_method
from stripe_emulator.storage.transaction import Books


def pay_later(
    books: Books, session: StripeObject, means: Means, *, succeeds: bool
) -> PaymentResult:
    """A bank debit: the session completes now, the money comes (or not) later."""
    intent = payment_intents.for_session(books, session, means)
    method = new_method(books, session, means)
    intent["payment_method"] = method["id"]
    payment_attempts.use_method(books, intent, method)
    payment_attempts.debit_bank(books, intent, means, succeeds=succeeds, session_id=session["id"])
    return card_payments.complete(books, session, means, payment_status="unpaid")

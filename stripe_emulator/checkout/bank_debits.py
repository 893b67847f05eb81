"""Bank debits: the session completes at once, and the bank decides later."""

from stripe_emulator.base.models import PaymentResult, StripeObject
from stripe_emulator.checkout import card_payments
from stripe_emulator.resources import payment_attempts, payment_intent_object
from stripe_emulator.resources.payment_method_object import PaymentDetails, new_method
from stripe_emulator.storage.transaction import Transaction


def pay_later(
    tx: Transaction, session: StripeObject, payment_details: PaymentDetails, *, succeeds: bool
) -> PaymentResult:
    """Complete the session by a bank debit that succeeds or fails later."""
    intent = payment_intent_object.for_session(tx, session, payment_details)
    method = new_method(tx, session, payment_details)
    intent["payment_method"] = method["id"]
    payment_attempts.use_method(tx, intent, method)
    payment_attempts.debit_bank(
        tx, intent, payment_details, succeeds=succeeds, session_id=session["id"]
    )
    return card_payments.complete(tx, session, payment_details, payment_status="unpaid")

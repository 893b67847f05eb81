"""The calls of Stripe's payment page that `stripe trigger checkout.session.*` uses.

They are undocumented: the CLI's fixtures retrieve the page and confirm it with a PaymentMethod,
which pays the session as the page here does.
"""

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.models import PaymentResult, StripeObject
from stripe_emulator.checkout import bank_debits, card_payments
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources.payment_method_object import payment_details_of
from stripe_emulator.storage.transaction import Transaction


def confirm(tx: Transaction, session: StripeObject, params: Parameters) -> StripeObject:
    """Pay the session (POST /v1/payment_pages/{id}/confirm)."""
    open_session = card_payments.payable_session(tx, session["id"])
    if isinstance(open_session, PaymentResult):
        raise InvalidRequest(str(open_session.message))
    expected = params.get("expected_amount", session["amount_total"])
    if expected != session["amount_total"]:
        raise InvalidRequest(
            f"The amount of this session is {session['amount_total']}, not {expected}.",
            param="expected_amount",
        )
    method = tx.get(params["payment_method"], "payment_method", "payment_method")
    if method["type"] not in session["payment_method_types"]:
        raise InvalidRequest(
            f"This session does not take payment methods of type {method['type']}.",
            param="payment_method",
        )
    payment_details = payment_details_of(method)
    if method["type"] == "card":
        result = card_payments.pay(tx, session, payment_details)
    else:
        fails = tx.private(method["id"]).get("fails", False)
        result = bank_debits.pay_later(tx, session, payment_details, succeeds=not fails)
    if result.outcome in ("declined", "invalid"):
        raise InvalidRequest(str(result.message), param="payment_method")
    return tx.get(session["id"], "checkout.session", "session")

"""The PaymentIntent object: created by a session or directly, and declined."""

from typing import Any

from stripe_emulator.base.errors import DOCS
from stripe_emulator.base.ids import new_id, token
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.object_defaults import ADDRESS, NullableDefault, with_defaults
from stripe_emulator.base.test_cards import DeclineReason
from stripe_emulator.resources import customers
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.resources.payment_method_object import PaymentDetails
from stripe_emulator.storage.transaction import Transaction

SHIPPING = NullableDefault(
    address=ADDRESS, carrier=None, name=None, phone=None, tracking_number=None
)


def for_session(
    tx: Transaction, session: StripeObject, payment_details: PaymentDetails
) -> StripeObject:
    """Return the session's PaymentIntent, created by the first attempt to pay.

    If the page collected an address, the caller saves the intent.
    """
    customers.create_for_session(tx, session, payment_details)
    intent, answers = _get_or_create(tx, session), payment_details.answers
    if answers.get("shipping"):
        intent["shipping"] = with_defaults(
            SHIPPING, {"phone": answers.get("phone"), **answers["shipping"]}
        )
    return intent


def _get_or_create(tx: Transaction, session: StripeObject) -> StripeObject:
    if session["payment_intent"]:
        intent = tx.get(session["payment_intent"], "payment_intent")
        intent["amount"] = session[
            "amount_total"
        ]  # a promotion code may have changed the total since
        return intent
    params = tx.private(session["id"]).get("payment_intent_data", {})
    of_session = {
        "amount": session["amount_total"],
        "currency": session["currency"],
        "customer": session["customer"],
        "payment_method_options": _session_options(session),
        "payment_method_types": session["payment_method_types"],
    }
    intent = tx.add(new_intent(tx, params) | of_session)
    session["payment_intent"] = intent["id"]
    tx.save(session)
    tx.emit("payment_intent.created", intent)
    return intent


def new_intent(tx: Transaction, params: dict[str, Any]) -> StripeObject:
    """Return a new PaymentIntent without amount and payment methods, not stored yet."""
    intent_id = new_id("payment_intent")
    nothing = (
        *("application", "application_fee_amount", "automatic_payment_methods", "canceled_at"),
        *("cancellation_reason", "customer_account", "excluded_payment_method_types"),
        *("last_payment_error", "latest_charge", "next_action", "on_behalf_of", "payment_method"),
        *("payment_method_configuration_details", "payment_record", "presentment_details"),
        *("processing", "review", "source", "transfer_data"),
        "allowed_payment_method_types",
    )
    return {
        "id": intent_id,
        "object": "payment_intent",
        **dict.fromkeys(nothing),
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{intent_id}_secret_{token(25)}",
        "confirmation_method": "automatic",
        "created": tx.seconds,
        "description": params.get("description"),
        "livemode": False,
        "metadata": merge_metadata(params.get("metadata")),
        "receipt_email": params.get("receipt_email"),
        "setup_future_usage": params.get("setup_future_usage"),
        "statement_descriptor": params.get("statement_descriptor"),
        "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
        "shipping": with_defaults(SHIPPING, params.get("shipping")),
        "status": "requires_payment_method",
        "transfer_group": params.get("transfer_group"),
    }


CARD_OPTIONS = {"installments": None, "mandate_options": None, "network": None}


def _session_options(session: StripeObject) -> dict[str, Any]:
    params: dict[str, Any] = session["payment_method_options"]
    options = {method: dict(option) for method, option in params.items()}
    if "card" in options:
        options["card"] = CARD_OPTIONS | {
            name: value
            for name, value in options["card"].items()
            if name not in ("installments", "restrictions")
        }
    return options


def decline(
    tx: Transaction,
    intent: StripeObject,
    method: StripeObject,
    reason: DeclineReason,
    charge: StripeObject | None,
) -> None:
    """Return the intent to `requires_payment_method` with the reason; it can be confirmed again."""
    error = {
        "advice_code": "try_again_later",
        "charge": charge["id"] if charge else None,
        "code": reason.code,
        "decline_code": reason.decline_code,
        "doc_url": DOCS + reason.code.replace("_", "-"),
        "message": reason.message,
        "network_decline_code": "01",
        "payment_method": method,
        "type": "card_error" if reason.code != AUTHENTICATION_FAILED else "invalid_request_error",
    }
    if charge is None:
        for name in ("advice_code", "charge", "decline_code", "network_decline_code"):
            error.pop(name)
    intent |= {
        "last_payment_error": error,
        "latest_charge": charge["id"] if charge else intent["latest_charge"],
        "next_action": None,
        "payment_method": None,
        "processing": None,
        "status": "requires_payment_method",
    }
    tx.save(intent)
    tx.emit("payment_intent.payment_failed", intent)


AUTHENTICATION_FAILED = "payment_intent_authentication_failure"
UNAUTHENTICATED = DeclineReason(
    AUTHENTICATION_FAILED,
    None,
    "We are unable to authenticate your payment method. Please choose a different payment method "
    "and try again.",
)
AUTHENTICATION_REQUIRED = DeclineReason(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)
DEBIT_FAILED = DeclineReason(
    "payment_intent_payment_attempt_failed",
    "insufficient_funds",
    "The customer's account has insufficient funds to cover this payment.",
)
"""How a bank debit fails. Stripe's code for a failed debit is unverified."""

"""The calls of PaymentIntents: create, update, confirm, capture, cancel."""

from stripe_emulator.base import currencies
from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.object_defaults import NullableDefault, with_defaults
from stripe_emulator.base.test_cards import BY_LAST4, DeclineReason, TestCard
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import (
    cash_balances,
    intents,
    payment_attempts,
    payment_methods,
)
from stripe_emulator.resources.customers import check_email
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.resources.payment_intent_object import (
    AUTHENTICATION_REQUIRED,
    SHIPPING,
    UNAUTHENTICATED,
    decline,
    new_intent,
)
from stripe_emulator.resources.payment_method_object import PaymentDetails, payment_details_of
from stripe_emulator.storage.transaction import Transaction

NOUN = "PaymentIntent"
UNPAID = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = (
    *("requires_payment_method", "requires_capture", "requires_confirmation"),
    "requires_action",
)
_DETAILS = NullableDefault(customer_reference=None, order_reference=None)
_MONEY = (
    *("amount", "allowed_payment_method_types", "capture_method", "currency", "customer"),
    *("excluded_payment_method_types", "payment_method", "payment_method_data"),
    *("payment_method_options", "setup_future_usage"),
)
"""Parameters that can be changed only before the payment."""


def create(tx: Transaction, params: Parameters) -> StripeObject:
    """Create a PaymentIntent (POST /v1/payment_intents)."""
    currency = currencies.currency_of(params["currency"], "currency")
    currencies.check_charge(params["amount"], currency)
    check_email(params.get("receipt_email", ""), "receipt_email")
    intents.check_confirm_only(params, NOUN)
    methods = _offered_methods(params, currency)
    intent = new_intent(tx, params) | {
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount": params["amount"],
        "automatic_payment_methods": intents.automatic_methods(params),
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "currency": currency,
        "customer": intents.customer_of(tx, params),
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "payment_details": with_defaults(_DETAILS, params.get("payment_details")),
        "payment_method_options": intents.shown_options(params, methods),
        "payment_method_types": methods,
    }
    tx.add(intent)
    tx.emit("payment_intent.created", intent)
    intents.set_method(tx, intent, params, NOUN)
    tx.save(intent)
    return _confirm(tx, intent, params) if params.get("confirm") else intent


def _offered_methods(params: Parameters, currency: str) -> list[str]:
    return intents.offered_methods(params, currency, only_if_allowed=("customer_balance",))


def update(tx: Transaction, intent: StripeObject, params: Parameters) -> StripeObject:
    """Update a PaymentIntent (POST /v1/payment_intents/{id}). It sends no event."""
    _check_update(tx, intent, params)
    _set_money(tx, intent, params)
    for name in ("description", "statement_descriptor", "statement_descriptor_suffix"):
        if name in params:
            intent[name] = params[name]
    if "transfer_group" in params:
        intent["transfer_group"] = params["transfer_group"]
    if "metadata" in params:
        intent["metadata"] = merge_metadata(params["metadata"], intent["metadata"])
    _set_shown(intent, params)
    intents.set_method(tx, intent, params, NOUN)
    return tx.save(intent)


def _check_update(tx: Transaction, intent: StripeObject, params: Parameters) -> None:
    changed = [name for name in _MONEY if name in params]
    if changed:
        _refuse_of_session(tx, intent, "updated")
        cash_balances.refuse_change(intent)
    if changed and intent["status"] not in UNPAID:
        raise intents.unexpected_state(
            intent,
            f"This PaymentIntent's {changed[0]} could not be updated because it has a status of "
            f"{intent['status']}. You may only update the {changed[0]} of a PaymentIntent with "
            f"one of the following statuses: {', '.join(UNPAID)}.",
        )
    check_email(params.get("receipt_email", ""), "receipt_email")


def _set_money(tx: Transaction, intent: StripeObject, params: Parameters) -> None:
    currency: str = currencies.currency_of(params.get("currency") or intent["currency"], "currency")
    if "amount" in params or "currency" in params:
        amount: int = params.get("amount") or intent["amount"]
        currencies.check_charge(amount, currency)
        intent |= {"amount": amount, "currency": currency}
    named = ("allowed_payment_method_types", "excluded_payment_method_types")
    if any(name in params for name in (*named, "currency")):
        types = {name: params.get(name, intent[name]) or None for name in named}
        intent |= types | {"payment_method_types": _offered_methods(types, currency)}
    if "payment_method_options" in params:
        methods = intent["payment_method_types"]
        intent["payment_method_options"] |= intents.shown_options(params, methods)
    if "customer" in params:
        intent["customer"] = tx.get_referenced(params["customer"], "customer", "customer")["id"]


def _set_shown(intent: StripeObject, params: Parameters) -> None:
    """Set the fields that can be set by an update and by a confirmation."""
    for name in ("capture_method", "receipt_email", "setup_future_usage"):
        if name in params:
            intent[name] = params[name] or None
    if "payment_details" in params:
        intent["payment_details"] = with_defaults(_DETAILS, params["payment_details"])
    if "shipping" in params:
        intent["shipping"] = with_defaults(SHIPPING, params["shipping"])


def confirm(tx: Transaction, intent: StripeObject, params: Parameters) -> StripeObject:
    """Confirm a PaymentIntent (POST /v1/payment_intents/{id}/confirm). A decline is an error whose
    effects are kept."""
    _refuse_of_session(tx, intent, "confirmed")
    cash_balances.refuse_change(intent)
    method_param = params.get("payment_method") or params.get("payment_method_data")
    intents.check_confirmable(intent, NOUN, method_param or intent["payment_method"])
    check_email(params.get("receipt_email", ""), "receipt_email")
    if params.get("amount_to_confirm", intent["amount"]) != intent["amount"]:
        raise InvalidRequest(
            f"The amount_to_confirm does not match the amount of this PaymentIntent, which is "
            f"{intent['amount']}.",
            param="amount_to_confirm",
        )
    named = ("allowed_payment_method_types", "excluded_payment_method_types")
    _set_money(tx, intent, {name: params[name] for name in named if name in params})
    _set_shown(intent, params)
    intents.set_method(tx, intent, params, NOUN)
    return _confirm(tx, intent, params)


def _confirm(tx: Transaction, intent: StripeObject, params: Parameters) -> StripeObject:
    intents.check_confirmable(intent, NOUN, intent["payment_method"])
    intents.check_return_url(intent, params, NOUN)
    method = tx.get(intent["payment_method"], "payment_method")
    payment_methods.check_usable(tx, method, intent["customer"], NOUN)
    if method["type"] == "customer_balance":
        return cash_balances.confirm(tx, intent)
    if method["type"] != "card":
        fails = bool(tx.private(method["id"]).get("fails"))
        payment_attempts.use_method(tx, intent, method)
        payment_attempts.debit_bank(tx, intent, payment_details_of(method), succeeds=not fails)
        return intent
    return _confirm_card(tx, intent, method, params)


def _confirm_card(
    tx: Transaction, intent: StripeObject, method: StripeObject, params: Parameters
) -> StripeObject:
    payment_details, card = payment_details_of(method), BY_LAST4[method["card"]["last4"]]
    if card.must_authenticate(saved=bool(method["customer"])) and not _authenticated(tx, intent):
        if params.get("off_session") or params.get("error_on_requires_action"):
            return _decline(tx, intent, method, AUTHENTICATION_REQUIRED)
        challenge_id = payment_attempts.new_challenge(tx, intent["id"], payment_details)
        action = intents.next_action(tx, challenge_id, params)
        payment_attempts.require_action(tx, intent, action)
        return intent
    return charge(tx, intent, method, card)


def _authenticated(tx: Transaction, intent: StripeObject) -> bool:
    """Return whether the buyer passed 3-D Secure and the server has to confirm again (`manual`)."""
    private = tx.private(intent["id"])
    passed = bool(private.pop("authenticated", False))
    if passed:
        tx.set_private(intent["id"], private)
    return passed


def charge(
    tx: Transaction,
    intent: StripeObject,
    method: StripeObject,
    card: TestCard,
    *,
    authenticated: bool = False,
) -> StripeObject:
    """Charge the card of an intent that needs no further action of the buyer."""
    if card.decline:
        return _decline(tx, intent, method, card.decline)
    payment_attempts.use_method(tx, intent, method)
    payment_attempts.charge_card(
        tx, intent, payment_details_of(method), card, authenticated=authenticated
    )
    return intent


def _decline(
    tx: Transaction, intent: StripeObject, method: StripeObject, reason: DeclineReason
) -> StripeObject:
    payment_attempts.decline_card(tx, intent, payment_details_of(method), method, reason)
    tx.error = intents.declined(intent, intent["last_payment_error"])
    return intent


def answer_challenge(
    tx: Transaction, intent: StripeObject, payment_details: PaymentDetails, *, passed: bool
) -> StripeObject:
    """Continue or decline the payment after a 3-D Secure challenge."""
    method = tx.get(intent["payment_method"], "payment_method")
    if not passed:
        decline(tx, intent, method, UNAUTHENTICATED, None)
    elif intent["confirmation_method"] == "manual":
        tx.set_private(intent["id"], tx.private(intent["id"]) | {"authenticated": True})
        intent |= {"next_action": None, "status": "requires_confirmation"}
        tx.save(intent)
    else:
        charge(tx, intent, method, BY_LAST4[payment_details.last4], authenticated=True)
    return intent


def capture(tx: Transaction, intent: StripeObject, params: Parameters) -> StripeObject:
    """Capture all that was authorized, or a part (POST /v1/payment_intents/{id}/capture)."""
    if intent["status"] != "requires_capture":
        raise intents.unexpected_state(
            intent,
            "This PaymentIntent could not be captured because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be "
            "captured: requires_capture.",
        )
    if params.get("final_capture") is False:
        raise InvalidRequest(
            "This emulator does not imitate several captures of one payment.",
            param="final_capture",
        )
    amount: int = params.get("amount_to_capture") or intent["amount_capturable"]
    if not 0 < amount <= intent["amount_capturable"]:
        raise InvalidRequest(
            f"The requested capture amount ({amount}) is greater than the amount you can capture "
            f"({intent['amount_capturable']}).",
            code="amount_too_large",
            param="amount_to_capture",
        )
    named = ("statement_descriptor", "statement_descriptor_suffix")
    intent |= {name: params[name] for name in named if name in params}
    if "metadata" in params:
        intent["metadata"] = merge_metadata(params["metadata"], intent["metadata"])
    _set_shown(intent, params)
    tx.unschedule("expire_authorization", intent["id"])
    charge = tx.get(intent["latest_charge"], "charge")
    left = charge["amount"] - amount
    charge |= {"amount_captured": amount, "amount_refunded": left, "captured": True}
    tx.save(charge)
    tx.emit("charge.captured", charge)
    payment_attempts.mark_succeeded(tx, intent, charge)
    payment_attempts.schedule_effects(tx, charge)
    return intent


def cancel(tx: Transaction, intent: StripeObject, params: Parameters) -> StripeObject:
    """Cancel an intent and release what was authorized (POST /v1/payment_intents/{id}/cancel)."""
    _refuse_of_session(tx, intent, "canceled")
    if intent["status"] not in CANCELABLE:
        raise intents.unexpected_state(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. "
            "Only a PaymentIntent with one of the following statuses may be canceled: "
            f"{', '.join(CANCELABLE)}.",
        )
    return _cancel(tx, intent, params.get("cancellation_reason"))


def _cancel(tx: Transaction, intent: StripeObject, reason: str | None) -> StripeObject:
    if intent["status"] == "requires_capture":
        released = tx.get(intent["latest_charge"], "charge")
        released |= {"amount_refunded": released["amount"], "refunded": True}
        tx.save(released)
        tx.emit("charge.refunded" if reason != "automatic" else "charge.expired", released)
    cash_balances.release(tx, intent)
    tx.unschedule("expire_authorization", intent["id"])
    tx.connection.execute("DELETE FROM challenges WHERE session_id = ?", (intent["id"],))
    intent |= {
        "amount_capturable": 0,
        "canceled_at": tx.seconds,
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    tx.save(intent)
    tx.emit("payment_intent.canceled", intent)
    return intent


def expire_authorization(tx: Transaction, intent_id: str) -> None:
    """Cancel an intent that was not captured in time."""
    intent = tx.get(intent_id, "payment_intent")
    if intent["status"] == "requires_capture":
        _cancel(tx, intent, "automatic")


def _refuse_of_session(tx: Transaction, intent: StripeObject, verb: str) -> None:
    """Raise InvalidRequest for the payment of a Checkout Session (wording unverified)."""
    sessions = tx.related("checkout.session", payment_intent=intent["id"])
    if sessions:
        raise InvalidRequest(
            f"This PaymentIntent was created by the Checkout Session {sessions[0]['id']} and "
            f"cannot be {verb} directly.",
            code="payment_intent_unexpected_state",
        )

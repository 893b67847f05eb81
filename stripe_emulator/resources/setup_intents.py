"""SetupIntents: a card is checked and saved for later without a charge."""

from typing import Any

from stripe_emulator.base.errors import DOCS
from stripe_emulator.base.ids import new_id, token
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.test_cards import BY_LAST4, DeclineReason
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import intents, payment_attempts, payment_methods
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.resources.payment_intent_object import UNAUTHENTICATED
from stripe_emulator.resources.payment_method_object import PaymentDetails, payment_details_of
from stripe_emulator.storage.transaction import Transaction

NOUN = "SetupIntent"
SETUP_FAILED = "setup_intent_authentication_failure"
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
CURRENCY = "usd"
"""The currency that decides the offered methods: a SetupIntent has none."""


def create(tx: Transaction, params: Parameters) -> StripeObject:
    """Create a SetupIntent (POST /v1/setup_intents)."""
    intents.check_confirm_only(params, NOUN)
    intent_id = new_id("setup_intent")
    methods = intents.offered_methods(params, CURRENCY)
    nothing = (
        *("application", "cancellation_reason", "customer_account", "last_setup_error"),
        *("latest_attempt", "mandate", "next_action", "on_behalf_of", "payment_method"),
        *("payment_method_configuration_details", "single_use_mandate"),
    )
    named = ("allowed_payment_method_types", "excluded_payment_method_types", "description")
    intent = tx.add(
        {
            "id": intent_id,
            "object": "setup_intent",
            **dict.fromkeys(nothing),
            **{name: params.get(name) for name in named},
            "attach_to_self": params.get("attach_to_self"),
            "automatic_payment_methods": intents.automatic_methods(params),
            "client_secret": f"{intent_id}_secret_{token(25)}",
            "created": tx.seconds,
            "customer": intents.customer_of(tx, params),
            "flow_directions": params.get("flow_directions"),
            "livemode": False,
            "metadata": merge_metadata(params.get("metadata")),
            "payment_method_options": _options(params, methods),
            "payment_method_types": methods,
            "status": "requires_payment_method",
            "usage": params.get("usage", "off_session"),
        }
    )
    tx.emit("setup_intent.created", intent)
    intents.set_method(tx, intent, params, NOUN)
    tx.save(intent)
    return _confirm(tx, intent, params) if params.get("confirm") else intent


def _options(params: Parameters, methods: list[str]) -> dict[str, Any]:
    options = intents.shown_options(params, methods)
    options.get("card", {}).pop("installments", None)
    return options


def update(tx: Transaction, intent: StripeObject, params: Parameters) -> StripeObject:
    """Update a SetupIntent (POST /v1/setup_intents/{id}). It sends no event."""
    changed = [name for name in params if name not in ("description", "expand", "metadata")]
    if changed and intent["status"] not in OPEN:
        raise intents.unexpected_state(
            intent,
            f"You cannot update this SetupIntent because it has a status of {intent['status']}.",
        )
    for name in ("attach_to_self", "description", "flow_directions"):
        if name in params:
            intent[name] = params[name]
    if "customer" in params:
        intent["customer"] = intents.customer_of(tx, params)
    if "metadata" in params:
        intent["metadata"] = merge_metadata(params["metadata"], intent["metadata"])
    _set_methods(tx, intent, params)
    return tx.save(intent)


def _set_methods(tx: Transaction, intent: StripeObject, params: Parameters) -> None:
    named = ("allowed_payment_method_types", "excluded_payment_method_types")
    if any(name in params for name in named):
        types = {name: params.get(name, intent[name]) or None for name in named}
        methods = intents.offered_methods(types, CURRENCY)
        intent |= types | {"payment_method_types": methods}
    if "payment_method_options" in params:
        intent["payment_method_options"] |= _options(params, intent["payment_method_types"])
    intents.set_method(tx, intent, params, NOUN)


def confirm(tx: Transaction, intent: StripeObject, params: Parameters) -> StripeObject:
    """Confirm a SetupIntent (POST /v1/setup_intents/{id}/confirm). A decline is an error whose
    effects are kept."""
    method_id = params.get("payment_method") or params.get("payment_method_data")
    intents.check_confirmable(intent, NOUN, method_id or intent["payment_method"])
    _set_methods(tx, intent, params)
    return _confirm(tx, intent, params)


def _confirm(tx: Transaction, intent: StripeObject, params: Parameters) -> StripeObject:
    intents.check_confirmable(intent, NOUN, intent["payment_method"])
    intents.check_return_url(intent, params, NOUN)
    method = tx.get(intent["payment_method"], "payment_method")
    payment_methods.check_usable(tx, method, intent["customer"], NOUN)
    card = BY_LAST4[method["card"]["last4"]] if method["type"] == "card" else None
    if card and card.cannot_be_saved:
        _fail(tx, intent, method, card.cannot_be_saved)
        tx.error = intents.declined(intent, intent["last_setup_error"])
    elif card and card.must_authenticate(saved=False):
        challenge_id = payment_attempts.new_challenge(tx, intent["id"], payment_details_of(method))
        action = intents.next_action(tx, challenge_id, params)
        _attempt(tx, intent, method, "requires_action")
        intent |= {"last_setup_error": None, "next_action": action, "status": "requires_action"}
        tx.save(intent)
        tx.emit("setup_intent.requires_action", intent)
    else:
        _succeed(tx, intent, method)
    return intent


def _succeed(tx: Transaction, intent: StripeObject, method: StripeObject) -> None:
    if intent["customer"] and not method["customer"]:
        payment_methods.save_for(tx, method, intent["customer"])
    _attempt(tx, intent, method, "succeeded")
    intent |= {"last_setup_error": None, "next_action": None, "status": "succeeded"}
    tx.save(intent)
    tx.emit("setup_intent.succeeded", intent)


def _fail(
    tx: Transaction, intent: StripeObject, method: StripeObject, reason: DeclineReason
) -> None:
    error: dict[str, Any] = {
        "code": reason.code,
        "doc_url": DOCS + reason.code.replace("_", "-"),
        "message": reason.message,
        "payment_method": method,
        "type": "card_error" if reason.decline_code else "invalid_request_error",
    }
    if reason.decline_code:
        error["decline_code"] = reason.decline_code
    _attempt(tx, intent, method, "failed", error)
    intent |= {
        "last_setup_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    tx.save(intent)
    tx.emit("setup_intent.setup_failed", intent)


def _attempt(
    tx: Transaction,
    intent: StripeObject,
    method: StripeObject,
    status: str,
    error: dict[str, Any] | None = None,
) -> None:
    """Store the SetupAttempt of a confirmation, and end one that waited for the buyer."""
    before = tx.find(intent["latest_attempt"] or "", "setup_attempt")
    if before and before["status"] == "requires_action":
        tx.save(before | {"setup_error": error, "status": status})
        return
    attempt = tx.add(
        {
            "id": new_id("setup_attempt"),
            "object": "setup_attempt",
            "application": None,
            "attach_to_self": intent["attach_to_self"],
            "created": tx.seconds,
            "customer": intent["customer"],
            "customer_account": None,
            "flow_directions": intent["flow_directions"],
            "livemode": False,
            "on_behalf_of": None,
            "payment_method": method["id"],
            "payment_method_details": {"type": method["type"], method["type"]: _details(method)},
            "setup_error": error,
            "setup_intent": intent["id"],
            "status": status,
            "usage": intent["usage"],
        }
    )
    intent["latest_attempt"] = attempt["id"]


def _details(method: StripeObject) -> dict[str, Any]:
    if method["type"] != "card":
        return {}
    card = method["card"]
    named = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding")
    return {name: card[name] for name in named} | {
        "last4": card["last4"],
        "network": card["brand"],
        "three_d_secure": None,
        "wallet": None,
    }


def answer_challenge(
    tx: Transaction, intent: StripeObject, _means: PaymentDetails, *, passed: bool
) -> StripeObject:
    """Save the card, or fail the intent, after a 3-D Secure challenge."""
    method = tx.get(intent["payment_method"], "payment_method")
    if passed:
        _succeed(tx, intent, method)
    else:
        reason = DeclineReason(SETUP_FAILED, None, UNAUTHENTICATED.message)
        _fail(tx, intent, method, reason)
    return intent


def cancel(tx: Transaction, intent: StripeObject, params: Parameters) -> StripeObject:
    """Cancel a SetupIntent (POST /v1/setup_intents/{id}/cancel)."""
    if intent["status"] not in OPEN:
        raise intents.unexpected_state(
            intent,
            f"You cannot cancel this SetupIntent because it has a status of {intent['status']}. "
            "Only a SetupIntent with one of the following statuses may be canceled: "
            f"{', '.join(OPEN)}.",
        )
    tx.connection.execute("DELETE FROM challenges WHERE session_id = ?", (intent["id"],))
    intent |= {
        "cancellation_reason": params.get("cancellation_reason"),
        "next_action": None,
        "status": "canceled",
    }
    tx.save(intent)
    tx.emit("setup_intent.canceled", intent)
    return intent

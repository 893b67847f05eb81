"""What PaymentIntents and SetupIntents have in common: payment methods and states."""

from typing import Any

from stripe_emulator.base.errors import CardError, InvalidRequest, Refused
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.object_defaults import with_defaults
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import payment_attempts, payment_methods
from stripe_emulator.storage.transaction import Transaction

DELAYED_METHODS = {"eur": "sepa_debit", "usd": "us_bank_account"}
"""Currency → the bank debit offered in it; a debit is confirmed days later."""


def offered_methods(
    params: Parameters, currency: str, *, only_if_allowed: tuple[str, ...] = ()
) -> list[str]:
    """Return the dynamic payment methods that are imitated: a card, or a bank debit.

    Those of `only_if_allowed` are offered if the request allows them by name.
    """
    offered = ["card", *filter(None, [DELAYED_METHODS.get(currency)])]
    allowed: list[str] = params.get("allowed_payment_method_types") or offered
    offered += [method for method in only_if_allowed if method in allowed]
    excluded: list[str] = params.get("excluded_payment_method_types") or []
    fitting = [method for method in offered if method in allowed and method not in excluded]
    if not fitting:
        named = "allowed" if set(allowed).isdisjoint(offered) else "excluded"
        raise InvalidRequest(
            f"No payment method is left: this emulator imitates {' and '.join(offered)} only.",
            param=f"{named}_payment_method_types",
        )
    return fitting


KNOWN_OPTIONS: dict[str, dict[str, Any]] = {
    "card": {
        "installments": None,
        "mandate_options": None,
        "network": None,
        "request_three_d_secure": "automatic",
    },
    "customer_balance": {"bank_transfer": None, "funding_type": None},
    "sepa_debit": {},
    "us_bank_account": {"verification_method": "automatic"},
}
"""The `payment_method_options` that are shown, with their defaults."""


def shown_options(params: Parameters, methods: list[str]) -> dict[str, Any]:
    """Return the `payment_method_options` that an intent shows."""
    options: Parameters = params.get("payment_method_options") or {}
    return {
        method: with_defaults(
            dict(blank),
            {name: v for name, v in (options.get(method) or {}).items() if name in blank},
        )
        for method, blank in KNOWN_OPTIONS.items()
        if method in methods
    }


def automatic_methods(params: Parameters) -> dict[str, Any] | None:
    """Return `automatic_payment_methods`: enabled, unless the request names its methods."""
    if "automatic_payment_methods" in params:
        automatic: dict[str, Any] = params["automatic_payment_methods"]
        return {"allow_redirects": "always", **automatic} if automatic["enabled"] else automatic
    if "allowed_payment_method_types" in params:
        return None
    return {"allow_redirects": "always", "enabled": True}


def customer_of(tx: Transaction, params: Parameters) -> str | None:
    """Return the customer that a request names. Raises InvalidRequest if there is none."""
    if "customer" not in params:
        return None
    return str(tx.get_referenced(params["customer"], "customer", "customer")["id"])


def set_method(tx: Transaction, intent: StripeObject, params: Parameters, noun: str) -> None:
    """Set the PaymentMethod that a request names, or creates from its data."""
    if "payment_method" in params and "payment_method_data" in params:
        raise InvalidRequest(
            "You may only specify one of these parameters: payment_method, payment_method_data.",
            param="payment_method",
        )
    if "payment_method" in params:
        method = payment_methods.get_referenced_method(tx, params["payment_method"])
    elif "payment_method_data" in params:
        data = params["payment_method_data"]
        method = payment_methods.create(tx, data, "payment_method_data")
    else:
        return
    payment_methods.check_usable(tx, method, intent["customer"], noun)
    if method["type"] not in intent["payment_method_types"]:
        allowed = ", ".join(intent["payment_method_types"])
        raise InvalidRequest(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this {noun}. "
            f"Please attach a PaymentMethod of one of the following types: {allowed}.",
            param="payment_method",
        )
    intent |= {"payment_method": method["id"], "status": "requires_confirmation"}


CONFIRM_ONLY = ("error_on_requires_action", "mandate_data", "off_session", "return_url")


def check_confirm_only(params: Parameters, noun: str) -> None:
    """Raise InvalidRequest for parameters that require `confirm` at creation."""
    for name in CONFIRM_ONLY:
        if params.get(name) and not params.get("confirm"):
            raise InvalidRequest(
                f"The parameter `{name}` cannot be passed when creating a {noun} unless `confirm` "
                "is set to true.",
                param=name,
            )


def check_confirmable(intent: StripeObject, noun: str, method_id: str | None) -> None:
    """Raise Refused for an intent that is final or has no PaymentMethod."""
    status = intent["status"]
    if status == "succeeded":
        raise unexpected_state(
            intent,
            f"You cannot confirm this {noun} because it has already succeeded after being "
            "previously confirmed.",
        )
    if not status.startswith("requires_") or status == "requires_capture":
        raise unexpected_state(
            intent,
            f"You cannot confirm this {noun} because it has a status of {status}. Only a {noun} "
            "with one of the following statuses may be confirmed: requires_confirmation, "
            "requires_action.",
        )
    if method_id is None:
        raise unexpected_state(
            intent,
            f"You cannot confirm this {noun} because it's missing a payment method. You can "
            f"either update the {noun} with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken.",
        )


def check_return_url(intent: StripeObject, params: Parameters, noun: str) -> None:
    """Raise InvalidRequest if methods that may redirect have no `return_url`."""
    automatic = intent["automatic_payment_methods"] or {"enabled": False}
    redirects = automatic["enabled"] and automatic["allow_redirects"] == "always"
    if redirects and "return_url" not in params:
        raise InvalidRequest(
            f"This {noun} is configured to accept payment methods enabled in your Dashboard. "
            "Because some of these payment methods might redirect your customer off of your page, "
            "you must provide a `return_url`. If you don't want to accept redirect-based payment "
            "methods, set `automatic_payment_methods[enabled]` to `true` and "
            "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents "
            "and Payment Intents."
        )


def unexpected_state(intent: StripeObject, message: str) -> Refused:
    """Return the error of an operation that the intent's status forbids."""
    kind = intent["object"]
    details: dict[str, Any] = {kind: intent}
    return Refused(message, code=f"{kind}_unexpected_state", **details)


def declined(intent: StripeObject, error: dict[str, Any]) -> CardError:
    """Return the error of a failed confirmation; `error` is what the intent stores of it."""
    more = {name: value for name, value in error.items() if name not in ("code", "message")}
    more[intent["object"]] = intent
    return CardError(error["message"], code=error["code"], **more)


def next_action(tx: Transaction, challenge_id: str, params: Parameters) -> dict[str, Any]:
    """Return the next action of a 3-D Secure challenge: a redirect, or Stripe.js without
    `return_url`."""
    redirect = payment_attempts.redirect_to(tx, challenge_id, params.get("return_url"))
    if "return_url" in params and not params.get("use_stripe_sdk"):
        return redirect
    return {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {
            "stripe_js": redirect["redirect_to_url"]["url"],
            "type": "three_d_secure_redirect",
        },
    }

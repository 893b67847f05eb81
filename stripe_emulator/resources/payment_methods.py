"""The calls of PaymentMethods: create, attach, update, detach."""

import re
import time
from typing import Any

from stripe_emulator.base.errors import CardError, InvalidRequest, NotFound
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.object_defaults import ADDRESS
from stripe_emulator.base.test_cards import BY_LAST4, BY_NUMBER, TestCard, is_luhn
from stripe_emulator.base.test_tokens import ACCOUNTS, ACCOUNTS_NAMED, TestAccount, card_of_token
from stripe_emulator.parameters.parameters import Parameters, missing_param, param_path
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.resources.payment_method_object import PaymentDetails, store
from stripe_emulator.storage.transaction import Transaction

_SEPARATORS = re.compile(r"[\s-]")
_LIVE_CARD = (
    "Your card was declined. Your request was in test mode, but used a non test (live) card. For "
    "a list of valid test cards, visit: https://stripe.com/docs/testing."
)
_USED = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer "
    "attachment, shared with a connected account without Customer attachment, or was detached "
    "from a Customer. It may not be used again. To use a PaymentMethod multiple times, you must "
    "attach it to a Customer first."
)
_ATTACHED = "The payment method you provided has already been attached to a customer."


def create(tx: Transaction, params: Parameters, path: str = "") -> StripeObject:
    """Create a PaymentMethod: POST /v1/payment_methods, or the `payment_method_data` at `path`."""
    if "type" not in params:
        raise missing_param(param_path(path, "type"))
    method_type: str = params["type"]
    param = param_path(path, method_type)
    if method_type not in params and method_type != "customer_balance":
        raise missing_param(param)
    details: Parameters = params.get(method_type, {})
    billing = params.get("billing_details", {})
    if method_type == "customer_balance":
        return _store(tx, _billed(PaymentDetails(method_type, "", ""), billing), params)
    if method_type == "card":
        payment_details = _card(tx, details, param, billing)
        return _store(tx, payment_details, params)
    account = _account(method_type, details, param)
    if method_type == "sepa_debit" and not (billing.get("name") and billing.get("email")):
        raise missing_param(param_path(param_path(path, "billing_details"), "email"))
    payment_details = PaymentDetails(account.type, "", "", last4=account.last4, answers={})
    return _store(tx, _billed(payment_details, billing), params, fails=not account.succeeds)


def _store(
    tx: Transaction, payment_details: PaymentDetails, params: Parameters, *, fails: bool = False
) -> StripeObject:
    return store(
        tx,
        payment_details,
        allow_redisplay=params.get("allow_redisplay", "unspecified"),
        metadata=merge_metadata(params.get("metadata")),
        private={"fails": True} if fails else None,
    )


def _billed(payment_details: PaymentDetails, billing: Parameters) -> PaymentDetails:
    """Return the details with the payer's billing details."""
    address = {**ADDRESS, **billing["address"]} if billing.get("address") else None
    return PaymentDetails(
        **payment_details.as_json()
        | {
            "email": billing.get("email") or "",
            "name": billing.get("name") or "",
            "answers": {
                "billing": address,
                "phone": billing.get("phone") or None,
                "tax_id": billing.get("tax_id"),
            },
        }
    )


def _card(tx: Transaction, params: Parameters, path: str, billing: Parameters) -> PaymentDetails:
    """Return the details of a test card by token or number. Only its last four digits are kept."""
    year = time.gmtime(tx.now).tm_year
    if "token" in params:
        card = card_of_token(params["token"]) if params["token"].startswith("tok_") else None
        if card is None:
            raise InvalidRequest.unknown("token", params["token"], param_path(path, "token"))
        month, year = 12, year + 1
    else:
        for name in ("number", "exp_month", "exp_year"):
            if name not in params:
                raise missing_param(param_path(path, name))
        card = _card_of_number(_SEPARATORS.sub("", params["number"]))
        month, year = _expiry(params, tx.now)
    return _billed(_means(card, month, year), billing)


def _means(card: TestCard, month: int, year: int) -> PaymentDetails:
    return PaymentDetails("card", "", "", card.brand, card.last4, month, year)


def _card_of_number(digits: str) -> TestCard:
    """Return the test card of a number. Raises CardError for any other number."""
    if not digits.isascii() or not digits.isdigit() or not is_luhn(digits):
        raise CardError("Your card number is incorrect.", code="incorrect_number", param="number")
    card = BY_NUMBER.get(digits)
    if card is None:
        raise CardError(_LIVE_CARD, code="card_declined", decline_code="test_mode_live_card")
    return card


def _expiry(params: Parameters, now: float) -> tuple[int, int]:
    month, year = params["exp_month"], params["exp_year"]
    year += 2000 if 0 <= year < 100 else 0
    today = time.gmtime(now)
    if not 1 <= month <= 12:
        raise CardError(
            "Your card's expiration month is invalid.",
            code="invalid_expiry_month",
            param="exp_month",
        )
    if (year, month) < (today.tm_year, today.tm_mon) or year > today.tm_year + 50:
        raise CardError(
            "Your card's expiration year is invalid.", code="invalid_expiry_year", param="exp_year"
        )
    return month, year


def _account(method_type: str, params: Parameters, path: str) -> TestAccount:
    """Return the test bank account of a number. Raises InvalidRequest for any other number."""
    field = "iban" if method_type == "sepa_debit" else "account_number"
    if field not in params:
        raise missing_param(param_path(path, field))
    number = _SEPARATORS.sub("", params[field]).upper()
    account = ACCOUNTS.get((method_type, number))
    if account is None:
        raise InvalidRequest(
            "This emulator takes Stripe's test accounts only, and kept nothing of this number.",
            param=param_path(path, field),
        )
    return account


def get_referenced_method(
    tx: Transaction, method_id: str, param: str = "payment_method"
) -> StripeObject:
    """Return the PaymentMethod that a parameter names; `pm_card_visa` and the like create a new
    one."""
    card, account = card_of_token(method_id), ACCOUNTS_NAMED.get(method_id)
    if method_id.startswith("pm_card_") and card:
        return store(tx, _means(card, 12, time.gmtime(tx.now).tm_year + 1))
    if account:
        payment_details = PaymentDetails(account.type, "", "", last4=account.last4)
        return store(tx, payment_details, private={} if account.succeeds else {"fails": True})
    method = tx.find(method_id, "payment_method")
    if method is None:
        raise InvalidRequest.unknown("payment_method", method_id, param)
    return method


def check_usable(tx: Transaction, method: StripeObject, customer: str | None, on: str) -> None:
    """Raise InvalidRequest for a method that is used up or another customer's."""
    owner = method["customer"]
    if owner and customer is None:
        raise InvalidRequest(
            "The provided PaymentMethod belongs to a customer. Please include the Customer in the "
            f"`customer` parameter on the {on}.",
            param="payment_method",
        )
    if owner != customer and owner:
        raise InvalidRequest(
            f"The customer does not have a payment method with the ID {method['id']}. The payment "
            "method must be attached to the customer.",
            param="payment_method",
        )
    if owner is None and tx.private(method["id"]).get("used"):
        raise InvalidRequest(_USED, param="payment_method")


def mark_used(tx: Transaction, method: StripeObject) -> None:
    """Mark a method without a customer as used: it pays only once."""
    tx.set_private(method["id"], tx.private(method["id"]) | {"used": True})


def attach_by_id(tx: Transaction, method_id: str, params: Parameters) -> StripeObject:
    """Attach a PaymentMethod (POST /v1/payment_methods/{id}/attach)."""
    try:
        method = get_referenced_method(tx, method_id)
    except InvalidRequest:
        raise NotFound.resource("payment_method", method_id, "payment_method") from None
    if "customer" not in params:
        raise missing_param("customer")
    return attach(tx, method, params["customer"])


def attach(tx: Transaction, method: StripeObject, customer_id: str) -> StripeObject:
    """Save a method for a customer. Raises CardError if its bank declines that."""
    customer = tx.get_referenced(customer_id, "customer", "customer")
    if method["customer"] == customer["id"]:
        return method
    if method["type"] == "customer_balance":
        raise InvalidRequest(
            "A payment method of type customer_balance cannot be attached to a customer.",
            param="payment_method",
        )
    if method["customer"]:
        raise InvalidRequest(_ATTACHED, code="payment_method_already_attached")
    if tx.private(method["id"]).get("used"):
        raise InvalidRequest(_USED, param="payment_method")
    card = BY_LAST4[method["card"]["last4"]] if method["type"] == "card" else None
    if card and card.cannot_be_saved:
        raise CardError(
            card.cannot_be_saved.message,
            code=card.cannot_be_saved.code,
            decline_code=card.cannot_be_saved.decline_code,
        )
    return save_for(tx, method, customer["id"])


def save_for(tx: Transaction, method: StripeObject, customer_id: str) -> StripeObject:
    """Set a method's customer and emit `payment_method.attached`."""
    method["customer"] = customer_id
    tx.save(method)
    tx.emit("payment_method.attached", method)
    return method


def detach(tx: Transaction, method: StripeObject, _params: Parameters) -> StripeObject:
    """Detach a PaymentMethod for good (POST /v1/payment_methods/{id}/detach)."""
    if not method["customer"]:
        raise InvalidRequest(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible.",
            param="payment_method",
        )
    method["customer"] = None
    tx.save(method)
    mark_used(tx, method)
    tx.emit("payment_method.detached", method)
    return method


def update(tx: Transaction, method: StripeObject, params: Parameters) -> StripeObject:
    """Update billing details, expiry and metadata (POST /v1/payment_methods/{id})."""
    changes: dict[str, Any] = {}
    if "allow_redisplay" in params:
        changes["allow_redisplay"] = params["allow_redisplay"]
    if "billing_details" in params:
        changes["billing_details"] = _changed_billing(
            method["billing_details"], params["billing_details"]
        )
    for kind in ("card", "us_bank_account"):
        if kind in params:
            changes[kind] = _changed_details(tx, method, kind, params[kind])
    if "metadata" in params:
        changes["metadata"] = merge_metadata(params["metadata"], method["metadata"])
    return tx.update("payment_method.updated", method, **changes)


def _changed_billing(before: Parameters, params: Parameters) -> dict[str, Any]:
    after = before | {name: value or None for name, value in params.items()}
    if "address" in params:
        after["address"] = {**ADDRESS, **(params["address"] or {})}
    return after


def _changed_details(
    tx: Transaction, method: StripeObject, kind: str, params: Parameters
) -> dict[str, Any]:
    if method["type"] != kind:
        raise InvalidRequest(
            f"You cannot update the {kind} of a PaymentMethod of type {method['type']}.",
            param=kind,
        )
    after: dict[str, Any] = method[kind] | {
        name: value for name, value in params.items() if name != "networks"
    }
    if "networks" in params:
        preferred = params["networks"].get("preferred") or None
        after["networks"] = after["networks"] | {"preferred": preferred}
    if kind == "card":
        _expiry(after, tx.now)
    return after

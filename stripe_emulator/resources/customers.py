"""Customers: their data and their saved payment methods."""

from typing import Any

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.ids import new_id, token
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.object_defaults import ADDRESS, NullableDefault, with_defaults
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import payment_methods
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.resources.payment_method_object import PaymentDetails
from stripe_emulator.storage.transaction import Transaction

BLANK: dict[str, Any] = {
    "address": NullableDefault(ADDRESS),
    "balance": 0,
    "business_name": None,
    "description": None,
    "email": None,
    "individual_name": None,
    "invoice_prefix": None,
    "invoice_settings": {
        "custom_fields": None,
        "default_payment_method": None,
        "footer": None,
        "rendering_options": NullableDefault(amount_tax_display=None, template=None),
    },
    "name": None,
    "next_invoice_sequence": 1,
    "phone": None,
    "preferred_locales": [],
    "shipping": NullableDefault(address=ADDRESS, name=None, phone=None),
    "tax_exempt": "none",
}
"""Parameters that a customer shows as they were sent, with their defaults."""

_NOTHING = ("currency", "default_source", "discount", "test_clock")


def check_email(email: str, param: str) -> None:
    """Raise InvalidRequest for an invalid email address. An empty one unsets it."""
    if email and "@" not in email:
        raise InvalidRequest(
            f"Invalid email address: {email[:200]}", code="email_invalid", param=param
        )


def create(tx: Transaction, params: Parameters) -> StripeObject:
    """Create a customer (POST /v1/customers)."""
    check_email(params.get("email", ""), "email")
    customer = tx.add(
        {
            "id": new_id("customer"),
            "object": "customer",
            **dict.fromkeys(_NOTHING),
            **with_defaults(BLANK, {name: params[name] for name in BLANK if name in params}),
            "created": tx.seconds,
            "delinquent": False,
            "invoice_prefix": params.get("invoice_prefix") or token(8).upper(),
            "livemode": False,
            "metadata": merge_metadata(params.get("metadata")),
        }
    )
    _check_default_method(tx, customer["id"], params.get("invoice_settings", {}), params)
    tx.emit("customer.created", customer)
    if "payment_method" in params:
        method = payment_methods.get_referenced_method(tx, params["payment_method"])
        payment_methods.attach(tx, method, customer["id"])
        if customer["invoice_settings"]["default_payment_method"]:
            customer["invoice_settings"]["default_payment_method"] = method["id"]
            tx.save(customer)
    return customer


def _check_default_method(
    tx: Transaction, customer_id: str, settings: Parameters, params: Parameters
) -> None:
    """Check that a default method is the customer's own, or the one that this request attaches."""
    method_id = settings.get("default_payment_method")
    if not method_id or method_id == params.get("payment_method"):
        return
    method = tx.find(method_id, "payment_method")
    if method is None or method["customer"] != customer_id:
        raise InvalidRequest(
            f"The customer does not have a payment method with the ID {method_id}. The payment "
            "method must be attached to the customer.",
            code="resource_missing",
            param="invoice_settings[default_payment_method]",
        )


def update(tx: Transaction, customer: StripeObject, params: Parameters) -> StripeObject:
    """Update a customer (POST /v1/customers/{id})."""
    check_email(params.get("email", ""), "email")
    changes = {name: with_defaults(BLANK[name], params[name]) for name in BLANK if name in params}
    if "invoice_settings" in params:
        _check_default_method(tx, customer["id"], params["invoice_settings"], params)
        settings = customer["invoice_settings"] | params["invoice_settings"]
        changes["invoice_settings"] = with_defaults(BLANK["invoice_settings"], settings)
    if "metadata" in params:
        changes["metadata"] = merge_metadata(params["metadata"], customer["metadata"])
    return tx.update("customer.updated", customer, **changes)


def delete(tx: Transaction, customer: StripeObject) -> StripeObject:
    """Delete a customer (DELETE /v1/customers/{id}). Its payments stay, and still name it."""
    tx.emit("customer.deleted", customer)
    deleted = {"id": customer["id"], "object": "customer", "deleted": True}
    tx.save(deleted)
    return deleted


def create_for_session(
    tx: Transaction, session: StripeObject, payment_details: PaymentDetails
) -> None:
    """Create the session's Customer at the first attempt to pay, if the session needs one.

    It needs one for `customer_creation=always`, and to save a payment method. Whether Stripe has
    created it after a declined card is unverified.
    """
    saves = tx.private(session["id"]).get("payment_intent_data", {}).get("setup_future_usage")
    if session["customer"] or (session["customer_creation"] != "always" and not saves):
        return
    answers = payment_details.answers
    details = {
        "address": answers.get("billing"),
        "email": payment_details.email,
        "name": payment_details.name,
        "phone": answers.get("phone"),
        "shipping": answers.get("shipping"),
    }
    session["customer"] = create(
        tx, {name: answered for name, answered in details.items() if answered}
    )["id"]
    tx.save(session)


def save_answers(
    tx: Transaction, session: StripeObject, answers: dict[str, Any], name: str
) -> None:
    """Save the buyer's answers that `customer_update` names, after a purchase."""
    updates = tx.private(session["id"]).get("customer_update") or {}
    customer = tx.find(session["customer"], "customer") if session["customer"] else None
    if customer is None or customer.get("deleted"):
        return
    shipping = answers.get("shipping")
    answered = {
        "address": answers.get("billing"),
        "name": name or None,
        "shipping": shipping and {**shipping, "phone": answers.get("phone")},
    }
    changes = {
        field: answered[field]
        for field in answered
        if answered[field] and updates.get(field) == "auto"
    }
    if changes:
        tx.update("customer.updated", customer, **changes)

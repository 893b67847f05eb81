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


def create(tx: Transaction, given: Parameters) -> StripeObject:
    """Create a customer (POST /v1/customers)."""
    check_email(given.get("email", ""), "email")
    customer = tx.add(
        {
            "id": new_id("customer"),
            "object": "customer",
            **dict.fromkeys(_NOTHING),
            **with_defaults(BLANK, {name: given[name] for name in BLANK if name in given}),
            "created": tx.seconds,
            "delinquent": False,
            "invoice_prefix": given.get("invoice_prefix") or token(8).upper(),
            "livemode": False,
            "metadata": merge_metadata(given.get("metadata")),
        }
    )
    _check_default_method(tx, customer["id"], given.get("invoice_settings", {}), given)
    tx.emit("customer.created", customer)
    if "payment_method" in given:
        method = payment_methods.get_referenced_method(tx, given["payment_method"])
        payment_methods.attach(tx, method, customer["id"])
        if customer["invoice_settings"]["default_payment_method"]:
            customer["invoice_settings"]["default_payment_method"] = method["id"]
            tx.save(customer)
    return customer


def _check_default_method(
    tx: Transaction, customer_id: str, settings: Parameters, given: Parameters
) -> None:
    """Check that a default method is the customer's own, or the one that this request attaches."""
    method_id = settings.get("default_payment_method")
    if not method_id or method_id == given.get("payment_method"):
        return
    method = tx.find(method_id, "payment_method")
    if method is None or method["customer"] != customer_id:
        raise InvalidRequest(
            f"The customer does not have a payment method with the ID {method_id}. The payment "
            "method must be attached to the customer.",
            code="resource_missing",
            param="invoice_settings[default_payment_method]",
        )


def update(tx: Transaction, customer: StripeObject, given: Parameters) -> StripeObject:
    """Update a customer (POST /v1/customers/{id})."""
    check_email(given.get("email", ""), "email")
    news = {name: with_defaults(BLANK[name], given[name]) for name in BLANK if name in given}
    if "invoice_settings" in given:
        _check_default_method(tx, customer["id"], given["invoice_settings"], given)
        settings = customer["invoice_settings"] | given["invoice_settings"]
        news["invoice_settings"] = with_defaults(BLANK["invoice_settings"], settings)
    if "metadata" in given:
        news["metadata"] = merge_metadata(given["metadata"], customer["metadata"])
    return tx.update("customer.updated", customer, **news)


def delete(tx: Transaction, customer: StripeObject) -> StripeObject:
    """Delete a customer (DELETE /v1/customers/{id}). Its payments stay, and still name it."""
    tx.emit("customer.deleted", customer)
    gone = {"id": customer["id"], "object": "customer", "deleted": True}
    tx.save(gone)
    return gone


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
    known = {
        "address": answers.get("billing"),
        "email": payment_details.email,
        "name": payment_details.name,
        "phone": answers.get("phone"),
        "shipping": answers.get("shipping"),
    }
    session["customer"] = create(tx, {name: told for name, told in known.items() if told})["id"]
    tx.save(session)


def save_answers(
    tx: Transaction, session: StripeObject, answers: dict[str, Any], name: str
) -> None:
    """Save the buyer's answers that `customer_update` names, after a purchase."""
    wanted = tx.private(session["id"]).get("customer_update") or {}
    found = tx.find(session["customer"], "customer") if session["customer"] else None
    if found is None or found.get("deleted"):
        return
    shipping = answers.get("shipping")
    told = {
        "address": answers.get("billing"),
        "name": name or None,
        "shipping": shipping and {**shipping, "phone": answers.get("phone")},
    }
    news = {field: told[field] for field in told if told[field] and wanted.get(field) == "auto"}
    if news:
        tx.update("customer.updated", found, **news)

"""Customers: what is known about them, and the methods that are saved for them."""

from typing import Any

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.ids import new_id, token
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.object_defaults import ADDRESS, Maybe, shown
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import saved_payment_methods
from stripe_emulator.resources.payment_methods import Means
from stripe_emulator.resources.products import metadata_of
from stripe_emulator.storage.transaction import Books

BLANK: dict[str, Any] = {
    "address": Maybe(ADDRESS),
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
        "rendering_options": Maybe(amount_tax_display=None, template=None),
    },
    "name": None,
    "next_invoice_sequence": 1,
    "phone": None,
    "preferred_locales": [],
    "shipping": Maybe(address=ADDRESS, name=None, phone=None),
    "tax_exempt": "none",
}
"""Parameters that come back as they came, and what stands there without them."""

_NOTHING = ("currency", "default_source", "discount", "test_clock")


def check_email(email: str, param: str) -> None:
    """Raises InvalidRequest for what is no address. An empty one unsets it."""
    if email and "@" not in email:
        raise InvalidRequest(
            f"Invalid email address: {email[:200]}", code="email_invalid", param=param
        )


def create(books: Books, given: Parameters) -> StripeObject:
    """POST /v1/customers"""
    check_email(given.get("email", ""), "email")
    customer = books.add(
        {
            "id": new_id("customer"),
            "object": "customer",
            **dict.fromkeys(_NOTHING),
            **shown(BLANK, {name: given[name] for name in BLANK if name in given}),
            "created": books.seconds,
            "delinquent": False,
            "invoice_prefix": given.get("invoice_prefix") or token(8).upper(),
            "livemode": False,
            "metadata": metadata_of(given.get("metadata")),
        }
    )
    _check_default_method(books, customer["id"], given.get("invoice_settings", {}), given)
    books.emit("customer.created", customer)
    if "payment_method" in given:
        method = saved_payment_methods.referred_method(books, given["payment_method"])
        saved_payment_methods.attach(books, method, customer["id"])
        if customer["invoice_settings"]["default_payment_method"]:
            customer["invoice_settings"]["default_payment_method"] = method["id"]
            books.save(customer)
    return customer


def _check_default_method(
    books: Books, customer_id: str, settings: Parameters, given: Parameters
) -> None:
    """A default method is the customer's own, or the one that this request attaches."""
    method_id = settings.get("default_payment_method")
    if not method_id or method_id == given.get("payment_method"):
        return
    method = books.find(method_id, "payment_method")
    if method is None or method["customer"] != customer_id:
        raise InvalidRequest(
            f"The customer does not have a payment method with the ID {method_id}. The payment "
            "method must be attached to the customer.",
            code="resource_missing",
            param="invoice_settings[default_payment_method]",
        )


def update(books: Books, customer: StripeObject, given: Parameters) -> StripeObject:
    """POST /v1/customers/{id}"""
    check_email(given.get("email", ""), "email")
    news = {name: shown(BLANK[name], given[name]) for name in BLANK if name in given}
    if "invoice_settings" in given:
        _check_default_method(books, customer["id"], given["invoice_settings"], given)
        settings = customer["invoice_settings"] | given["invoice_settings"]
        news["invoice_settings"] = shown(BLANK["invoice_settings"], settings)
    if "metadata" in given:
        news["metadata"] = metadata_of(given["metadata"], customer["metadata"])
    return books.change("customer.updated", customer, **news)


def delete(books: Books, customer: StripeObject) -> StripeObject:
    """DELETE /v1/customers/{id}. What was paid stays, and goes on naming the customer."""
    books.emit("customer.deleted", customer)
    gone = {"id": customer["id"], "object": "customer", "deleted": True}
    books.save(gone)
    return gone


def created_by(books: Books, session: StripeObject, means: Means) -> None:
    """The Customer that a session asks for, made by the first try to pay.

    It does so by `customer_creation=always` or by a method that is saved for later.

    Whether Stripe has it already after a declined card is unverified.
    """
    saves = books.hidden(session["id"]).get("payment_intent_data", {}).get("setup_future_usage")
    if session["customer"] or (session["customer_creation"] != "always" and not saves):
        return
    answers = means.answers
    known = {
        "address": answers.get("billing"),
        "email": means.email,
        "name": means.name,
        "phone": answers.get("phone"),
        "shipping": answers.get("shipping"),
    }
    session["customer"] = create(books, {name: told for name, told in known.items() if told})["id"]
    books.save(session)


def keep_answers(books: Books, session: StripeObject, answers: dict[str, Any], name: str) -> None:
    """After a purchase: what `customer_update` says shall be kept of the buyer's answers."""
    wanted = books.hidden(session["id"]).get("customer_update") or {}
    found = books.find(session["customer"], "customer") if session["customer"] else None
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
        books.change("customer.updated", found, **news)

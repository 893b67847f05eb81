"""Checkout Sessions in payment mode: made, expired, and what their parameters must be."""

from typing import Any

from store.emulator import items, money, session_rules
from store.emulator.books import Books
from store.emulator.catalog import metadata_of, not_imitated
from store.emulator.errors import InvalidRequest, Refused
from store.emulator.ids import new_id
from store.emulator.parameters import Parameters
from store.emulator.records import StripeObject
from store.emulator.session_rules import PLACEHOLDER

MINUTE, DAY = 60, 86400

REFLECTED = (
    *("allow_promotion_codes", "billing_address_collection", "cancel_url", "client_reference_id"),
    *("customer_email", "integration_identifier", "locale", "origin_context", "submit_type"),
)
"""Shown on the session as they came; they change nothing else here."""


def create(books: Books, given: Parameters) -> StripeObject:
    """POST /v1/checkout/sessions"""
    session_rules.check(given)
    lines = items.priced(books, given.get("line_items", []), given.get("currency"))
    total = sum(line.amount for line in lines)
    money.check_total(total, lines[0].currency)
    session = _blank(books, given)
    session |= {
        "amount_subtotal": total,
        "amount_total": total,
        "currency": lines[0].currency,
        "expires_at": _expires_at(given, books.seconds),
        "payment_method_types": _methods(given, lines[0].currency),
        "url": f"{books.address}/c/pay/{session['id']}",
    }
    books.add(session, hidden={"payment_intent_data": given.get("payment_intent_data", {})})
    for line in lines:
        items.store(books, line, session["id"])
    books.later(session["expires_at"] - books.now, "expire_session", session["id"])
    return session


def _expires_at(given: Parameters, now: int) -> int:
    """Between 30 minutes and 24 hours from now; 24 hours by default."""
    moment: int = given.get("expires_at", now + DAY)
    if moment < now + 30 * MINUTE:
        raise InvalidRequest(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session "
            "creation.",
            param="expires_at",
        )
    if moment > now + DAY:
        raise InvalidRequest(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    return moment


def delayed_method(currency: str) -> str:
    """The bank debit the emulator offers: it is confirmed days later."""
    return "us_bank_account" if currency == "usd" else "sepa_debit"


def _methods(given: Parameters, currency: str) -> list[str]:
    """Dynamic payment methods, as far as the pay page goes: a card, or a bank debit."""
    offered = ["card", delayed_method(currency)]
    allowed = given.get("allowed_payment_method_types")
    if not allowed:
        return offered
    fitting = [method for method in offered if method in allowed]
    if not fitting:
        raise not_imitated(
            f"any of these payment methods, only {' and '.join(offered)}",
            "allowed_payment_method_types",
        )
    return fitting


def _blank(books: Books, given: Parameters) -> StripeObject:
    """A Session with everything but its money."""
    session: dict[str, Any] = {
        "id": new_id("checkout.session"),
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": given.get("adaptive_pricing", {}).get("enabled", False)},
        "after_expiration": None,
        "allowed_payment_method_types": given.get("allowed_payment_method_types"),
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": books.seconds,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": _custom_text(given.get("custom_text", {})),
        "customer": None,
        "customer_account": None,
        "customer_creation": "if_required",
        "customer_details": _prefilled(given.get("customer_email")),
        "discounts": [],
        "excluded_payment_method_types": None,
        "invoice": None,
        "invoice_creation": _no_invoice(),
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": metadata_of(given.get("metadata")),
        "mode": "payment",
        "optional_items": [],
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "subscription": None,
        "success_url": given["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "wallet_options": None,
    }
    if "branding_settings" in given:
        session["branding_settings"] = _branding(given["branding_settings"])
    return session | {name: given.get(name) for name in REFLECTED}


def _custom_text(given: Parameters) -> dict[str, Any]:
    places = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
    return {place: given.get(place) or None for place in places}


def _branding(given: Parameters) -> dict[str, Any]:
    blank = {
        "background_color": "#ffffff",
        "border_style": "rounded",
        "button_color": "#0074d4",
        "display_name": "Emulator",
        "font_family": "default",
        "icon": None,
        "logo": None,
    }
    return blank | {name: value for name, value in given.items() if value != ""}


def _prefilled(email: str | None) -> dict[str, Any] | None:
    """What is known about the customer before they pay."""
    return customer_details(email) if email else None


def customer_details(email: str | None, name: str | None = None) -> dict[str, Any]:
    """Who paid. The pay page asks for no address."""
    return {
        "address": None,
        "business_name": None,
        "email": email or None,
        "individual_name": None,
        "name": name or None,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }


def _no_invoice() -> dict[str, Any]:
    blank = ("account_tax_ids", "custom_fields", "description", "footer", "issuer")
    return {
        "enabled": False,
        "invoice_data": {
            **dict.fromkeys(blank),
            "metadata": {},
            "rendering_options": None,
        },
    }


def expire(books: Books, session: StripeObject) -> StripeObject:
    """POST /v1/checkout/sessions/{id}/expire: only an open session can."""
    if session["status"] != "open":
        raise Refused(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of `{session['status']}`."
        )
    session |= {"status": "expired", "url": None}
    books.save(session)
    books.never("expire_session", session["id"])
    books.emit("checkout.session.expired", session)
    return session


def expire_in_time(books: Books, session_id: str) -> None:
    """The timer's side of it: whatever is no longer open stays as it is."""
    session = books.get(session_id, "checkout.session")
    if session["status"] == "open":
        expire(books, session)


def success_url(session: StripeObject) -> str | None:
    """Where the buyer goes after paying. The placeholder is replaced as literal text only."""
    url: str | None = session["success_url"]
    return url.replace(PLACEHOLDER, session["id"]) if url else None

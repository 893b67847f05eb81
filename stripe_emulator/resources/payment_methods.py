"""PaymentMethods: what a buyer paid with, as far as it may be kept."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.object_defaults import ADDRESS
from stripe_emulator.base.test_cards import BY_LAST4
from stripe_emulator.storage.transaction import Books


@dataclass(frozen=True)
class Means:
    """What the buyer filled in. Of a card number only brand and last four digits remain."""

    type: str
    email: str
    name: str
    brand: str = ""
    last4: str = ""
    exp_month: int = 0
    exp_year: int = 0
    answers: dict[str, Any] = field(default_factory=dict)
    """What else the page asked for; see `collected_fields.py`."""

    def kept(self) -> dict[str, Any]:
        """All that survives the page, for a 3-D Secure question in between."""
        return asdict(self)


def billing_details(means: Means) -> dict[str, Any]:
    """Stripe's billing details; without an address where the page asked for none."""
    return {
        "address": means.answers.get("billing") or ADDRESS,
        "email": means.email or None,
        "name": means.name or None,
        "phone": means.answers.get("phone"),
        "tax_id": means.answers.get("tax_id"),
    }


def new_method(books: Books, session: StripeObject, means: Means) -> StripeObject:
    """Store the PaymentMethod a session is paid with."""
    asked = books.hidden(session["id"]).get("payment_method_data", {})
    return store(books, means, allow_redisplay=asked.get("allow_redisplay", "limited"))


def store(
    books: Books,
    means: Means,
    *,
    allow_redisplay: str = "unspecified",
    metadata: dict[str, str] | None = None,
    hidden: dict[str, Any] | None = None,
) -> StripeObject:
    """Store a PaymentMethod that belongs to nobody yet."""
    details = _DETAILS[means.type]
    return books.add(
        {
            "id": new_id("payment_method"),
            "object": "payment_method",
            "allow_redisplay": allow_redisplay,
            "billing_details": billing_details(means),
            means.type: details(means),
            "created": books.seconds,
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": metadata or {},
            "type": means.type,
        },
        hidden=hidden,
    )


def means_of(method: StripeObject) -> Means:
    """What a stored PaymentMethod pays with."""
    billing, details = method["billing_details"], method[method["type"]]
    return Means(
        type=method["type"],
        email=billing["email"] or "",
        name=billing["name"] or "",
        brand=details.get("brand", ""),
        last4=details.get("last4", ""),
        exp_month=details.get("exp_month", 0),
        exp_year=details.get("exp_year", 0),
        answers={
            "billing": billing["address"],
            "phone": billing["phone"],
            "tax_id": billing["tax_id"],
        },
    )


def _card(means: Means) -> dict[str, Any]:
    return {
        "brand": means.brand,
        "checks": _checks(),
        "country": "US",
        "display_brand": means.brand,
        "exp_month": means.exp_month,
        "exp_year": means.exp_year,
        "fingerprint": _fingerprint(means),
        "funding": BY_LAST4[means.last4].funding,
        "generated_from": None,
        "last4": means.last4,
        "networks": {"available": [means.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _us_bank(means: Means) -> dict[str, Any]:
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "EMULATOR BANK",
        "financial_connections_account": None,
        "fingerprint": _fingerprint(means),
        "last4": means.last4,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
        "status_details": {},
    }


def _sepa(means: Means) -> dict[str, Any]:
    return {
        "bank_code": "19043",
        "branch_code": "",
        "country": "AT",
        "fingerprint": _fingerprint(means),
        "generated_from": None,
        "last4": means.last4,
    }


_DETAILS: dict[str, Callable[[Means], dict[str, Any]]] = {
    "card": _card,
    "customer_balance": lambda _: {},
    "sepa_debit": _sepa,
    "us_bank_account": _us_bank,
}


def _checks() -> dict[str, Any]:
    return {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}


def _fingerprint(means: Means) -> str:
    """The same for the same card, which is all a fingerprint promises."""
    return f"{means.type[:4]}{means.brand}{means.last4}".ljust(16, "x")[:16]


def charge_details(means: Means, *, authenticated: bool) -> dict[str, Any]:
    """`payment_method_details` of a Charge."""
    if means.type == "us_bank_account":
        method = _us_bank(means)
        for name in ("financial_connections_account", "networks", "status_details"):
            method.pop(name)
        method |= {"expected_debit_date": None, "mandate": None, "payment_reference": None}
    elif means.type == "sepa_debit":
        method = _sepa(means) | {"expected_debit_date": None, "mandate": None}
        method.pop("generated_from")
    elif means.type == "customer_balance":
        method = {}
    else:
        method = _charged_card(means, authenticated=authenticated)
    return {means.type: method, "type": means.type}


def _charged_card(means: Means, *, authenticated: bool) -> dict[str, Any]:
    secure = {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "exemption_indicator_applied": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
    return {
        "amount_authorized": None,
        "authorization_code": None,
        "brand": means.brand,
        "checks": _checks(),
        "country": "US",
        "exp_month": means.exp_month,
        "exp_year": means.exp_year,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": _fingerprint(means),
        "funding": BY_LAST4[means.last4].funding,
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": means.last4,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": means.brand,
        "network_token": {"used": False},
        "network_transaction_id": None,
        "regulated_status": "unregulated",
        "three_d_secure": secure if authenticated else None,
        "wallet": None,
    }

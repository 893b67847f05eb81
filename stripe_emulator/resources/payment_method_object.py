"""The PaymentMethod object, with only the data of a card or account that may be stored."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.object_defaults import ADDRESS
from stripe_emulator.base.test_cards import BY_LAST4
from stripe_emulator.storage.transaction import Transaction


@dataclass(frozen=True)
class PaymentDetails:
    """What the buyer entered. Of a card number only the brand and the last four digits are kept."""

    type: str
    email: str
    name: str
    brand: str = ""
    last4: str = ""
    exp_month: int = 0
    exp_year: int = 0
    answers: dict[str, Any] = field(default_factory=dict)
    """The answers to the other fields of the page; see `collected_fields.py`."""

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON, to store it during a 3-D Secure challenge."""
        return asdict(self)


def billing_details(payment_details: PaymentDetails) -> dict[str, Any]:
    """Return Stripe's billing details; without an address if the page collected none."""
    return {
        "address": payment_details.answers.get("billing") or ADDRESS,
        "email": payment_details.email or None,
        "name": payment_details.name or None,
        "phone": payment_details.answers.get("phone"),
        "tax_id": payment_details.answers.get("tax_id"),
    }


def new_method(
    tx: Transaction, session: StripeObject, payment_details: PaymentDetails
) -> StripeObject:
    """Store the PaymentMethod of a session's payment."""
    method_data = tx.private(session["id"]).get("payment_method_data", {})
    return store(tx, payment_details, allow_redisplay=method_data.get("allow_redisplay", "limited"))


def store(
    tx: Transaction,
    payment_details: PaymentDetails,
    *,
    allow_redisplay: str = "unspecified",
    metadata: dict[str, str] | None = None,
    private: dict[str, Any] | None = None,
) -> StripeObject:
    """Store a PaymentMethod without a customer."""
    details = _DETAILS[payment_details.type]
    return tx.add(
        {
            "id": new_id("payment_method"),
            "object": "payment_method",
            "allow_redisplay": allow_redisplay,
            "billing_details": billing_details(payment_details),
            payment_details.type: details(payment_details),
            "created": tx.seconds,
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": metadata or {},
            "type": payment_details.type,
        },
        private=private,
    )


def payment_details_of(method: StripeObject) -> PaymentDetails:
    """Return the payment details of a stored PaymentMethod."""
    billing, details = method["billing_details"], method[method["type"]]
    return PaymentDetails(
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


def _card(payment_details: PaymentDetails) -> dict[str, Any]:
    return {
        "brand": payment_details.brand,
        "checks": _checks(),
        "country": "US",
        "display_brand": payment_details.brand,
        "exp_month": payment_details.exp_month,
        "exp_year": payment_details.exp_year,
        "fingerprint": _fingerprint(payment_details),
        "funding": BY_LAST4[payment_details.last4].funding,
        "generated_from": None,
        "last4": payment_details.last4,
        "networks": {"available": [payment_details.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _us_bank(payment_details: PaymentDetails) -> dict[str, Any]:
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "EMULATOR BANK",
        "financial_connections_account": None,
        "fingerprint": _fingerprint(payment_details),
        "last4": payment_details.last4,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
        "status_details": {},
    }


def _sepa(payment_details: PaymentDetails) -> dict[str, Any]:
    return {
        "bank_code": "19043",
        "branch_code": "",
        "country": "AT",
        "fingerprint": _fingerprint(payment_details),
        "generated_from": None,
        "last4": payment_details.last4,
    }


_DETAILS: dict[str, Callable[[PaymentDetails], dict[str, Any]]] = {
    "card": _card,
    "customer_balance": lambda _: {},
    "sepa_debit": _sepa,
    "us_bank_account": _us_bank,
}


def _checks() -> dict[str, Any]:
    return {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}


def _fingerprint(payment_details: PaymentDetails) -> str:
    """Return the fingerprint: the same for the same card."""
    return f"{payment_details.type[:4]}{payment_details.brand}{payment_details.last4}".ljust(
        16, "x"
    )[:16]


def charge_details(payment_details: PaymentDetails, *, authenticated: bool) -> dict[str, Any]:
    """Return the `payment_method_details` of a Charge."""
    if payment_details.type == "us_bank_account":
        method = _us_bank(payment_details)
        for name in ("financial_connections_account", "networks", "status_details"):
            method.pop(name)
        method |= {"expected_debit_date": None, "mandate": None, "payment_reference": None}
    elif payment_details.type == "sepa_debit":
        method = _sepa(payment_details) | {"expected_debit_date": None, "mandate": None}
        method.pop("generated_from")
    elif payment_details.type == "customer_balance":
        method = {}
    else:
        method = _charged_card(payment_details, authenticated=authenticated)
    return {payment_details.type: method, "type": payment_details.type}


def _charged_card(payment_details: PaymentDetails, *, authenticated: bool) -> dict[str, Any]:
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
        "brand": payment_details.brand,
        "checks": _checks(),
        "country": "US",
        "exp_month": payment_details.exp_month,
        "exp_year": payment_details.exp_year,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": _fingerprint(payment_details),
        "funding": BY_LAST4[payment_details.last4].funding,
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": payment_details.last4,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": payment_details.brand,
        "network_token": {"used": False},
        "network_transaction_id": None,
        "regulated_status": "unregulated",
        "three_d_secure": secure if authenticated else None,
        "wallet": None,
    }

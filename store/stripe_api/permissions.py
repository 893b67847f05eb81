"""The permissions that the shop's key needs at Stripe, and one harmless request for each.

A request here either reads, or names what cannot exist: Stripe checks the key's permissions first,
so that an answer about the parameters (400 or 404) means that the key may do it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from store.core.errors import StripeRefused
from store.stripe_api import requests, transport

NOBODYS_SESSION = "/v1/checkout/sessions/cs_test_doctor"


@dataclass(frozen=True)
class Permission:
    """A permission as Stripe's Dashboard calls it, and what the shop uses it for."""

    name: str
    purpose: str
    method: str
    path: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


NEEDED = (
    Permission(
        "Checkout Sessions: Write",
        "create checkouts",
        "POST",
        requests.SESSIONS,
        {"mode": "doctor"},
    ),
    Permission(
        "Checkout Sessions: Write",
        "expire checkouts",
        "POST",
        f"{NOBODYS_SESSION}/expire",
    ),
    Permission("Checkout Sessions: Read", "look a checkout up", "GET", NOBODYS_SESSION),
    Permission("Checkout Sessions: Read", "list checkouts", "GET", requests.SESSIONS, {"limit": 1}),
    Permission("PaymentIntents: Read", "look a payment up", "GET", "/v1/payment_intents/pi_doctor"),
    Permission("Charges and Refunds: Read", "look a charge up", "GET", "/v1/charges/ch_doctor"),
    Permission("Charges and Refunds: Read", "list refunds", "GET", "/v1/refunds", {"limit": 1}),
    Permission(
        "Charges and Refunds: Write",
        "refund a payment",
        "POST",
        "/v1/refunds",
        {"payment_intent": "pi_doctor", "reason": "doctor"},
    ),
    Permission("Disputes: Read", "list disputes", "GET", "/v1/disputes", {"limit": 1}),
    Permission("Events: Read", "fetch webhooks that got lost", "GET", "/v1/events", {"limit": 1}),
)
"""Write includes read. Seeing the own account is no permission that a restricted key can have."""


def attempt(permission: Permission) -> None:
    """Try what a permission is for.

    Raises:
        StripePermissionMissing: the key lacks it.
        StripeError: it could not be tried.
    """
    ask = transport.post if permission.method == "POST" else transport.get
    try:
        ask(permission.path, permission.parameters)
    except StripeRefused:
        return  # Stripe read the parameters, so the key may do this

"""The permissions that the shop's key needs at Stripe, and one harmless request for each.

A request here either reads, or names an object that cannot exist: Stripe checks the permissions
first, so an error about the parameters (400 or 404) means that the key has the permission.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from store.core.errors import StripeRefused
from store.stripe_api import transport
from store.stripe_api.requests import SESSIONS

MISSING_SESSION = f"{SESSIONS}/cs_test_doctor"
WRONG_CHECKOUT = {"mode": "doctor"}
WRONG_REFUND = {"payment_intent": "pi_doctor", "reason": "doctor"}


class Permission(NamedTuple):
    """A permission by its name in Stripe's Dashboard, and what the shop uses it for."""

    name: str
    purpose: str
    method: str
    path: str
    parameters: Mapping[str, Any] = {}


NEEDED = (
    Permission("Checkout Sessions: Write", "create checkouts", "POST", SESSIONS, WRONG_CHECKOUT),
    Permission("Checkout Sessions: Write", "expire checkouts", "POST", f"{MISSING_SESSION}/expire"),
    Permission("Checkout Sessions: Read", "look a checkout up", "GET", MISSING_SESSION),
    Permission("Checkout Sessions: Read", "list checkouts", "GET", SESSIONS, {"limit": 1}),
    Permission("PaymentIntents: Read", "look a payment up", "GET", "/v1/payment_intents/pi_doctor"),
    Permission("Charges and Refunds: Read", "look a charge up", "GET", "/v1/charges/ch_doctor"),
    Permission("Charges and Refunds: Read", "list refunds", "GET", "/v1/refunds", {"limit": 1}),
    Permission(
        "Charges and Refunds: Write", "refund a payment", "POST", "/v1/refunds", WRONG_REFUND
    ),
    Permission("Disputes: Read", "list disputes", "GET", "/v1/disputes", {"limit": 1}),
    Permission("Events: Read", "fetch webhooks that got lost", "GET", "/v1/events", {"limit": 1}),
)
"""Write includes read. Reading the own account is not a permission of restricted keys."""


def attempt(permission: Permission) -> None:
    """Make the harmless request of a permission; StripePermissionMissing if the key lacks it."""
    with suppress(StripeRefused):  # Stripe checked the parameters, so the key has the permission
        transport.call_with_retry(permission.method, permission.path, permission.parameters)

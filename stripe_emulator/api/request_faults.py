"""What a fault does to one API request, and which names of a request it matches.

`faults.py` stores the faults; `asgi.py` applies those of the connection (slow, cut, hang).
"""

from collections.abc import Mapping
from typing import Any

from stripe_emulator.base.errors import (
    ApiError,
    NotFound,
    PermissionMissing,
    RateLimited,
    Refused,
)
from stripe_emulator.base.ids import PREFIXES
from stripe_emulator.base.models import Fault

ACCOUNT_ID = "acct_1Emulator00000000"
CURSORS = ("starting_after", "ending_before", "expand")
PERMISSIONS = {
    "checkout": "checkout_session",
    "refund": "charge",
    "price": "plan",
    "webhook_endpoint": "webhook",
    "balance_transaction": "balance_transaction_source",
}
"""Permissions whose name differs from their resource's: `rak_<name>_read` and
`rak_<name>_write`."""

REFUSALS: dict[str, tuple[str, str | None]] = {
    "insufficient_funds": (
        "Insufficient funds in your Stripe balance to refund this amount.",
        "insufficient_funds",
    ),
    "no_code": ("Insufficient funds in your Stripe balance to refund this amount.", None),
    "charge_already_refunded": (
        "Charge {id} has already been refunded.",
        "charge_already_refunded",
    ),
    "charge_disputed": (
        "Charge {id} has been charged back; cannot issue a refund.",
        "charge_disputed",
    ),
    "amount_too_large": (
        "Refund amount ($20.00) is greater than unrefunded amount on charge ($10.00)",
        "amount_too_large",
    ),
    "resource_missing": ("No such payment_intent: '{id}'", "resource_missing"),
    "payment_intent_unexpected_state": (
        "This PaymentIntent ({id}) does not have a successful charge to refund.",
        "payment_intent_unexpected_state",
    ),
}
"""Message and code by the fault's value. Stripe has also returned the first one without any code
(github.com/Automattic/woocommerce-payments/issues/10025)."""


def names(call: str, address: str, object_id: str, raw: Mapping[str, Any]) -> list[str]:
    """Return what a fault's `match` is compared with: the call, its address and every id it names.

    Cursors of lists are left out: a fault of one object does not stop the pages after it.
    """
    values = [value for name, value in raw.items() if name not in CURSORS]
    ids = [object_id, *(value for value in values if isinstance(value, str))]
    return [call, address, *filter(None, ids)]


def subject(object_id: str, raw: Mapping[str, Any]) -> str:
    """Return the id a request is about, from its path or its parameters; "" for none."""
    values = [value for name, value in raw.items() if name not in CURSORS]
    return object_id or next(
        (value for value in values if isinstance(value, str) and kind_of(value)), ""
    )


def kind_of(object_id: str) -> str:
    """Return the kind of an id by its prefix (`cs_…` is a checkout.session); "" for none."""
    kinds = {form.partition("_")[0]: kind for kind, form in PREFIXES.items()}
    return kinds.get(object_id.partition("_")[0], "") if "_" in object_id else ""


def before(fault: Fault, path: str, method: str, key: str, subject_id: str) -> None:
    """Refuse a request before it runs, so that nothing is saved under its key.

    `key` is the masked API key, `subject_id` the id the request names. Kinds that apply later do
    nothing here.
    """
    if fault.kind == "rate_limit":
        limited = RateLimited(
            "Request rate limit exceeded. Learn more about rate limits here "
            "https://docs.stripe.com/rate-limits.",
            code="rate_limit",
        )
        limited.headers = {"Stripe-Rate-Limited-Reason": "endpoint-rate"}
        raise limited
    if fault.kind == "lock_timeout":
        raise RateLimited(
            "This object cannot be accessed right now because another API request or Stripe "
            "process is currently accessing it.",
            code="lock_timeout",
        )
    if fault.kind == "error_before":
        raise ApiError("An unknown error occurred.")
    if fault.kind == "forbidden":
        raise _forbidden(path, method, key)
    if fault.kind == "gone":
        raise NotFound.resource(kind_of(subject_id) or "object", subject_id)


def _forbidden(path: str, method: str, key: str) -> PermissionMissing:
    """Return Stripe's error for a restricted key without a permission; its body has no code."""
    resource = path.split("/")[2].removesuffix("s")
    permission = PERMISSIONS.get(resource, resource)
    right = f"rak_{permission}_{'read' if method == 'GET' else 'write'}"
    return PermissionMissing(
        f"The provided key '{key}' does not have the required permissions for this endpoint on "
        f"account '{ACCOUNT_ID}'. Having the '{right}' permission would allow this request to "
        "continue."
    )


def refuse(fault: Fault | None, subject_id: str) -> None:
    """Refuse as the state of an object would: the key keeps the response."""
    if fault and fault.kind == "refuse":
        message, code = REFUSALS[fault.value]
        raise Refused(message.format(id=subject_id), code=code)

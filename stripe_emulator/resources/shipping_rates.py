"""Shipping rates: the price of a delivery, created by their own calls or inline by a session."""

from typing import Any

from stripe_emulator.base import currencies
from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.object_defaults import NullableDefault, with_defaults
from stripe_emulator.parameters.parameters import Parameters, missing_param, param_path
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.storage.transaction import Transaction

_ESTIMATE = NullableDefault(maximum=None, minimum=None)


def create(tx: Transaction, params: Parameters, path: str = "") -> StripeObject:
    """Create a shipping rate: POST /v1/shipping_rates, or the `shipping_rate_data` at `path`."""
    param = param_path(path, "fixed_amount")
    if "fixed_amount" not in params:
        raise missing_param(param)
    fixed = params["fixed_amount"]
    currency = currencies.currency_of(fixed["currency"], param_path(param, "currency"))
    currencies.check_unit_amount(fixed["amount"], currency, param_path(param, "amount"))
    options = _options(fixed, currency, param_path(param, "currency_options"))
    behavior = params.get("tax_behavior", "unspecified")
    options[currency] = {"amount": fixed["amount"], "tax_behavior": behavior}
    return tx.add(
        {
            "id": new_id("shipping_rate"),
            "object": "shipping_rate",
            "active": True,
            "created": tx.seconds,
            "delivery_estimate": with_defaults(_ESTIMATE, params.get("delivery_estimate")),
            "display_name": params["display_name"],
            "fixed_amount": {"amount": fixed["amount"], "currency": currency},
            "livemode": False,
            "metadata": merge_metadata(params.get("metadata")),
            "tax_behavior": behavior,
            "tax_code": params.get("tax_code"),
            "type": "fixed_amount",
        },
        private={"currency_options": options},
    )


def _options(fixed: Parameters, currency: str, path: str) -> dict[str, Any]:
    """Return the rate's amounts in other currencies."""
    options: dict[str, Any] = {}
    for name, option in fixed.get("currency_options", {}).items():
        other = currencies.currency_of(name, f"{path}[{name}]")
        currencies.check_unit_amount(option["amount"], other, f"{path}[{name}][amount]")
        options[other] = {"tax_behavior": "unspecified"} | option
    options.pop(currency, None)
    return options


def update(tx: Transaction, rate: StripeObject, params: Parameters) -> StripeObject:
    """Update a shipping rate (POST /v1/shipping_rates/{id}). Its amount never changes; it has no
    event."""
    for name in ("active", "tax_behavior"):
        if name in params:
            rate[name] = params[name]
    if "metadata" in params:
        rate["metadata"] = merge_metadata(params["metadata"], rate["metadata"])
    private = tx.private(rate["id"])
    for name, option in params.get("fixed_amount", {}).get("currency_options", {}).items():
        before = private["currency_options"].get(name, {"tax_behavior": "unspecified"})
        if "amount" not in before | option:
            raise missing_param(f"fixed_amount[currency_options][{name}][amount]")
        private["currency_options"][name] = before | option
    tx.set_private(rate["id"], private)
    return tx.save(rate)


def offered(tx: Transaction, params: list[Parameters], currency: str) -> list[dict[str, Any]]:
    """Return the `shipping_options` of a session, each with its amount in the session's
    currency."""
    return [_offered(tx, option, currency, index) for index, option in enumerate(params)]


def _offered(tx: Transaction, option: Parameters, currency: str, index: int) -> dict[str, Any]:
    path = f"shipping_options[{index}]"
    if ("shipping_rate" in option) == ("shipping_rate_data" in option):
        if "shipping_rate" not in option:
            raise missing_param(f"{path}[shipping_rate]")
        raise InvalidRequest(
            "You may only specify one of these parameters: shipping_rate, shipping_rate_data.",
            param=f"{path}[shipping_rate]",
        )
    if "shipping_rate" in option:
        param = f"{path}[shipping_rate]"
        rate = tx.get_referenced(option["shipping_rate"], "shipping_rate", param)
        if not rate["active"]:
            raise InvalidRequest("The shipping rate specified is inactive.", param=param)
    else:
        param = f"{path}[shipping_rate_data]"
        rate = create(tx, option["shipping_rate_data"], param)
    costs = tx.private(rate["id"])["currency_options"]
    if currency not in costs:
        raise InvalidRequest(
            f"The shipping rate has no amount in {currency}, the currency of the session.",
            param=param,
        )
    return {"shipping_amount": costs[currency]["amount"], "shipping_rate": rate["id"]}

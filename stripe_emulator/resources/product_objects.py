"""The Product and Price objects, also those created inline by a Checkout Session."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from stripe_emulator.base import currencies
from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters, missing_param, param_path
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.storage.transaction import Transaction

RECURRING = {
    "interval_count": 1,
    "meter": None,
    "trial_period_days": None,
    "usage_type": "licensed",
}


def new_product(tx: Transaction, params: Parameters, *, active: bool = True) -> StripeObject:
    """Store a Product. One created inline is archived: `active` is false."""
    return tx.add(
        {
            "id": params.get("id") or new_id("product"),
            "object": "product",
            "active": params.get("active", active),
            "created": tx.seconds,
            "default_price": None,
            "description": params.get("description") or None,
            "images": params.get("images", []),
            "livemode": False,
            "marketing_features": params.get("marketing_features", []),
            "metadata": merge_metadata(params.get("metadata")),
            "name": params["name"],
            "package_dimensions": dimensions_of(params.get("package_dimensions")),
            "shippable": params.get("shippable"),
            "statement_descriptor": params.get("statement_descriptor"),
            "tax_code": params.get("tax_code") or None,
            "tax_details": tax_details_of(params.get("tax_details")),
            "type": params.get("type", "service"),
            "unit_label": params.get("unit_label") or None,
            "updated": tx.seconds,
            "url": params.get("url") or None,
        }
    )


def dimensions_of(params: Any) -> dict[str, float] | None:
    return {name: float(value) for name, value in params.items()} if params else None


def tax_details_of(params: Any) -> dict[str, Any] | None:
    blank = {"performance_location": None, "tax_code": None}
    return blank | {name: value or None for name, value in params.items()} if params else None


def new_price(
    tx: Transaction, params: Parameters, product: str, path: str = "", *, active: bool = True
) -> StripeObject:
    """Store a Price. One created inline cannot be reused (unverified): `active` is false."""
    currency = currencies.currency_of(params["currency"], param_path(path, "currency"))
    amount, exact = unit_amount(params, currency, path)
    recurring = params.get("recurring")
    return tx.add(
        {
            "id": new_id("price"),
            "object": "price",
            "active": params.get("active", active),
            "billing_scheme": "per_unit",
            "created": tx.seconds,
            "currency": currency,
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": params.get("lookup_key"),
            "metadata": merge_metadata(params.get("metadata")),
            "nickname": params.get("nickname"),
            "product": product,
            "recurring": RECURRING | recurring if recurring else None,
            "tax_behavior": params.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": params.get("transform_quantity"),
            "type": "recurring" if recurring else "one_time",
            "unit_amount": amount,
            "unit_amount_decimal": exact,
        },
        parent=product,
    )


def unit_amount(params: Parameters, currency: str, path: str) -> tuple[int | None, str]:
    """Return the amount as integer and as decimal text; the integer is None for fractions of a
    cent."""
    whole, exact = params.get("unit_amount"), params.get("unit_amount_decimal")
    if (whole is None) == (exact is None):
        if whole is None:
            raise missing_param(param_path(path, "unit_amount"))
        raise InvalidRequest(
            "You may only specify one of these parameters: unit_amount, unit_amount_decimal.",
            param=param_path(path, "unit_amount"),
        )
    amount = Decimal(whole if whole is not None else str(exact))
    param = param_path(path, "unit_amount" if exact is None else "unit_amount_decimal")
    rounded = int(amount.quantize(Decimal(1), ROUND_HALF_UP))
    currencies.check_unit_amount(-1 if amount < 0 else rounded, currency, param)
    return (rounded if amount == rounded else None), f"{amount.normalize():f}"

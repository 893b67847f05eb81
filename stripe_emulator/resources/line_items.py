"""The line items of a session, with the prices at its creation."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters, missing_param
from stripe_emulator.resources import product_objects
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.storage.transaction import Transaction


@dataclass(frozen=True)
class Line:
    """One priced line. It holds a copy of the Price: later changes do not affect the session."""

    price: StripeObject
    description: str
    quantity: int
    amount: int
    metadata: dict[str, str]
    adjustable: dict[str, Any] | None

    @property
    def currency(self) -> str:
        """Return the currency of the price."""
        return str(self.price["currency"])


def priced(tx: Transaction, params: list[Parameters], currency: str | None) -> list[Line]:
    """Return the lines of the parameters; inline prices are stored. Raises InvalidRequest."""
    lines = [_line(tx, line, f"line_items[{index}]") for index, line in enumerate(params)]
    expected = currency.lower() if currency else lines[0].currency
    for index, line in enumerate(lines):
        if line.currency != expected:
            raise InvalidRequest(
                "All line items of a Checkout Session must have the same currency, but found "
                f"{expected} and {line.currency}.",
                param=f"line_items[{index}]",
            )
    return lines


def _line(tx: Transaction, params: Parameters, path: str) -> Line:
    if ("price" in params) == ("price_data" in params):
        if "price" not in params:
            raise missing_param(f"{path}[price]")
        raise InvalidRequest(
            "You may only specify one of these parameters: price, price_data.",
            param=f"{path}[price]",
        )
    if "quantity" not in params:
        raise InvalidRequest(
            f"Quantity is required. Add `quantity` to `{path}`",
            code="parameter_missing",
            param=f"{path}[quantity]",
        )
    price, name = _stored(tx, params, path) if "price" in params else _inline(tx, params, path)
    quantity: int = params["quantity"]
    exact = Decimal(price["unit_amount_decimal"]) * _units(price, quantity)
    amount = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    metadata = merge_metadata(params.get("metadata"))
    return Line(price, name, quantity, amount, metadata, _adjustable(params))


def _stored(tx: Transaction, params: Parameters, path: str) -> tuple[StripeObject, str]:
    price = _sellable(tx, params["price"], f"{path}[price]")
    product = tx.get_referenced(price["product"], "product", f"{path}[price]")
    return price, product["name"]


def _sellable(tx: Transaction, price_id: str, param: str) -> StripeObject:
    price = tx.get_referenced(price_id, "price", param)
    if not price["active"]:
        raise InvalidRequest(
            "The price specified is inactive. This field only accepts active prices.", param=param
        )
    if price["type"] == "recurring":
        raise InvalidRequest(
            "You specified `payment` mode but passed a recurring price. Either switch to "
            "`subscription` mode or use only one-time prices.",
            param=param,
        )
    return price


def _units(price: StripeObject, quantity: int) -> int:
    """Return the number of units to pay: packages, for a price per package."""
    packages = price["transform_quantity"]
    if packages is None:
        return quantity
    rounding = ROUND_CEILING if packages["round"] == "up" else ROUND_FLOOR
    return int((Decimal(quantity) / packages["divide_by"]).to_integral_value(rounding))


def check_optional(tx: Transaction, params: list[Parameters], currency: str) -> None:
    """Check that optional items name active prices of the session's currency; the page omits
    them."""
    for index, item in enumerate(params):
        param = f"optional_items[{index}][price]"
        if _sellable(tx, item["price"], param)["currency"] != currency:
            raise InvalidRequest("All items must have the same currency.", param=param)


def _inline(tx: Transaction, params: Parameters, path: str) -> tuple[StripeObject, str]:
    param, data = f"{path}[price_data]", params["price_data"]
    if ("product" in data) == ("product_data" in data):
        if "product" not in data:
            raise missing_param(f"{param}[product]")
        raise InvalidRequest(
            "You may only specify one of these parameters: product, product_data.",
            param=f"{param}[product]",
        )
    if "product" in data:
        product = tx.get_referenced(data["product"], "product", f"{param}[product]")
    else:
        product = product_objects.new_product(tx, data["product_data"], active=False)
    price = product_objects.new_price(tx, data, product["id"], param, active=False)
    return price, product["name"]


def _adjustable(params: Parameters) -> dict[str, Any] | None:
    """Return `adjustable_quantity` as the item shows it; the payment page cannot change a
    quantity."""
    adjustable = params.get("adjustable_quantity")
    if not adjustable or not adjustable["enabled"]:
        return None
    return {"enabled": True, "maximum": 99, "minimum": 0, **adjustable}


def store(tx: Transaction, line: Line, session_id: str) -> StripeObject:
    """Store one line of a session."""
    return tx.add(
        {
            "id": new_id("item"),
            "object": "item",
            "adjustable_quantity": line.adjustable,
            "amount_discount": 0,
            "amount_subtotal": line.amount,
            "amount_tax": 0,
            "amount_total": line.amount,
            "currency": line.currency,
            "description": line.description,
            "discounts": [],
            "metadata": line.metadata,
            "price": line.price,
            "quantity": line.quantity,
            "taxes": [],
        },
        parent=session_id,
    )

"""Products, and what their calls share with other resources: metadata and references."""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from stripe_emulator.base import currencies
from stripe_emulator.base.errors import InvalidRequest, Refused
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters, missing_param
from stripe_emulator.storage.transaction import Transaction

PRODUCT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
"""The form of a product's own id (unverified)."""
RECURRING = {
    "interval_count": 1,
    "meter": None,
    "trial_period_days": None,
    "usage_type": "licensed",
}


def metadata_of(given: Any, before: dict[str, str] | None = None) -> dict[str, str]:
    """Return the metadata after a request: an empty value unsets its key, an empty string all of
    them."""
    if given == "":
        return {}
    merged = {**(before or {}), **(given or {})}
    return {name: value for name, value in merged.items() if value != ""}


def new_product(tx: Transaction, given: Parameters, *, active: bool = True) -> StripeObject:
    """Store a Product. One created inline is archived: `active` is false."""
    return tx.add(
        {
            "id": given.get("id") or new_id("product"),
            "object": "product",
            "active": given.get("active", active),
            "created": tx.seconds,
            "default_price": None,
            "description": given.get("description") or None,
            "images": given.get("images", []),
            "livemode": False,
            "marketing_features": given.get("marketing_features", []),
            "metadata": metadata_of(given.get("metadata")),
            "name": given["name"],
            "package_dimensions": _dimensions(given.get("package_dimensions")),
            "shippable": given.get("shippable"),
            "statement_descriptor": given.get("statement_descriptor"),
            "tax_code": given.get("tax_code") or None,
            "tax_details": _tax_details(given.get("tax_details")),
            "type": given.get("type", "service"),
            "unit_label": given.get("unit_label") or None,
            "updated": tx.seconds,
            "url": given.get("url") or None,
        }
    )


def _dimensions(given: Any) -> dict[str, float] | None:
    return {name: float(value) for name, value in given.items()} if given else None


def _tax_details(given: Any) -> dict[str, Any] | None:
    blank = {"performance_location": None, "tax_code": None}
    return blank | {name: value or None for name, value in given.items()} if given else None


def new_price(
    tx: Transaction, given: Parameters, product: str, path: str = "", *, active: bool = True
) -> StripeObject:
    """Store a Price. One created inline cannot be reused (unverified): `active` is false."""
    currency = currencies.currency_of(given["currency"], param_path(path, "currency"))
    amount, exact = unit_amount(given, currency, path)
    recurring = given.get("recurring")
    return tx.add(
        {
            "id": new_id("price"),
            "object": "price",
            "active": given.get("active", active),
            "billing_scheme": "per_unit",
            "created": tx.seconds,
            "currency": currency,
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": given.get("lookup_key"),
            "metadata": metadata_of(given.get("metadata")),
            "nickname": given.get("nickname"),
            "product": product,
            "recurring": RECURRING | recurring if recurring else None,
            "tax_behavior": given.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": given.get("transform_quantity"),
            "type": "recurring" if recurring else "one_time",
            "unit_amount": amount,
            "unit_amount_decimal": exact,
        },
        parent=product,
    )


def unit_amount(given: Parameters, currency: str, path: str) -> tuple[int | None, str]:
    """Return the amount as integer and as decimal text; the integer is None for fractions of a
    cent."""
    whole, exact = given.get("unit_amount"), given.get("unit_amount_decimal")
    if (whole is None) == (exact is None):
        if whole is None:
            raise missing_param(param_path(path, "unit_amount"))
        raise InvalidRequest(
            "You may only specify one of these parameters: unit_amount, unit_amount_decimal.",
            param=param_path(path, "unit_amount"),
        )
    amount = Decimal(whole if whole is not None else str(exact))
    where = param_path(path, "unit_amount" if exact is None else "unit_amount_decimal")
    rounded = int(amount.quantize(Decimal(1), ROUND_HALF_UP))
    currencies.check_unit_amount(-1 if amount < 0 else rounded, currency, where)
    shown = f"{amount.normalize():f}"
    return (rounded if amount == rounded else None), shown


def param_path(path: str, name: str) -> str:
    """Return `name` below `path`, as Stripe writes it."""
    return f"{path}[{name}]" if path else name


def create_product(tx: Transaction, given: Parameters) -> StripeObject:
    """Create a product (POST /v1/products)."""
    if not PRODUCT_ID.fullmatch(given.get("id", "x")):
        raise InvalidRequest("Invalid product ID: letters, digits, - and _ only", param="id")
    if given.get("id") and tx.find(given["id"]):
        raise Refused("Product already exists.", code="resource_already_exists", param="id")
    product = new_product(tx, given)
    price = None
    if "default_price_data" in given:
        price = new_price(tx, given["default_price_data"], product["id"], "default_price_data")
        product["default_price"] = price["id"]
        tx.save(product)
    tx.emit("product.created", product)
    if price:
        tx.emit("price.created", price)
    return product


def update_product(tx: Transaction, product: StripeObject, given: Parameters) -> StripeObject:
    """Update a product (POST /v1/products/{id})."""
    news = {name: value or None for name, value in given.items() if name != "expand"}
    news |= {name: given[name] for name in ("active", "shippable") if name in given}
    for listed in ("images", "marketing_features"):
        if listed in given:
            news[listed] = given[listed] or []
    if "package_dimensions" in given:
        news["package_dimensions"] = _dimensions(given["package_dimensions"])
    if "tax_details" in given:
        news["tax_details"] = _tax_details(given["tax_details"])
    if "metadata" in given:
        news["metadata"] = metadata_of(given["metadata"], product["metadata"])
    if given.get("default_price"):
        get_referenced(tx, given["default_price"], "price", "default_price")
    return tx.update("product.updated", product, **news, updated=tx.seconds)


def delete_product(tx: Transaction, product: StripeObject) -> StripeObject:
    """Delete a product (DELETE /v1/products/{id}). Raises Refused if it has prices."""
    if tx.related("price", parent=product["id"]):
        raise Refused(
            "This product cannot be deleted because it has one or more user-created prices."
        )
    tx.emit("product.deleted", product)
    gone = {"id": product["id"], "object": "product", "deleted": True}
    tx.save(gone)
    return gone


def create_price(tx: Transaction, given: Parameters) -> StripeObject:
    """Create a price (POST /v1/prices)."""
    if ("product" in given) == ("product_data" in given):
        if "product" not in given:
            raise missing_param("product")
        raise InvalidRequest(
            "You may only specify one of these parameters: product, product_data.", param="product"
        )
    if "product" in given:
        product = get_referenced(tx, given["product"], "product", "product")
    else:
        product = new_product(tx, given["product_data"])
        tx.emit("product.created", product)
    _claim_lookup_key(tx, given)
    price = new_price(tx, given, product["id"])
    tx.emit("price.created", price)
    return price


def update_price(tx: Transaction, price: StripeObject, given: Parameters) -> StripeObject:
    """Update a price (POST /v1/prices/{id}). Its amount never changes."""
    if given.get("lookup_key") != price["lookup_key"]:
        _claim_lookup_key(tx, given)
    news: dict[str, Any] = {
        name: given[name] or None
        for name in ("nickname", "lookup_key", "tax_behavior")
        if name in given
    }
    if "active" in given:
        news["active"] = given["active"]
    if "metadata" in given:
        news["metadata"] = metadata_of(given["metadata"], price["metadata"])
    return tx.update("price.updated", price, **news)


def _claim_lookup_key(tx: Transaction, given: Parameters) -> None:
    """Check that no active price has the lookup key, or take it over by `transfer_lookup_key`."""
    key = given.get("lookup_key")
    if not key:
        return
    row = tx.connection.execute(
        "SELECT id FROM objects WHERE kind = 'price' AND json_extract(body, '$.lookup_key') = ?"
        " AND json_extract(body, '$.active')",
        (key,),
    ).fetchone()
    if row is None:
        return
    if not given.get("transfer_lookup_key"):
        raise InvalidRequest(
            f"A price (`{row['id']}`) already uses that lookup key.", param="lookup_key"
        )
    tx.update("price.updated", tx.get(row["id"], "price"), lookup_key=None)


def get_referenced(tx: Transaction, object_id: str, kind: str, param: str) -> StripeObject:
    """Return the object that a parameter names. Raises InvalidRequest if there is none."""
    found = tx.find(object_id, kind)
    if found is None or found.get("deleted"):
        raise InvalidRequest.unknown(kind, object_id, param)
    return found

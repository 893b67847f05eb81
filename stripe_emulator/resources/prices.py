"""Prices: create and update."""

from typing import Any

from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters, missing_param
from stripe_emulator.resources import product_objects
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.storage.transaction import Transaction


def create(tx: Transaction, params: Parameters) -> StripeObject:
    """Create a price (POST /v1/prices)."""
    if ("product" in params) == ("product_data" in params):
        if "product" not in params:
            raise missing_param("product")
        raise InvalidRequest(
            "You may only specify one of these parameters: product, product_data.", param="product"
        )
    if "product" in params:
        product = tx.get_referenced(params["product"], "product", "product")
    else:
        product = product_objects.new_product(tx, params["product_data"])
        tx.emit("product.created", product)
    _claim_lookup_key(tx, params)
    price = product_objects.new_price(tx, params, product["id"])
    tx.emit("price.created", price)
    return price


def update(tx: Transaction, price: StripeObject, params: Parameters) -> StripeObject:
    """Update a price (POST /v1/prices/{id}). Its amount never changes."""
    if params.get("lookup_key") != price["lookup_key"]:
        _claim_lookup_key(tx, params)
    changes: dict[str, Any] = {
        name: params[name] or None
        for name in ("nickname", "lookup_key", "tax_behavior")
        if name in params
    }
    if "active" in params:
        changes["active"] = params["active"]
    if "metadata" in params:
        changes["metadata"] = merge_metadata(params["metadata"], price["metadata"])
    return tx.update("price.updated", price, **changes)


def _claim_lookup_key(tx: Transaction, params: Parameters) -> None:
    """Check that no active price has the lookup key, or take it over by `transfer_lookup_key`."""
    key = params.get("lookup_key")
    if not key:
        return
    row = tx.connection.execute(
        "SELECT id FROM objects WHERE kind = 'price' AND json_extract(body, '$.lookup_key') = ?"
        " AND json_extract(body, '$.active')",
        (key,),
    ).fetchone()
    if row is None:
        return
    if not params.get("transfer_lookup_key"):
        raise InvalidRequest(
            f"A price (`{row['id']}`) already uses that lookup key.", param="lookup_key"
        )
    tx.update("price.updated", tx.get(row["id"], "price"), lookup_key=None)

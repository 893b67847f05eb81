"""Products: create, update, delete."""

import re

from stripe_emulator.base.errors import InvalidRequest, Refused
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import product_objects
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.storage.transaction import Transaction

PRODUCT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
"""The form of a product's own id (unverified)."""


def create(tx: Transaction, params: Parameters) -> StripeObject:
    """Create a product (POST /v1/products)."""
    if not PRODUCT_ID.fullmatch(params.get("id", "x")):
        raise InvalidRequest("Invalid product ID: letters, digits, - and _ only", param="id")
    if params.get("id") and tx.find(params["id"]):
        raise Refused("Product already exists.", code="resource_already_exists", param="id")
    product = product_objects.new_product(tx, params)
    price = None
    if "default_price_data" in params:
        price = product_objects.new_price(
            tx, params["default_price_data"], product["id"], "default_price_data"
        )
        product["default_price"] = price["id"]
        tx.save(product)
    tx.emit("product.created", product)
    if price:
        tx.emit("price.created", price)
    return product


def update(tx: Transaction, product: StripeObject, params: Parameters) -> StripeObject:
    """Update a product (POST /v1/products/{id})."""
    changes = {name: value or None for name, value in params.items() if name != "expand"}
    changes |= {name: params[name] for name in ("active", "shippable") if name in params}
    for listed in ("images", "marketing_features"):
        if listed in params:
            changes[listed] = params[listed] or []
    if "package_dimensions" in params:
        changes["package_dimensions"] = product_objects.dimensions_of(params["package_dimensions"])
    if "tax_details" in params:
        changes["tax_details"] = product_objects.tax_details_of(params["tax_details"])
    if "metadata" in params:
        changes["metadata"] = merge_metadata(params["metadata"], product["metadata"])
    if params.get("default_price"):
        tx.get_referenced(params["default_price"], "price", "default_price")
    return tx.update("product.updated", product, **changes, updated=tx.seconds)


def delete(tx: Transaction, product: StripeObject) -> StripeObject:
    """Delete a product (DELETE /v1/products/{id}). Raises Refused if it has prices."""
    if tx.related("price", parent=product["id"]):
        raise Refused(
            "This product cannot be deleted because it has one or more user-created prices."
        )
    tx.emit("product.deleted", product)
    deleted = {"id": product["id"], "object": "product", "deleted": True}
    tx.save(deleted)
    return deleted

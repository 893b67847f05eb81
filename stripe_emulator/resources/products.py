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


def create(tx: Transaction, given: Parameters) -> StripeObject:
    """Create a product (POST /v1/products)."""
    if not PRODUCT_ID.fullmatch(given.get("id", "x")):
        raise InvalidRequest("Invalid product ID: letters, digits, - and _ only", param="id")
    if given.get("id") and tx.find(given["id"]):
        raise Refused("Product already exists.", code="resource_already_exists", param="id")
    product = product_objects.new_product(tx, given)
    price = None
    if "default_price_data" in given:
        price = product_objects.new_price(
            tx, given["default_price_data"], product["id"], "default_price_data"
        )
        product["default_price"] = price["id"]
        tx.save(product)
    tx.emit("product.created", product)
    if price:
        tx.emit("price.created", price)
    return product


def update(tx: Transaction, product: StripeObject, given: Parameters) -> StripeObject:
    """Update a product (POST /v1/products/{id})."""
    news = {name: value or None for name, value in given.items() if name != "expand"}
    news |= {name: given[name] for name in ("active", "shippable") if name in given}
    for listed in ("images", "marketing_features"):
        if listed in given:
            news[listed] = given[listed] or []
    if "package_dimensions" in given:
        news["package_dimensions"] = product_objects.dimensions_of(given["package_dimensions"])
    if "tax_details" in given:
        news["tax_details"] = product_objects.tax_details_of(given["tax_details"])
    if "metadata" in given:
        news["metadata"] = merge_metadata(given["metadata"], product["metadata"])
    if given.get("default_price"):
        tx.get_referenced(given["default_price"], "price", "default_price")
    return tx.update("product.updated", product, **news, updated=tx.seconds)


def delete(tx: Transaction, product: StripeObject) -> StripeObject:
    """Delete a product (DELETE /v1/products/{id}). Raises Refused if it has prices."""
    if tx.related("price", parent=product["id"]):
        raise Refused(
            "This product cannot be deleted because it has one or more user-created prices."
        )
    tx.emit("product.deleted", product)
    gone = {"id": product["id"], "object": "product", "deleted": True}
    tx.save(gone)
    return gone

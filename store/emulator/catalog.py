"""Products and Prices, made by their own calls or inline by a Checkout Session."""

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from store.emulator import money
from store.emulator.books import Books
from store.emulator.errors import InvalidRequest, Refused
from store.emulator.ids import new_id
from store.emulator.parameters import Parameters, missing
from store.emulator.records import StripeObject

PRODUCT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
"""What a product's own id may be (unverified)."""
NOT_IMITATED = ("recurring", "tiers", "tiers_mode", "transform_quantity", "custom_unit_amount")


def metadata_of(given: Any, before: dict[str, str] | None = None) -> dict[str, str]:
    """Metadata after a request: an empty value unsets its key, an empty string all of them."""
    if given == "":
        return {}
    merged = {**(before or {}), **(given or {})}
    return {name: value for name, value in merged.items() if value != ""}


def new_product(books: Books, given: Parameters, *, active: bool = True) -> StripeObject:
    """Store a Product. One made inline is archived: `active` is false."""
    return books.add(
        {
            "id": given.get("id") or new_id("product"),
            "object": "product",
            "active": given.get("active", active),
            "created": books.seconds,
            "default_price": None,
            "description": given.get("description") or None,
            "images": given.get("images", []),
            "livemode": False,
            "marketing_features": given.get("marketing_features", []),
            "metadata": metadata_of(given.get("metadata")),
            "name": given["name"],
            "package_dimensions": given.get("package_dimensions") or None,
            "shippable": given.get("shippable"),
            "statement_descriptor": given.get("statement_descriptor"),
            "tax_code": given.get("tax_code") or None,
            "type": given.get("type", "service"),
            "unit_label": given.get("unit_label") or None,
            "updated": books.seconds,
            "url": given.get("url") or None,
        }
    )


def new_price(
    books: Books, given: Parameters, product: str, path: str = "", *, active: bool = True
) -> StripeObject:
    """Store a Price. One made inline cannot be used again (unverified): `active` is false."""
    currency = money.currency_of(given["currency"], inside(path, "currency"))
    amount, exact = unit_amount(given, currency, path)
    return books.add(
        {
            "id": new_id("price"),
            "object": "price",
            "active": given.get("active", active),
            "billing_scheme": "per_unit",
            "created": books.seconds,
            "currency": currency,
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": given.get("lookup_key"),
            "metadata": metadata_of(given.get("metadata")),
            "nickname": given.get("nickname"),
            "product": product,
            "recurring": None,
            "tax_behavior": given.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "one_time",
            "unit_amount": amount,
            "unit_amount_decimal": exact,
        },
        parent=product,
    )


def unit_amount(given: Parameters, currency: str, path: str) -> tuple[int | None, str]:
    """The amount as integer and as decimal text; the integer is None for fractions of a cent."""
    whole, exact = given.get("unit_amount"), given.get("unit_amount_decimal")
    if (whole is None) == (exact is None):
        if whole is None:
            raise missing(inside(path, "unit_amount"))
        raise InvalidRequest(
            "You may only specify one of these parameters: unit_amount, unit_amount_decimal.",
            param=inside(path, "unit_amount"),
        )
    amount = Decimal(whole if whole is not None else str(exact))
    where = inside(path, "unit_amount" if exact is None else "unit_amount_decimal")
    rounded = int(amount.quantize(Decimal(1), ROUND_HALF_UP))
    money.check_unit_amount(-1 if amount < 0 else rounded, currency, where)
    shown = f"{amount.normalize():f}"
    return (rounded if amount == rounded else None), shown


def inside(path: str, name: str) -> str:
    """`name` below `path`, as Stripe writes it."""
    return f"{path}[{name}]" if path else name


def create_product(books: Books, given: Parameters) -> StripeObject:
    """POST /v1/products"""
    if not PRODUCT_ID.fullmatch(given.get("id", "x")):
        raise InvalidRequest("Invalid product ID: letters, digits, - and _ only", param="id")
    if given.get("id") and books.find(given["id"]):
        raise Refused("Product already exists.", code="resource_already_exists", param="id")
    refuse(given, "default_price_data", "tax_details")
    product = new_product(books, given)
    books.emit("product.created", product)
    return product


def update_product(books: Books, product: StripeObject, given: Parameters) -> StripeObject:
    """POST /v1/products/{id}"""
    refuse(given, "tax_details")
    news = {name: value or None for name, value in given.items() if name != "expand"}
    news |= {name: given[name] for name in ("active", "shippable") if name in given}
    for listed in ("images", "marketing_features"):
        if listed in given:
            news[listed] = given[listed] or []
    if "metadata" in given:
        news["metadata"] = metadata_of(given["metadata"], product["metadata"])
    if given.get("default_price"):
        books.get(given["default_price"], "price", "default_price")
    return books.change("product.updated", product, **news, updated=books.seconds)


def delete_product(books: Books, product: StripeObject) -> StripeObject:
    """DELETE /v1/products/{id}"""
    if books.related("price", parent=product["id"]):
        raise Refused(
            "This product cannot be deleted because it has one or more user-created prices."
        )
    books.emit("product.deleted", product)
    gone = {"id": product["id"], "object": "product", "deleted": True}
    books.save(gone)
    return gone


def create_price(books: Books, given: Parameters) -> StripeObject:
    """POST /v1/prices"""
    refuse(given, *NOT_IMITATED, "currency_options", "transfer_lookup_key")
    if given.get("billing_scheme") == "tiered":
        raise not_imitated("billing_scheme=tiered", "billing_scheme")
    if ("product" in given) == ("product_data" in given):
        if "product" not in given:
            raise missing("product")
        raise InvalidRequest(
            "You may only specify one of these parameters: product, product_data.", param="product"
        )
    if "product" in given:
        product = books.get(given["product"], "product", "product")
    else:
        product = new_product(books, given["product_data"])
        books.emit("product.created", product)
    price = new_price(books, given, product["id"])
    books.emit("price.created", price)
    return price


def update_price(books: Books, price: StripeObject, given: Parameters) -> StripeObject:
    """POST /v1/prices/{id}. What it costs can never change; that is what sessions rely on."""
    refuse(given, "currency_options", "transfer_lookup_key")
    news: dict[str, Any] = {
        name: given[name] or None
        for name in ("nickname", "lookup_key", "tax_behavior")
        if name in given
    }
    if "active" in given:
        news["active"] = given["active"]
    if "metadata" in given:
        news["metadata"] = metadata_of(given["metadata"], price["metadata"])
    return books.change("price.updated", price, **news)


def not_imitated(what: str, param: str) -> InvalidRequest:
    """The emulator's own refusal: Stripe would accept this, and half an answer would be a lie."""
    return InvalidRequest(f"This emulator does not imitate {what}.", param=param)


def refuse(given: Parameters, *names: str, path: str = "") -> None:
    """Refuse parameters Stripe knows and the emulator does not imitate."""
    for name in names:
        if given.get(name) not in (None, "", [], {}, False):
            raise not_imitated(inside(path, name), inside(path, name))

"""Coupons, and the promotion codes that customers type to redeem them."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from stripe_emulator.base import currencies
from stripe_emulator.base.errors import InvalidRequest, Refused
from stripe_emulator.base.ids import new_id, token
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters, missing
from stripe_emulator.resources.products import metadata_of, referred
from stripe_emulator.storage.transaction import Books

CODE = re.compile(r"[A-Za-z0-9-]{1,200}", re.ASCII)
COUPON_ID = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)


def create_coupon(books: Books, params: Parameters) -> StripeObject:
    """POST /v1/coupons"""
    _check_value(params)
    coupon_id = params.get("id") or token(8)
    if not COUPON_ID.fullmatch(coupon_id):
        raise InvalidRequest("Invalid coupon ID: letters, digits, - and _ only", param="id")
    if books.find(coupon_id):
        raise Refused("Coupon already exists.", code="resource_already_exists", param="id")
    coupon = {
        "id": coupon_id,
        "object": "coupon",
        "amount_off": params.get("amount_off"),
        "created": books.seconds,
        "currency": _currency(params),
        "duration": params.get("duration", "once"),
        "duration_in_months": _months(params),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": metadata_of(params.get("metadata")),
        "name": params.get("name"),
        "percent_off": _percent(params),
        "redeem_by": _future(books, params, "redeem_by"),
        "times_redeemed": 0,
        "valid": True,
    }
    products = params.get("applies_to", {}).get("products", [])
    for index, product in enumerate(products):
        referred(books, product, "product", f"applies_to[products][{index}]")
    options = _options(params.get("currency_options", {}))
    if coupon["amount_off"]:
        options[str(coupon["currency"])] = {"amount_off": coupon["amount_off"]}
    hidden = {"applies_to": {"products": products} if products else None}
    books.add(coupon, hidden=hidden | {"currency_options": options})
    if coupon["redeem_by"]:
        books.later(coupon["redeem_by"] - books.now, "expire_coupon", coupon_id)
    books.emit("coupon.created", coupon)
    return coupon


def _check_value(params: Parameters) -> None:
    """A coupon takes off a share or an amount."""
    if "percent_off" in params and "amount_off" in params:
        raise InvalidRequest(
            "You may only specify one of these parameters: amount_off, percent_off.",
            param="amount_off",
        )
    if "percent_off" not in params and "amount_off" not in params:
        raise InvalidRequest(
            "You must pass either amount_off or percent_off.", code="parameter_missing"
        )
    if "amount_off" in params and "currency" not in params:
        raise missing("currency")


def _percent(params: Parameters) -> float | None:
    percent: Decimal | None = params.get("percent_off")
    if percent is None:
        return None
    if not 0 < percent <= 100:
        raise InvalidRequest(
            "Invalid percent_off: must be greater than 0 and at most 100.", param="percent_off"
        )
    return float(percent)


def _currency(params: Parameters) -> str | None:
    if "currency" not in params:
        return None
    return currencies.currency_of(params["currency"], "currency")


def _months(params: Parameters) -> int | None:
    repeating = params.get("duration") == "repeating"
    if repeating != ("duration_in_months" in params):
        if repeating:
            raise missing("duration_in_months")
        raise InvalidRequest(
            "`duration_in_months` can only be used with `duration=repeating`.",
            param="duration_in_months",
        )
    months: int | None = params.get("duration_in_months")
    return months


def _options(params: Parameters) -> dict[str, Any]:
    return {
        currencies.currency_of(name, f"currency_options[{name}]"): option
        for name, option in params.items()
    }


def _future(books: Books, params: Parameters, name: str) -> int | None:
    moment: int | None = params.get(name)
    if moment is not None and moment <= books.now:
        raise InvalidRequest(f"`{name}` must be in the future.", param=name)
    return moment


def update_coupon(books: Books, coupon: StripeObject, params: Parameters) -> StripeObject:
    """POST /v1/coupons/{id}: its name and its metadata; what it takes off never changes."""
    news: dict[str, Any] = {"name": params["name"]} if "name" in params else {}
    if "metadata" in params:
        news["metadata"] = metadata_of(params["metadata"], coupon["metadata"])
    if "currency_options" in params:
        hidden = books.hidden(coupon["id"])
        hidden["currency_options"] |= _options(params["currency_options"])
        books.remember(coupon["id"], hidden)
    return books.change("coupon.updated", coupon, **news)


def delete_coupon(books: Books, coupon: StripeObject) -> StripeObject:
    """DELETE /v1/coupons/{id}. Sessions that have it keep it."""
    books.emit("coupon.deleted", coupon)
    gone = {"id": coupon["id"], "object": "coupon", "deleted": True}
    books.save(gone)
    return gone


def expire_coupon(books: Books, coupon_id: str) -> None:
    """`redeem_by` is over."""
    coupon = books.get(coupon_id, "coupon")
    books.save(coupon | {"valid": False})


def create_code(books: Books, params: Parameters) -> StripeObject:
    """POST /v1/promotion_codes"""
    promotion = params["promotion"]
    if "coupon" not in promotion:
        raise missing("promotion[coupon]")
    coupon = referred(books, promotion["coupon"], "coupon", "promotion[coupon]")
    code = params.get("code", token(8).upper())
    if not CODE.fullmatch(code):
        raise InvalidRequest("Invalid code: letters, digits and dashes only.", param="code")
    if params.get("active", True) and active_code(books, code):
        raise InvalidRequest(
            f"An active promotion code with `code: {code}` already exists.", param="code"
        )
    given = params.get("restrictions", {})
    if ("minimum_amount" in given) != ("minimum_amount_currency" in given):
        raise missing("restrictions[minimum_amount_currency]")
    customer = params.get("customer")
    if customer:
        referred(books, customer, "customer", "customer")
    promotion_code = {
        "id": new_id("promotion_code"),
        "object": "promotion_code",
        "active": params.get("active", True),
        "code": code,
        "created": books.seconds,
        "customer": customer,
        "customer_account": None,
        "expires_at": _future(books, params, "expires_at"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": metadata_of(params.get("metadata")),
        "promotion": {"coupon": coupon["id"], "type": "coupon"},
        "restrictions": {
            "first_time_transaction": given.get("first_time_transaction", False),
            "minimum_amount": given.get("minimum_amount"),
            "minimum_amount_currency": given.get("minimum_amount_currency"),
        },
        "times_redeemed": 0,
    }
    options = _minimums(given)
    books.add(promotion_code, parent=coupon["id"], hidden={"currency_options": options})
    if promotion_code["expires_at"]:
        books.later(promotion_code["expires_at"] - books.now, "expire_code", promotion_code["id"])
    books.emit("promotion_code.created", promotion_code)
    return promotion_code


def _minimums(restrictions: Parameters) -> dict[str, Any]:
    options = _options(restrictions.get("currency_options", {}))
    if restrictions.get("minimum_amount_currency"):
        amount = restrictions["minimum_amount"]
        options[restrictions["minimum_amount_currency"].lower()] = {"minimum_amount": amount}
    return options


def active_code(books: Books, code: str) -> StripeObject | None:
    """The active promotion code that somebody typed, in any case."""
    row = books.connection.execute(
        "SELECT id FROM objects WHERE kind = 'promotion_code' AND json_extract(body, '$.active')"
        " AND upper(json_extract(body, '$.code')) = upper(?)",
        (code,),
    ).fetchone()
    return books.find(row["id"]) if row else None


def update_code(books: Books, code: StripeObject, params: Parameters) -> StripeObject:
    """POST /v1/promotion_codes/{id}"""
    news: dict[str, Any] = {"active": params["active"]} if "active" in params else {}
    if news.get("active") and not code["active"] and active_code(books, code["code"]):
        raise InvalidRequest(
            f"An active promotion code with `code: {code['code']}` already exists.", param="active"
        )
    if "metadata" in params:
        news["metadata"] = metadata_of(params["metadata"], code["metadata"])
    options = params.get("restrictions", {}).get("currency_options")
    if options:
        hidden = books.hidden(code["id"])
        hidden["currency_options"] |= _options(options)
        books.remember(code["id"], hidden)
    return books.change("promotion_code.updated", code, **news)


def expire_code(books: Books, code_id: str) -> None:
    """`expires_at` is over."""
    code = books.get(code_id, "promotion_code")
    books.save(code | {"active": False})


def redeem(books: Books, coupon: StripeObject, code: StripeObject | None) -> None:
    """Count a purchase; the last one that is allowed ends the coupon or the code."""
    for counted, ends in ((coupon, "valid"), (code, "active")):
        if counted is None or counted.get("deleted"):
            continue
        counted["times_redeemed"] += 1
        most = counted["max_redemptions"]
        if most is not None and counted["times_redeemed"] >= most:
            counted[ends] = False
        books.save(counted)


Included = Callable[[Books, StripeObject], Any]


def included(name: str) -> Included:
    """A field that is shown only where it is asked for."""
    return lambda books, thing: books.hidden(thing["id"]).get(name)

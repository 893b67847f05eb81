"""Coupons, and the promotion codes that customers enter to redeem them."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from stripe_emulator.base import currencies
from stripe_emulator.base.errors import InvalidRequest, Refused
from stripe_emulator.base.ids import new_id, token
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters, missing_param
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.storage.transaction import Transaction

CODE = re.compile(r"[A-Za-z0-9-]{1,200}", re.ASCII)
COUPON_ID = re.compile(r"[A-Za-z0-9_-]{1,200}", re.ASCII)


def create_coupon(tx: Transaction, params: Parameters) -> StripeObject:
    """Create a coupon (POST /v1/coupons)."""
    _check_value(params)
    coupon_id = params.get("id") or token(8)
    if not COUPON_ID.fullmatch(coupon_id):
        raise InvalidRequest("Invalid coupon ID: letters, digits, - and _ only", param="id")
    if tx.find(coupon_id):
        raise Refused("Coupon already exists.", code="resource_already_exists", param="id")
    coupon = {
        "id": coupon_id,
        "object": "coupon",
        "amount_off": params.get("amount_off"),
        "created": tx.seconds,
        "currency": _currency(params),
        "duration": params.get("duration", "once"),
        "duration_in_months": _months(params),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": merge_metadata(params.get("metadata")),
        "name": params.get("name"),
        "percent_off": _percent(params),
        "redeem_by": _future(tx, params, "redeem_by"),
        "times_redeemed": 0,
        "valid": True,
    }
    products = params.get("applies_to", {}).get("products", [])
    for index, product in enumerate(products):
        tx.get_referenced(product, "product", f"applies_to[products][{index}]")
    options = _options(params.get("currency_options", {}))
    if coupon["amount_off"]:
        options[str(coupon["currency"])] = {"amount_off": coupon["amount_off"]}
    private = {"applies_to": {"products": products} if products else None}
    tx.add(coupon, private=private | {"currency_options": options})
    if coupon["redeem_by"]:
        tx.schedule(coupon["redeem_by"] - tx.now, "expire_coupon", coupon_id)
    tx.emit("coupon.created", coupon)
    return coupon


def _check_value(params: Parameters) -> None:
    """Check that a coupon has either a percentage or an amount."""
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
        raise missing_param("currency")


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
            raise missing_param("duration_in_months")
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


def _future(tx: Transaction, params: Parameters, name: str) -> int | None:
    moment: int | None = params.get(name)
    if moment is not None and moment <= tx.now:
        raise InvalidRequest(f"`{name}` must be in the future.", param=name)
    return moment


def update_coupon(tx: Transaction, coupon: StripeObject, params: Parameters) -> StripeObject:
    """Update the name or metadata of a coupon (POST /v1/coupons/{id}); its value never changes."""
    changes: dict[str, Any] = {"name": params["name"]} if "name" in params else {}
    if "metadata" in params:
        changes["metadata"] = merge_metadata(params["metadata"], coupon["metadata"])
    if "currency_options" in params:
        private = tx.private(coupon["id"])
        private["currency_options"] |= _options(params["currency_options"])
        tx.set_private(coupon["id"], private)
    return tx.update("coupon.updated", coupon, **changes)


def delete_coupon(tx: Transaction, coupon: StripeObject) -> StripeObject:
    """Delete a coupon (DELETE /v1/coupons/{id}). Sessions that use it keep it."""
    tx.emit("coupon.deleted", coupon)
    deleted = {"id": coupon["id"], "object": "coupon", "deleted": True}
    tx.save(deleted)
    return deleted


def expire_coupon(tx: Transaction, coupon_id: str) -> None:
    """Mark a coupon as invalid after `redeem_by`."""
    coupon = tx.get(coupon_id, "coupon")
    tx.save(coupon | {"valid": False})


def create_code(tx: Transaction, params: Parameters) -> StripeObject:
    """Create a promotion code (POST /v1/promotion_codes)."""
    promotion = params["promotion"]
    if "coupon" not in promotion:
        raise missing_param("promotion[coupon]")
    coupon = tx.get_referenced(promotion["coupon"], "coupon", "promotion[coupon]")
    code = params.get("code", token(8).upper())
    if not CODE.fullmatch(code):
        raise InvalidRequest("Invalid code: letters, digits and dashes only.", param="code")
    if params.get("active", True) and active_code(tx, code):
        raise InvalidRequest(
            f"An active promotion code with `code: {code}` already exists.", param="code"
        )
    restrictions = params.get("restrictions", {})
    if ("minimum_amount" in restrictions) != ("minimum_amount_currency" in restrictions):
        raise missing_param("restrictions[minimum_amount_currency]")
    customer = params.get("customer")
    if customer:
        tx.get_referenced(customer, "customer", "customer")
    promotion_code = {
        "id": new_id("promotion_code"),
        "object": "promotion_code",
        "active": params.get("active", True),
        "code": code,
        "created": tx.seconds,
        "customer": customer,
        "customer_account": None,
        "expires_at": _future(tx, params, "expires_at"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": merge_metadata(params.get("metadata")),
        "promotion": {"coupon": coupon["id"], "type": "coupon"},
        "restrictions": {
            "first_time_transaction": restrictions.get("first_time_transaction", False),
            "minimum_amount": restrictions.get("minimum_amount"),
            "minimum_amount_currency": restrictions.get("minimum_amount_currency"),
        },
        "times_redeemed": 0,
    }
    options = _minimums(restrictions)
    tx.add(promotion_code, parent=coupon["id"], private={"currency_options": options})
    if promotion_code["expires_at"]:
        tx.schedule(promotion_code["expires_at"] - tx.now, "expire_code", promotion_code["id"])
    tx.emit("promotion_code.created", promotion_code)
    return promotion_code


def _minimums(restrictions: Parameters) -> dict[str, Any]:
    options = _options(restrictions.get("currency_options", {}))
    if restrictions.get("minimum_amount_currency"):
        amount = restrictions["minimum_amount"]
        options[restrictions["minimum_amount_currency"].lower()] = {"minimum_amount": amount}
    return options


def active_code(tx: Transaction, code: str) -> StripeObject | None:
    """Return the active promotion code that was entered, in any case."""
    row = tx.connection.execute(
        "SELECT id FROM objects WHERE kind = 'promotion_code' AND json_extract(body, '$.active')"
        " AND upper(json_extract(body, '$.code')) = upper(?)",
        (code,),
    ).fetchone()
    return tx.find(row["id"]) if row else None


def update_code(tx: Transaction, code: StripeObject, params: Parameters) -> StripeObject:
    """Update a promotion code (POST /v1/promotion_codes/{id})."""
    changes: dict[str, Any] = {"active": params["active"]} if "active" in params else {}
    if changes.get("active") and not code["active"] and active_code(tx, code["code"]):
        raise InvalidRequest(
            f"An active promotion code with `code: {code['code']}` already exists.", param="active"
        )
    if "metadata" in params:
        changes["metadata"] = merge_metadata(params["metadata"], code["metadata"])
    options = params.get("restrictions", {}).get("currency_options")
    if options:
        private = tx.private(code["id"])
        private["currency_options"] |= _options(options)
        tx.set_private(code["id"], private)
    return tx.update("promotion_code.updated", code, **changes)


def expire_code(tx: Transaction, code_id: str) -> None:
    """Deactivate a promotion code after `expires_at`."""
    code = tx.get(code_id, "promotion_code")
    tx.save(code | {"active": False})


def redeem(tx: Transaction, coupon: StripeObject, code: StripeObject | None) -> None:
    """Count a redemption; the last allowed one ends the coupon or the code."""
    for counted, ends in ((coupon, "valid"), (code, "active")):
        if counted is None or counted.get("deleted"):
            continue
        counted["times_redeemed"] += 1
        most = counted["max_redemptions"]
        if most is not None and counted["times_redeemed"] >= most:
            counted[ends] = False
        tx.save(counted)


Included = Callable[[Transaction, StripeObject], Any]


def included(name: str) -> Included:
    """Return a function for a field that is shown only if it is expanded."""
    return lambda tx, stripe_object: tx.private(stripe_object["id"]).get(name)

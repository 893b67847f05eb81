"""The payment page's total: its steps, the shipping options and the promotion code."""

from typing import Any

from stripe_emulator.base.models import StripeObject
from stripe_emulator.emulator import Emulator
from stripe_emulator.web.rendering import money

UNITS = {"business_day": "business day"}


def context(emulator: Emulator, session: StripeObject, locale: str) -> dict[str, Any]:
    """Return what `pay_totals.html` shows besides the lines."""
    return {
        "adjustable": bool(session["shipping_options"] or session["allow_promotion_codes"]),
        "code": _typed_code(emulator, session),
        "shipping": [
            _option(emulator, session, one, locale) for one in session["shipping_options"]
        ],
        "steps": _steps(emulator, session, locale),
    }


def _typed_code(emulator: Emulator, session: StripeObject) -> str | None:
    """Return the promotion code that the buyer entered."""
    for discount in session["discounts"]:
        promotion_code = emulator.retrieve(discount["promotion_code"] or "")
        if promotion_code:
            return str(promotion_code["code"])
    return None


def _steps(emulator: Emulator, session: StripeObject, locale: str) -> list[tuple[str, str]]:
    """Return the lines from the subtotal to the total, if the two differ."""
    currency, details = session["currency"], session["total_details"]
    steps = []
    if session["discounts"]:
        name = _typed_code(emulator, session) or _coupon_name(emulator, session)
        steps.append((f"Discount ({name})", _minus(details["amount_discount"], currency, locale)))
    if session["shipping_cost"]:
        rate = emulator.retrieve(session["shipping_cost"]["shipping_rate"]) or {}
        amount = _price(details["amount_shipping"], currency, locale)
        steps.append((f"Shipping ({rate.get('display_name')})", amount))
    subtotal = ("Subtotal", money(session["amount_subtotal"], currency, locale))
    return [subtotal, *steps] if steps else []


def _minus(amount: int, currency: str, locale: str) -> str:
    return money(-amount, currency, locale).replace("-", "\N{MINUS SIGN}")


def _coupon_name(emulator: Emulator, session: StripeObject) -> str:
    coupon_id = session["discounts"][0]["coupon"]
    coupon = emulator.retrieve(coupon_id or "") or {}
    return str(coupon.get("name") or coupon_id)


def _option(
    emulator: Emulator, session: StripeObject, option: StripeObject, locale: str
) -> dict[str, Any]:
    rate = emulator.retrieve(option["shipping_rate"]) or {}
    chosen = (session["shipping_cost"] or {}).get("shipping_rate")
    return {
        "id": option["shipping_rate"],
        "name": rate.get("display_name"),
        "estimate": _estimate(rate.get("delivery_estimate") or {}),
        "amount": _price(option["shipping_amount"], session["currency"], locale),
        "chosen": chosen == option["shipping_rate"],
    }


def _price(amount: int, currency: str, locale: str) -> str:
    return money(amount, currency, locale) if amount else "Free"


def _estimate(estimate: dict[str, Any]) -> str:
    """Return `3 to 5 business days`; "" if the rate has no estimate."""
    least, most = estimate.get("minimum"), estimate.get("maximum")
    if least and most and least["unit"] == most["unit"]:
        values = dict.fromkeys((least["value"], most["value"]))
        return f"{' to '.join(map(str, values))} {_unit(most)}"
    parts = [("at least", least), ("at most", most)]
    return ", ".join(f"{text} {one['value']} {_unit(one)}" for text, one in parts if one)


def _unit(bound: dict[str, Any]) -> str:
    name = UNITS.get(bound["unit"], bound["unit"])
    return name if bound["value"] == 1 else f"{name}s"

"""The amounts of a Checkout Session: its lines, minus a discount, plus the chosen shipping."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from stripe_emulator.base import currencies
from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import coupons
from stripe_emulator.storage.transaction import Transaction


def recompute(tx: Transaction, session: StripeObject) -> StripeObject:
    """Compute and store every amount of a session. Raises InvalidRequest for an invalid total."""
    items = tx.related("item", parent=session["id"])
    private = tx.private(session["id"])
    discount: StripeObject | None = private.get("discount")
    shares = [0] * len(items)
    if discount:
        coupon = private["coupon"]
        shares = _shares(items, coupon, session["currency"])
    for item, share in zip(items, shares, strict=True):
        total = item["amount_subtotal"] - share
        entry = [{"amount": share, "discount": discount}] if share else []
        if (item["amount_discount"], item["amount_total"]) != (share, total):
            item |= {"amount_discount": share, "amount_total": total, "discounts": entry}
            tx.save(item)
    shipping = (session["shipping_cost"] or {}).get("amount_total", 0)
    subtotal = sum(item["amount_subtotal"] for item in items)
    total = subtotal - sum(shares) + shipping
    currencies.check_total(total, session["currency"])
    session |= {
        "amount_subtotal": subtotal,
        "amount_total": total,
        "total_details": {
            "amount_discount": sum(shares),
            "amount_shipping": shipping,
            "amount_tax": 0,
        },
    }
    return tx.save(session)


def _shares(items: list[StripeObject], coupon: Parameters, currency: str) -> list[int]:
    """Return the discount of each line, in proportion to its amount.

    How Stripe rounds the shares is not published; here the sum is rounded once, half up, and the
    last discounted line gets the rest.
    """
    products = (coupon["applies_to"] or {}).get("products")
    bases = [
        item["amount_subtotal"] if not products or item["price"]["product"] in products else 0
        for item in items
    ]
    whole = sum(bases)
    if coupon["percent_off"]:
        exact = Decimal(whole) * Decimal(str(coupon["percent_off"])) / 100
        off = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
        off -= off % currencies.step(currency)
    else:
        off = min(whole, coupon["currency_options"][currency]["amount_off"])
    shares: list[int] = []
    for index, base in enumerate(bases):
        last = not any(bases[index + 1 :])
        share = off - sum(shares) if last else off * base // (whole or 1)
        shares.append(share if base else 0)
    return shares


def apply(tx: Transaction, session: StripeObject, params: Parameters, path: str) -> None:
    """Apply a coupon or promotion code to a session. Raises InvalidRequest if it does not fit."""
    code = None
    if "promotion_code" in params:
        param = f"{path}[promotion_code]"
        code = tx.get_referenced(params["promotion_code"], "promotion_code", param)
        coupon_id = code["promotion"]["coupon"]
    else:
        coupon_id, param = params["coupon"], f"{path}[coupon]"
    coupon = tx.get_referenced(coupon_id, "coupon", param)
    reason = _misfit(tx, session, coupon, code)
    if reason:
        raise InvalidRequest(reason, param=param)
    discount = {
        "id": new_id("discount"),
        "object": "discount",
        "checkout_session": session["id"],
        "customer": session["customer"],
        "customer_account": None,
        "end": None,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": code["id"] if code else None,
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": tx.seconds,
        "subscription": None,
        "subscription_item": None,
    }
    coupon_now = tx.private(coupon["id"]) | {"percent_off": coupon["percent_off"]}
    private = tx.private(session["id"]) | {"discount": discount, "coupon": coupon_now}
    tx.set_private(session["id"], private)
    session["discounts"] = [
        {
            "coupon": None if code else coupon["id"],
            "promotion_code": code["id"] if code else None,
        }
    ]


def _misfit(
    tx: Transaction, session: StripeObject, coupon: StripeObject, code: StripeObject | None
) -> str | None:
    """Return why a session cannot have this discount; None if it can."""
    if not coupon["valid"]:
        return f"Coupon expired: {coupon['id']}"
    options = tx.private(coupon["id"])["currency_options"]
    if not coupon["percent_off"] and session["currency"] not in options:
        return f"The coupon {coupon['id']} has no amount in {session['currency']}."
    return _code_misfit(tx, session, code) if code else None


def _code_misfit(tx: Transaction, session: StripeObject, code: StripeObject) -> str | None:
    customer = session["customer"]
    if not code["active"]:
        return "This promotion code is no longer active."
    if code["customer"] and code["customer"] != customer:
        return "This promotion code cannot be redeemed by this customer."
    if code["restrictions"]["first_time_transaction"] and _has_paid(tx, customer):
        return (
            "This promotion code cannot be redeemed because the associated customer has prior "
            "transactions."
        )
    minimums = tx.private(code["id"])["currency_options"]
    least = minimums.get(session["currency"], {}).get("minimum_amount", 0)
    items = tx.related("item", parent=session["id"])
    if minimums and session["currency"] not in minimums:
        return "This promotion code cannot be redeemed in this currency."
    if sum(item["amount_subtotal"] for item in items) < least:
        amount = currencies.format_amount(least, session["currency"])
        return f"This promotion code needs a purchase of at least {amount}."
    return None


def _has_paid(tx: Transaction, customer: str | None) -> bool:
    row = tx.connection.execute(
        "SELECT 1 FROM objects WHERE kind = 'payment_intent' AND status = 'succeeded'"
        " AND json_extract(body, '$.customer') = ? LIMIT 1",
        (customer,),
    ).fetchone()
    return row is not None


def remove_discount(tx: Transaction, session: StripeObject) -> None:
    """Remove the promotion code from a session."""
    private = tx.private(session["id"])
    private.pop("discount", None)
    private.pop("coupon", None)
    tx.set_private(session["id"], private)
    session["discounts"] = []


def choose_shipping(session: StripeObject, rate_id: str) -> None:
    """Choose one of the session's shipping options. Raises InvalidRequest for any other."""
    for option in session["shipping_options"]:
        if option["shipping_rate"] == rate_id:
            session["shipping_cost"] = {
                "amount_subtotal": option["shipping_amount"],
                "amount_tax": 0,
                "amount_total": option["shipping_amount"],
                "shipping_rate": rate_id,
            }
            return
    raise InvalidRequest("Choose one of the list.", param="shipping_rate")


def redeem(tx: Transaction, session: StripeObject) -> None:
    """Count the redemption of a completed session's coupon and code."""
    discount = tx.private(session["id"]).get("discount")
    if discount is None:
        return
    coupon = tx.find(discount["source"]["coupon"], "coupon")
    code = tx.find(discount["promotion_code"] or "", "promotion_code")
    if coupon:
        coupons.redeem(tx, coupon, code)


def breakdown(tx: Transaction, session: StripeObject) -> dict[str, Any]:
    """Return `total_details.breakdown`, which is shown only if it is expanded."""
    discount = tx.private(session["id"]).get("discount")
    amount = session["total_details"]["amount_discount"]
    entries = [{"amount": amount, "discount": discount}] if discount else []
    return {"discounts": entries, "taxes": []}

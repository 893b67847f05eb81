"""What a Checkout Session comes to: its lines, less a discount, plus the chosen shipping."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from stripe_emulator.base import currencies
from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import coupons
from stripe_emulator.resources.products import referred
from stripe_emulator.storage.transaction import Books


def recompute(books: Books, session: StripeObject) -> StripeObject:
    """Compute and store every amount of a session; raises InvalidRequest for an unfit total."""
    items = books.related("item", parent=session["id"])
    hidden = books.hidden(session["id"])
    discount: StripeObject | None = hidden.get("discount")
    shares = [0] * len(items)
    if discount:
        coupon = hidden["coupon"]
        shares = _shares(items, coupon, session["currency"])
    for item, share in zip(items, shares, strict=True):
        total = item["amount_subtotal"] - share
        entry = [{"amount": share, "discount": discount}] if share else []
        if (item["amount_discount"], item["amount_total"]) != (share, total):
            item |= {"amount_discount": share, "amount_total": total, "discounts": entry}
            books.save(item)
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
    return books.save(session)


def _shares(items: list[StripeObject], coupon: Parameters, currency: str) -> list[int]:
    """What a coupon takes off each line, in proportion to its amount.

    How Stripe rounds a share of several lines is not published; here the sum is rounded once,
    half up, and the last line that is discounted takes the rest.
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


def apply(books: Books, session: StripeObject, params: Parameters, path: str) -> None:
    """Put a coupon or a promotion code on a session; raises InvalidRequest for an unfit one."""
    code = None
    if "promotion_code" in params:
        where = f"{path}[promotion_code]"
        code = referred(books, params["promotion_code"], "promotion_code", where)
        coupon_id = code["promotion"]["coupon"]
    else:
        coupon_id, where = params["coupon"], f"{path}[coupon]"
    coupon = referred(books, coupon_id, "coupon", where)
    reason = _unfit(books, session, coupon, code)
    if reason:
        raise InvalidRequest(reason, param=where)
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
        "start": books.seconds,
        "subscription": None,
        "subscription_item": None,
    }
    coupon_now = books.hidden(coupon["id"]) | {"percent_off": coupon["percent_off"]}
    hidden = books.hidden(session["id"]) | {"discount": discount, "coupon": coupon_now}
    books.remember(session["id"], hidden)
    session["discounts"] = [
        {
            "coupon": None if code else coupon["id"],
            "promotion_code": code["id"] if code else None,
        }
    ]


def _unfit(
    books: Books, session: StripeObject, coupon: StripeObject, code: StripeObject | None
) -> str | None:
    """Why a session cannot have this discount, if there is a reason."""
    if not coupon["valid"]:
        return f"Coupon expired: {coupon['id']}"
    options = books.hidden(coupon["id"])["currency_options"]
    if not coupon["percent_off"] and session["currency"] not in options:
        return f"The coupon {coupon['id']} has no amount in {session['currency']}."
    return _unfit_code(books, session, code) if code else None


def _unfit_code(books: Books, session: StripeObject, code: StripeObject) -> str | None:
    customer = session["customer"]
    if not code["active"]:
        return "This promotion code is no longer active."
    if code["customer"] and code["customer"] != customer:
        return "This promotion code cannot be redeemed by this customer."
    if code["restrictions"]["first_time_transaction"] and _has_paid(books, customer):
        return (
            "This promotion code cannot be redeemed because the associated customer has prior "
            "transactions."
        )
    minimums = books.hidden(code["id"])["currency_options"]
    least = minimums.get(session["currency"], {}).get("minimum_amount", 0)
    items = books.related("item", parent=session["id"])
    if minimums and session["currency"] not in minimums:
        return "This promotion code cannot be redeemed in this currency."
    if sum(item["amount_subtotal"] for item in items) < least:
        amount = currencies.shown(least, session["currency"])
        return f"This promotion code needs a purchase of at least {amount}."
    return None


def _has_paid(books: Books, customer: str | None) -> bool:
    row = books.connection.execute(
        "SELECT 1 FROM objects WHERE kind = 'payment_intent' AND status = 'succeeded'"
        " AND json_extract(body, '$.customer') = ? LIMIT 1",
        (customer,),
    ).fetchone()
    return row is not None


def remove_discount(books: Books, session: StripeObject) -> None:
    """Take a promotion code off again."""
    hidden = books.hidden(session["id"])
    hidden.pop("discount", None)
    hidden.pop("coupon", None)
    books.remember(session["id"], hidden)
    session["discounts"] = []


def choose_shipping(session: StripeObject, rate_id: str) -> None:
    """Take one of the session's shipping options. Raises InvalidRequest for any other."""
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


def redeem(books: Books, session: StripeObject) -> None:
    """The session is complete: its coupon and its code were used once more."""
    discount = books.hidden(session["id"]).get("discount")
    if discount is None:
        return
    coupon = books.find(discount["source"]["coupon"], "coupon")
    code = books.find(discount["promotion_code"] or "", "promotion_code")
    if coupon:
        coupons.redeem(books, coupon, code)


def breakdown(books: Books, session: StripeObject) -> dict[str, Any]:
    """`total_details.breakdown`, shown only where it is asked for."""
    discount = books.hidden(session["id"]).get("discount")
    amount = session["total_details"]["amount_discount"]
    entries = [{"amount": amount, "discount": discount}] if discount else []
    return {"discounts": entries, "taxes": []}

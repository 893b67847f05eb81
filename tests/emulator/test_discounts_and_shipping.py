"""Coupons, promotion codes and shipping rates: the total of a session, and who may redeem."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe

from tests.support.emulator import EmulatorServer, line

THREE_LINES = [line(1000, name="A"), line(333, name="B"), line(667, name="C")]
POST: Any = {"display_name": "Post", "fixed_amount": {"amount": 500, "currency": "usd"}}
COURIER: Any = {
    "display_name": "Courier",
    "fixed_amount": {"amount": 1500, "currency": "usd"},
    "delivery_estimate": {
        "minimum": {"unit": "business_day", "value": 1},
        "maximum": {"unit": "business_day", "value": 2},
    },
}


def a_coupon(running: EmulatorServer, **params: Any) -> stripe.Coupon:
    wanted: Any = params if "amount_off" in params else {"percent_off": 20} | params
    return running.client.v1.coupons.create(wanted)


def a_code(running: EmulatorServer, coupon: str, **params: Any) -> stripe.PromotionCode:
    wanted: Any = {"promotion": {"type": "coupon", "coupon": coupon}} | params
    return running.client.v1.promotion_codes.create(wanted)


def amounts(session: stripe.checkout.Session) -> tuple[int | None, ...]:
    """Subtotal, discount, shipping, total."""
    details = session.total_details
    assert details is not None
    return (
        session.amount_subtotal,
        details.amount_discount,
        details.amount_shipping,
        session.amount_total,
    )


@pytest.mark.parametrize(
    ("coupon", "discount", "shares"),
    [
        ({"percent_off": 20}, 400, [200, 66, 134]),
        ({"percent_off": 12.5}, 250, [125, 41, 84]),
        ({"percent_off": 100}, 2000, [1000, 333, 667]),
        ({"amount_off": 301, "currency": "usd"}, 301, [150, 50, 101]),
        ({"amount_off": 9999, "currency": "usd"}, 2000, [1000, 333, 667]),
        (
            {"amount_off": 1, "currency": "eur", "currency_options": {"usd": {"amount_off": 7}}},
            7,
            [3, 1, 3],
        ),
    ],
)
def test_a_coupon_is_taken_off_the_lines(
    stripe_: EmulatorServer, coupon: Any, discount: int, shares: list[int]
) -> None:
    made = a_coupon(stripe_, **coupon)
    session = stripe_.a_session(line_items=THREE_LINES, discounts=[{"coupon": made.id}])

    read = stripe_.client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["total_details.breakdown", "discounts.coupon", "line_items"]}
    )
    assert amounts(session) == (2000, discount, 0, 2000 - discount)
    assert read.line_items is not None
    assert [item.amount_discount for item in read.line_items.data] == shares
    assert sum(item.amount_total for item in read.line_items.data) == session.amount_total
    assert read.discounts is not None
    assert isinstance(read.discounts[0].coupon, stripe.Coupon)
    assert read.total_details is not None
    assert read.total_details.breakdown is not None
    (entry,) = read.total_details.breakdown.discounts
    assert (entry.amount, entry.discount.source.coupon) == (discount, made.id)


def test_a_coupon_for_some_products_spares_the_others(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    jeans = client.products.create({"name": "Jeans"})
    price = client.prices.create({"product": jeans.id, "currency": "usd", "unit_amount": 1000})
    coupon = a_coupon(stripe_, percent_off=50, applies_to={"products": [jeans.id]})
    lines = [line(700), {"price": price.id, "quantity": 2}]

    session = stripe_.a_session(line_items=lines, discounts=[{"coupon": coupon.id}])

    assert amounts(session) == (2700, 1000, 0, 1700)
    read = client.coupons.retrieve(coupon.id, {"expand": ["applies_to"]})
    assert read.applies_to is not None
    assert read.applies_to.products == [jeans.id]
    assert "applies_to" not in client.coupons.retrieve(coupon.id)


def test_what_is_shown_is_charged_and_the_coupon_is_counted(stripe_: EmulatorServer) -> None:
    coupon = a_coupon(stripe_, percent_off=50, max_redemptions=1)
    session = stripe_.a_session(
        discounts=[{"coupon": coupon.id}], shipping_options=[{"shipping_rate_data": POST}]
    )
    assert amounts(session) == (3998, 1999, 500, 2499)

    stripe_.pay(session.id)

    used = stripe_.client.v1.coupons.retrieve(coupon.id)
    assert stripe_.charge_of(stripe_.intent_of(session.id)).amount == 2499
    assert (used.times_redeemed, used.valid) == (1, False)
    with pytest.raises(stripe.InvalidRequestError, match="Coupon expired"):
        stripe_.a_session(discounts=[{"coupon": coupon.id}])


def test_a_coupon_over_everything_needs_no_payment(stripe_: EmulatorServer) -> None:
    session = stripe_.a_session(discounts=[{"coupon": a_coupon(stripe_, percent_off=100).id}])

    stripe_.emulator.checkout.confirm(session.id, email="ada@example.com", answers={})

    done = stripe_.client.v1.checkout.sessions.retrieve(session.id)
    assert (done.amount_total, done.payment_status, done.payment_intent) == (
        0,
        "no_payment_required",
        None,
    )


def test_coupons_and_codes_are_changed_listed_and_deleted(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    coupon = a_coupon(stripe_, id="SPRING", name="Spring", metadata={"a": "1"})
    code = a_code(stripe_, coupon.id, code="Spring-20")
    generated = a_code(stripe_, coupon.id)

    client.coupons.update("SPRING", {"metadata": {"b": "2"}})
    off = client.promotion_codes.update(code.id, {"active": False})

    assert (coupon.duration, off.active, len(generated.code)) == ("once", False, 8)
    assert [one.id for one in client.promotion_codes.list({"active": True}).data] == [generated.id]
    assert [one.id for one in client.promotion_codes.list({"code": "Spring-20"}).data] == [code.id]
    assert len(client.promotion_codes.list({"coupon": "SPRING"}).data) == 2
    expanded = client.promotion_codes.retrieve(code.id, {"expand": ["promotion.coupon"]})
    assert isinstance(expanded.promotion.coupon, stripe.Coupon)
    assert client.coupons.delete("SPRING").deleted
    assert client.coupons.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such coupon: 'SPRING'"):
        client.coupons.retrieve("SPRING")
    assert stripe_.event_types() == [
        *("coupon.created", "promotion_code.created", "promotion_code.created"),
        *("coupon.updated", "promotion_code.updated", "coupon.deleted"),
    ]


def test_a_coupon_that_makes_no_sense_is_refused(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    a_coupon(stripe_, id="TWICE")
    a_code(stripe_, "TWICE", code="SAME")
    calls: tuple[tuple[str, Callable[[], object]], ...] = (
        ("either amount_off or percent_off", lambda: client.coupons.create({})),
        ("only specify one of", lambda: a_coupon(stripe_, percent_off=1, amount_off=1)),
        ("Missing required param: currency", lambda: a_coupon(stripe_, amount_off=100)),
        ("Invalid percent_off", lambda: a_coupon(stripe_, percent_off=101)),
        ("duration_in_months", lambda: a_coupon(stripe_, duration="repeating")),
        ("must be in the future", lambda: a_coupon(stripe_, redeem_by=1)),
        ("Coupon already exists", lambda: a_coupon(stripe_, id="TWICE")),
        ("No such coupon: 'X'", lambda: a_code(stripe_, "X")),
        ("`code: same` already exists", lambda: a_code(stripe_, "TWICE", code="same")),
        (
            "only specify one of these parameters: allow_promotion_codes, discounts",
            lambda: stripe_.a_session(allow_promotion_codes=True, discounts=[{"coupon": "TWICE"}]),
        ),
        ("No such promotion code", lambda: stripe_.a_session(discounts=[{"promotion_code": "X"}])),
        (
            "exceeded maximum 1",
            lambda: stripe_.a_session(discounts=[{"coupon": "TWICE"}, {"coupon": "TWICE"}]),
        ),
        (
            "total amount due must add up to at least",
            lambda: stripe_.a_session(
                discounts=[{"coupon": a_coupon(stripe_, percent_off=99.5).id}]
            ),
        ),
    )

    for words, call in calls:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call()
        assert words in str(refused.value), words


def apply(running: EmulatorServer, session: str, code: str) -> str | None:
    """Type a code on the pay page; returns what the page says against it."""
    problem = running.emulator.checkout.apply_promotion_code(session, code)
    return problem.message if problem else None


def test_a_code_is_typed_on_the_page_taken_off_and_counted(stripe_: EmulatorServer) -> None:
    coupon = a_coupon(stripe_)
    code = a_code(stripe_, coupon.id, code="SAVE20", max_redemptions=1)
    session = stripe_.a_session(allow_promotion_codes=True)
    stripe_.pay(session.id, "4000000000000002")

    assert apply(stripe_, session.id, "NOPE") == "This code is invalid."
    assert apply(stripe_, session.id, "save20") is None
    status, _, page = stripe_.raw("GET", f"/c/pay/{session.id}")
    assert (status, b"Discount (SAVE20)" in page, b"Pay $31.98" in page) == (200, True, True)
    assert apply(stripe_, session.id, "") is None
    assert stripe_.client.v1.checkout.sessions.retrieve(session.id).amount_total == 3998
    assert apply(stripe_, session.id, "SAVE20") is None
    assert stripe_.pay(session.id).outcome == "succeeded"

    paid = stripe_.client.v1.checkout.sessions.retrieve(session.id)
    assert paid.discounts is not None
    assert (paid.discounts[0].coupon, paid.discounts[0].promotion_code) == (None, code.id)
    intent = stripe_.intent_of(session.id)
    assert (paid.amount_total, intent.amount, intent.amount_received) == (3198, 3198, 3198)
    assert not stripe_.client.v1.promotion_codes.retrieve(code.id).active
    assert apply(stripe_, stripe_.a_session(allow_promotion_codes=True).id, "SAVE20") == (
        "This code is invalid."
    )


def test_codes_keep_their_restrictions(stripe_: EmulatorServer) -> None:
    coupon = a_coupon(stripe_).id
    ada = stripe_.client.v1.customers.create().id
    paid = stripe_.a_session(customer=ada)
    stripe_.pay(paid.id)
    soon = int(stripe_.emulator.now()) + 60
    minimum = {"minimum_amount": 5000, "minimum_amount_currency": "usd"}
    a_code(stripe_, coupon, code="BIG", restrictions=minimum)
    a_code(stripe_, coupon, code="FIRST", restrictions={"first_time_transaction": True})
    a_code(stripe_, coupon, code="ADA", customer=ada)
    a_code(stripe_, coupon, code="SOON", expires_at=soon)
    by_ada = stripe_.a_session(customer=ada, allow_promotion_codes=True).id
    by_bob = stripe_.a_session(allow_promotion_codes=True).id

    assert apply(stripe_, by_bob, "SOON") is None
    stripe_.emulator.move_clock(61)
    assert apply(stripe_, by_ada, "SOON") == "This code is invalid."
    assert "at least $50.00 usd" in str(apply(stripe_, by_bob, "BIG"))
    assert "prior transactions" in str(apply(stripe_, by_ada, "FIRST"))
    assert "by this customer" in str(apply(stripe_, by_bob, "ADA"))
    assert apply(stripe_, by_ada, "ADA") is None
    assert "takes no promotion codes" in str(apply(stripe_, stripe_.a_session().id, "ADA"))


def test_shipping_is_chosen_on_the_page_and_charged(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    rate = client.shipping_rates.create(COURIER)
    session = stripe_.a_session(
        shipping_options=[{"shipping_rate_data": POST}, {"shipping_rate": rate.id}]
    )
    assert amounts(session) == (3998, 0, 500, 4498)
    assert [one.shipping_amount for one in session.shipping_options] == [500, 1500]
    page = stripe_.raw("GET", f"/c/pay/{session.id}")[2].decode()
    assert "1 to 2 business days" in page

    wrong = stripe_.post_form(f"/c/pay/{session.id}/shipping", b"shipping_rate=shr_other")
    form = f"shipping_rate={rate.id}".encode()
    right = stripe_.post_form(f"/c/pay/{session.id}/shipping", form)

    assert (wrong[0], right[0]) == (422, 303)
    fields = {"number": "4242424242424242", "expiry": "12/40", "cvc": "123"}
    fields |= {"email": "ada@example.com"}
    stale = urlencode(fields | {"shown_total": "4498"}).encode()
    assert stripe_.post_form(f"/c/pay/{session.id}", stale)[0] == 422
    assert client.payment_intents.list().data == []
    fresh = urlencode(fields | {"shown_total": "5498"}).encode()
    assert stripe_.post_form(f"/c/pay/{session.id}", fresh)[0] == 303
    paid = client.checkout.sessions.retrieve(
        session.id, {"expand": ["shipping_cost.shipping_rate"]}
    )
    assert amounts(paid) == (3998, 0, 1500, 5498)
    assert paid.shipping_cost is not None
    assert isinstance(paid.shipping_cost.shipping_rate, stripe.ShippingRate)
    assert paid.shipping_cost.shipping_rate.display_name == "Courier"
    assert stripe_.charge_of(stripe_.intent_of(session.id)).amount == 5498


def test_shipping_rates_are_changed_listed_and_refused(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    rate, other = client.shipping_rates.create(POST), client.shipping_rates.create(COURIER)
    yen: Any = {"fixed_amount": {"currency_options": {"jpy": {"amount": 700}}}}

    client.shipping_rates.update(rate.id, {"active": False, "metadata": {"a": "1"}})
    client.shipping_rates.update(other.id, yen)

    assert [one.id for one in client.shipping_rates.list({"active": True}).data] == [other.id]
    assert len(client.shipping_rates.list({"currency": "usd"}).data) == 2
    session = stripe_.a_session(
        line_items=[line(2000, "jpy")], shipping_options=[{"shipping_rate": other.id}]
    )
    assert amounts(session) == (2000, 0, 700, 2700)
    for words, option in (
        ("inactive", {"shipping_rate": rate.id}),
        ("No such shipping rate: 'x'", {"shipping_rate": "x"}),
        (
            "only specify one of these parameters: shipping_rate, shipping_rate_data",
            {"shipping_rate": other.id, "shipping_rate_data": POST},
        ),
        (
            "has no amount in usd",
            {"shipping_rate_data": {**POST, "fixed_amount": {"amount": 5, "currency": "eur"}}},
        ),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            stripe_.a_session(shipping_options=[option])
        assert words in str(refused.value), words


def test_older_versions_have_the_coupon_on_the_code(stripe_: EmulatorServer) -> None:
    coupon = a_coupon(stripe_)
    headers: Any = {
        "Stripe_Version": "2025-08-27.basil",
        "Content_Type": "application/x-www-form-urlencoded",
    }

    made = stripe_.raw("POST", "/v1/promotion_codes", f"coupon={coupon.id}".encode(), **headers)
    code = json.loads(made[2])
    listed = json.loads(stripe_.raw("GET", "/v1/promotion_codes", **headers)[2])["data"]

    assert (made[0], code["coupon"]["id"], "promotion" in code) == (200, coupon.id, False)
    assert listed == [code]

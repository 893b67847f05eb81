"""From the cart to a Checkout Session: reuse, supersede, cancel, try again."""

import math
from typing import Any

import pytest
from sqlmodel import col, select

from store.core.errors import (
    AmountRefused,
    CatalogError,
    DatabaseUnavailable,
    EmptyCart,
    JustBought,
    OtherOrderPaid,
    PriceChanged,
    QuantityRefused,
    StripeBusy,
)
from store.db import engine as db
from store.db.models import Product
from store.orders import checkout
from store.web import buyer_cookie
from tests.support.shop import JEANS, ON_SQLITE, SHIRTS, Shop, at_once


@pytest.mark.scenario("A1")
def test_eight_tabs_that_pay_the_same_cart_at_once_meet_in_one_session(shop: Shop) -> None:
    def click(_: int) -> tuple[str, str]:
        number = shop.place()
        return number, checkout.checkout_url(shop.buyer, number)

    results = at_once(8, click)

    assert len(set(results)) == 1
    assert len(shop.orders()) == 1
    assert len(shop.sessions()) == 1


@pytest.mark.scenario("A7")
def test_two_carts_paid_at_once_leave_one_payable_session(shop: Shop) -> None:
    results = at_once(6, lambda place: shop.place(SHIRTS if place % 2 else JEANS))

    # Six tabs that keep replacing each other may all be asked to try again; never are two payable.
    assert all(isinstance(result, str | StripeBusy) for result in results), results
    payable = [order for order in shop.orders() if order.checkout_status in ("none", "open")]
    assert len(payable) <= 1
    last = shop.an_open_order(JEANS)
    (opened,) = [session for session in shop.sessions() if session.status == "open"]
    assert opened.id == shop.session_id(last)


@pytest.mark.scenario("A2")
def test_a_cancelled_cart_can_be_bought_again_under_a_new_key(shop: Shop) -> None:
    first = shop.an_open_order()
    checkout.cancel(shop.buyer, first)
    assert shop.order(first).status == "canceled"

    second = shop.an_open_order()

    assert [session.status for session in shop.sessions()] == ["expired", "open"]
    assert shop.order(second).attempt == 2
    assert shop.order(first).idempotency_key != shop.order(second).idempotency_key


@pytest.mark.scenario("A3")
def test_the_same_cart_after_paying_needs_a_confirmation_for_a_new_order(shop: Shop) -> None:
    first = shop.a_paid_order()

    with pytest.raises(JustBought):
        shop.place()
    second = shop.place(again=True)

    assert second != first
    assert "/c/pay/" in checkout.checkout_url(shop.buyer, second)
    assert [session.status for session in shop.sessions()] == ["complete", "open"]


@pytest.mark.scenario("A7")
def test_a_new_cart_replaces_the_old_one_at_stripe_first(shop: Shop) -> None:
    old = shop.an_open_order(SHIRTS)

    new = shop.an_open_order(JEANS)

    assert [session.status for session in shop.sessions()] == ["expired", "open"]
    assert (shop.order(old).status, shop.order(new).status) == ("canceled", "open")


@pytest.mark.scenario("A7")
def test_a_new_cart_does_not_hide_that_the_old_one_was_just_paid(shop: Shop) -> None:
    old = shop.an_open_order(SHIRTS)
    shop.pay(old)

    with pytest.raises(OtherOrderPaid) as raised:
        shop.place(JEANS)

    assert raised.value.number == old
    assert shop.order(old).status == "paid"
    assert len(shop.orders()) == 1
    assert "/c/pay/" in checkout.checkout_url(shop.buyer, shop.place(JEANS))


@pytest.mark.scenario("A15")
def test_two_hundred_buyers_at_once_are_all_served_or_told_to_wait(shop: Shop) -> None:
    buyers_now = [buyer_cookie.buyer_hash(buyer_cookie.new_cookie()) for _ in range(200)]

    results = at_once(200, lambda place: shop.place(buyer=buyers_now[place]))

    served = [result for result in results if isinstance(result, str)]
    refused = [result for result in results if isinstance(result, DatabaseUnavailable)]
    assert len(served) + len(refused) == 200
    assert sorted(served) == sorted(order.number for order in shop.orders())
    assert len(served) >= 150


# --- what may be in a cart ------------------------------------------------------------------


def change(slug: str, **values: Any) -> None:
    """Change a product, as a shopkeeper would."""
    with db.unit_of_work() as session:
        product = session.exec(select(Product).where(col(Product.slug) == slug)).one()
        for name, value in values.items():
            setattr(product, name, value)


@ON_SQLITE
@pytest.mark.scenario("A8")
@pytest.mark.parametrize(
    "quantity",
    [-1, 11, 1.5, 1e3, math.nan, math.inf, 10**21, 10**5000, True, "3", "٣", None, [1], b"1"],
    ids=lambda quantity: repr(quantity)[:20] if not isinstance(quantity, int) else "",
)
def test_an_impossible_quantity_orders_nothing(shop: Shop, quantity: Any) -> None:
    with pytest.raises(QuantityRefused):
        shop.place({"red-t-shirt": quantity, "blue-jeans": 1}, shown_amount=4999)

    assert shop.orders() == []
    assert shop.stripe.emulator.request_log() == []


@ON_SQLITE
@pytest.mark.scenario("A8", "A9")
@pytest.mark.parametrize("cart", [{}, {"red-t-shirt": 0}, {"red-t-shirt": 0, "sneakers": 0}])
def test_an_empty_cart_orders_nothing(shop: Shop, cart: dict[str, int]) -> None:
    with pytest.raises(EmptyCart):
        shop.place(cart)

    assert shop.orders() == []


@ON_SQLITE
@pytest.mark.scenario("A8")
def test_the_largest_cart_can_be_bought_and_unknown_products_cannot(shop: Shop) -> None:
    slugs = ["red-t-shirt", "blue-jeans", "sneakers"]
    number = shop.an_open_order(dict.fromkeys(slugs, 10))

    with pytest.raises(QuantityRefused):
        shop.place({"red-t-shirt": 1, "' OR 1=1 --": 1})

    assert shop.order(number).total_amount == 10 * (1999 + 4999 + 7999)
    assert len(shop.orders()) == 1


@pytest.mark.scenario("A4")
def test_a_session_keeps_the_price_of_the_click_and_a_new_click_needs_the_new_one(
    shop: Shop,
) -> None:
    number = shop.place()
    change("red-t-shirt", unit_amount=9999)

    checkout.checkout_url(shop.buyer, number)
    with pytest.raises(PriceChanged):
        shop.place(shown_amount=3998)
    newer = shop.place()
    checkout.checkout_url(shop.buyer, newer)

    assert [session.amount_total for session in shop.sessions()] == [3998, 19_998]
    assert [session.status for session in shop.sessions()] == ["expired", "open"]


@pytest.mark.scenario("A6")
def test_a_product_that_is_switched_off_after_the_click_is_still_paid_for(shop: Shop) -> None:
    number = shop.an_open_order()
    change("red-t-shirt", active=False)

    shop.pay(number)
    shop.deliver_latest("checkout.session.completed")

    assert shop.order(number).status == "paid"
    assert [item.name for item in shop.view(number).items] == ["Red T-Shirt"]
    sentences = [line.detail for line in shop.history(number)]
    assert sentences[-1] == "paid for Red T-Shirt, which is no longer sold"
    with pytest.raises(QuantityRefused, match="no longer sold"):
        shop.place(SHIRTS, again=True)


@pytest.mark.scenario("A10")
@pytest.mark.parametrize("unit_amount", [1, 24, 50_000_000])
def test_a_total_outside_stripes_limits_is_refused_without_a_request(
    shop: Shop, unit_amount: int
) -> None:
    change("red-t-shirt", unit_amount=unit_amount)

    with pytest.raises(AmountRefused):
        shop.place(SHIRTS)

    assert shop.orders() == []
    assert shop.stripe.emulator.request_log() == []


@pytest.mark.scenario("A11")
def test_products_in_two_currencies_are_not_sold_together(shop: Shop) -> None:
    change("blue-jeans", currency="eur")

    with pytest.raises(CatalogError, match="EUR"):
        shop.place(SHIRTS, shown_amount=3998)

    assert shop.orders() == []


@pytest.mark.scenario("A12", "A13")
def test_reloading_an_order_makes_no_stripe_request(shop: Shop) -> None:
    number = shop.an_open_order()
    asked = len(shop.stripe.emulator.request_log())

    for _ in range(5):
        assert shop.view(number).status == "open"

    assert len(shop.stripe.emulator.request_log()) == asked


@pytest.mark.scenario("A13")
def test_a_stale_pay_button_leads_to_the_paid_order(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)

    address = checkout.checkout_url(shop.buyer, number)

    assert address == f"/order?number={number}"
    assert shop.order(number).status == "paid"


def test_checkout_url_skips_stripe_when_already_refreshed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.place()
    at_stripe = checkout.checkout_url(shop.buyer, number)
    monkeypatch.setattr(checkout, "create_or_refresh_session", None)  # whoever looks fails

    again = checkout.checkout_url(shop.buyer, number, refreshed=True)
    checkout.cancel(shop.buyer, number)  # in another tab, while the browser was on its way
    canceled = checkout.checkout_url(shop.buyer, number, refreshed=True)

    assert again == at_stripe
    assert canceled == f"/order?number={number}"


@pytest.mark.scenario("A14")
def test_a_buyer_without_the_old_cookie_is_new_and_the_old_order_still_completes(
    shop: Shop,
) -> None:
    old = shop.an_open_order()
    forgetful = Shop(shop.stripe, shop.server)
    new = forgetful.an_open_order()
    shop.pay(old)

    shop.deliver_latest("checkout.session.completed")

    assert old != new
    assert (shop.order(old).status, shop.order(new).status) == ("paid", "open")


@ON_SQLITE
@pytest.mark.scenario("G8")
def test_amounts_go_to_stripe_as_the_integers_they_are(shop: Shop) -> None:
    number = shop.an_open_order(SHIRTS | JEANS)

    (session,) = shop.sessions()

    assert session.amount_total == shop.order(number).total_amount == 2 * 1999 + 4999
    assert session.currency == "usd"

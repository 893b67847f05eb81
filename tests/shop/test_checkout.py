"""From the cart to a Checkout Session: reuse, supersede, cancel, try again."""

import pytest

from store import buyers, checkout
from store.errors import DatabaseUnavailable, JustBought, OtherOrderPaid
from tests.shop.running import JEANS, SHIRTS, Shop, at_once


@pytest.mark.scenario("A1")
def test_eight_tabs_that_pay_the_same_cart_at_once_meet_in_one_session(shop: Shop) -> None:
    def click(_: int) -> tuple[str, str]:
        number = shop.place()
        return number, checkout.open_checkout(shop.buyer, number)

    results = at_once(8, click)

    assert len(set(results)) == 1
    assert len(shop.orders()) == 1
    assert len(shop.sessions()) == 1


@pytest.mark.scenario("A7")
def test_two_carts_paid_at_once_leave_one_payable_session(shop: Shop) -> None:
    at_once(6, lambda place: shop.place(SHIRTS if place % 2 else JEANS))

    payable = [order for order in shop.orders() if order.session_status in ("none", "open")]
    assert len(payable) == 1
    checkout.open_checkout(shop.buyer, payable[0].number)
    assert sum(session.status == "open" for session in shop.sessions()) == 1


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
def test_the_same_cart_after_paying_is_asked_about_and_then_a_new_order(shop: Shop) -> None:
    first = shop.a_paid_order()

    with pytest.raises(JustBought):
        shop.place()
    second = shop.place(again=True)

    assert second != first
    assert "/c/pay/" in checkout.open_checkout(shop.buyer, second)
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
    assert "/c/pay/" in checkout.open_checkout(shop.buyer, shop.place(JEANS))


@pytest.mark.scenario("A15")
def test_two_hundred_buyers_at_once_are_all_served_or_told_to_wait(shop: Shop) -> None:
    buyers_now = [buyers.digest(buyers.new_cookie()) for _ in range(200)]

    results = at_once(200, lambda place: shop.place(buyer=buyers_now[place]))

    served = [result for result in results if isinstance(result, str)]
    told = [result for result in results if isinstance(result, DatabaseUnavailable)]
    assert len(served) + len(told) == 200
    assert sorted(served) == sorted(order.number for order in shop.orders())
    assert len(served) >= 150

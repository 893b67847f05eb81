"""J3: Stripe does not know an order's open session any more, and the buyer can still buy."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import select

from store.backoffice import actions
from store.core import clock
from store.core.errors import CheckoutOutOfReach, StripeError, StripeNotFound, StripeUncertain
from store.db import engine as db
from store.db.models import Order
from store.orders import checkout, checkout_session
from store.reconciliation import reconciler
from store.stripe_api import requests, transport
from tests.support.shop import JEANS, SHIRTS, Shop, at_once

COMPLETED = "checkout.session.completed"
Act = Callable[[Shop, str], object]

# Whatever somebody does about the order, and what becomes of it.
ACTS: dict[str, tuple[Act, str]] = {
    "pay": (lambda shop, number: checkout.checkout_url(shop.buyer, number), "expired"),
    "come back": (lambda shop, number: checkout.refresh_order(shop.buyer, number), "expired"),
    "another cart": (lambda shop, _number: shop.place(JEANS), "canceled"),
    "cancel": (lambda shop, number: checkout.cancel(shop.buyer, number), "canceled"),
    "an operator asks": (lambda _shop, number: actions.refresh_order("Ada", number), "expired"),
    "an operator cancels": (lambda _shop, number: actions.cancel("Ada", number), "canceled"),
    "the reconciler": (lambda _shop, _number: reconciler.reconcile_recent(), "expired"),
}


def change(number: str, **columns: object) -> None:
    with db.unit_of_work() as session:
        order = session.exec(select(Order).where(Order.number == number)).one()
        for name, value in columns.items():
            setattr(order, name, value)


def an_old_order(shop: Shop, cart: dict[str, int] = SHIRTS) -> str:
    """An open order that is not of this minute."""
    number = shop.an_open_order(cart)
    change(number, created_at=shop.order(number).created_at - timedelta(minutes=2))
    return number


def lose(shop: Shop, number: str, match: str = "*{}*") -> None:
    """Let Stripe say that it does not know the order's session, in every answer."""
    names = match.format(shop.session_id(number))
    shop.stripe.emulator.inject_fault("request", "gone", times=None, match=names)


def payable(shop: Shop) -> list[str]:
    return [session.id for session in shop.sessions() if session.status == "open"]


@pytest.mark.scenario("J3")
@pytest.mark.parametrize("act", ACTS)
def test_an_attempt_with_a_missing_session_is_closed_and_the_next_click_works(
    shop: Shop, act: str
) -> None:
    number = an_old_order(shop)
    lose(shop, number)

    do, becomes = ACTS[act]
    do(shop, number)

    assert shop.order(number).status == becomes
    assert "does not know this session" in shop.history(number)[-1].detail + str(shop.log(number))
    again = shop.place()
    assert again != number
    assert "/c/pay/" in checkout.checkout_url(shop.buyer, again)
    assert shop.pay(again) == "succeeded"


@pytest.mark.scenario("J3")
@pytest.mark.parametrize("mark", ["0123456789abcdef", None], ids=["another key", "unknown key"])
@pytest.mark.parametrize("act", ["pay", "come back", "another cart", "cancel"])
def test_a_session_of_another_account_keeps_its_order_only_until_its_time_is_over(
    shop: Shop, act: str, mark: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = an_old_order(shop)
    change(number, placed_under=mark)
    lose(shop, number)
    do, becomes = ACTS[act]
    expires_at = shop.order(number).checkout_expires_at

    with pytest.raises(CheckoutOutOfReach, match=f"{expires_at:%H:%M} UTC") as refusal:
        do(shop, number)

    assert "You have not been charged" in str(refusal.value)
    assert "You" not in refusal.value.for_operator
    assert shop.order(number).status == "open", "it may be payable where this key does not see it"
    over = expires_at + timedelta(minutes=2)
    shop.stripe.emulator.set_clock_off((over - clock.now()).total_seconds())
    monkeypatch.setattr(clock, "now", lambda: over)
    do(shop, number)
    assert shop.order(number).status == becomes


@pytest.mark.scenario("J3")
def test_a_payment_of_a_session_reported_missing_makes_the_order_paid(shop: Shop) -> None:
    number = an_old_order(shop)
    shop.pay(number)
    event = shop.event(COMPLETED)
    lose(shop, number)
    checkout.checkout_url(shop.buyer, number)
    assert shop.order(number).status == "expired"

    assert shop.outcome(event) == "applied"

    assert shop.order(number).status == "paid"
    assert "although it was expired" in shop.history(number)[-1].detail


@pytest.mark.scenario("J3")
def test_a_session_that_can_still_be_expired_is_expired_before_another_is_made(
    shop: Shop,
) -> None:
    number = an_old_order(shop)
    lose(shop, number, match="GET /v1/checkout/sessions/{}")

    checkout.checkout_url(shop.buyer, number)
    shop.stripe.emulator.clear_faults()

    assert payable(shop) == []
    assert shop.order(number).status == "expired"
    again = shop.an_open_order()
    assert payable(shop) == [shop.session_id(again)]


@pytest.mark.scenario("J3")
def test_a_paid_session_is_found_although_one_look_up_missed_it(
    shop: Shop,
) -> None:
    number = an_old_order(shop)
    shop.pay(number)
    shop.stripe.emulator.inject_fault(
        "request", "gone", match=f"GET /v1/checkout/sessions/{shop.session_id(number)}"
    )

    with pytest.raises(StripeNotFound):
        checkout.refresh_order(shop.buyer, number)
    checkout.refresh_order(shop.buyer, number)

    assert shop.order(number).status == "paid"


@pytest.mark.scenario("J3")
def test_a_session_of_this_minute_may_only_not_be_everywhere_yet(shop: Shop) -> None:
    number = shop.an_open_order()
    lose(shop, number)

    with pytest.raises(CheckoutOutOfReach):
        checkout.checkout_url(shop.buyer, number)

    assert shop.order(number).status == "open"


@pytest.mark.scenario("J3")
@pytest.mark.parametrize("code", ["", "url_invalid"])
def test_a_404_that_is_not_stripes_own_closes_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    number = an_old_order(shop)

    def not_found(_session_id: str) -> transport.Document:
        error = StripeNotFound()
        error.code = code
        raise error

    monkeypatch.setattr(requests, "checkout", not_found)
    monkeypatch.setattr(requests, "expire_checkout", not_found)

    for act in (checkout.checkout_url, checkout.cancel):
        with pytest.raises(StripeNotFound):
            act(shop.buyer, number)

    assert shop.order(number).status == "open"


@pytest.mark.scenario("J3")
def test_a_proxys_html_closes_nothing(shop: Shop) -> None:
    number = an_old_order(shop)
    shop.stripe.emulator.inject_fault(
        "request", "malformed", times=None, match=f"*{shop.session_id(number)}*", value="html"
    )

    for act in (checkout.checkout_url, checkout.cancel, checkout.refresh_order):
        with pytest.raises(StripeUncertain):
            act(shop.buyer, number)

    assert shop.order(number).status == "open"


@pytest.mark.scenario("J3")
def test_concurrent_replacements_of_a_missing_session_leave_one_payable(shop: Shop) -> None:
    number = an_old_order(shop)
    lose(shop, number)

    def click(place: int) -> str:
        return checkout.checkout_url(shop.buyer, shop.place(JEANS if place % 2 else SHIRTS))

    at_once(6, click)
    shop.stripe.emulator.clear_faults()
    last = checkout.checkout_url(shop.buyer, shop.place())

    assert shop.order(number).checkout_status == "expired"
    theirs = {order.checkout_session_id for order in shop.orders()}
    assert len(set(payable(shop)) & theirs - {shop.session_id(number)}) == 1
    assert "/c/pay/" in last


@pytest.mark.scenario("J3")
def test_an_order_that_is_being_paid_by_debit_is_not_closed(shop: Shop) -> None:
    number = an_old_order(shop)
    payment = shop.pay_later(number)
    checkout.refresh_order(shop.buyer, number)
    lose(shop, number)

    with pytest.raises(StripeError):
        checkout_session.create_or_refresh_session(shop.order(number), source="reconciler")

    assert shop.order(number).status == "processing"
    shop.stripe.emulator.clear_faults()
    shop.stripe.emulator.settle_debit(payment, True)
    reconciler.reconcile_recent()
    assert shop.order(number).status == "paid"

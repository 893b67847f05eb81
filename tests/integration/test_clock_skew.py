"""J7: this machine's clock differs from Stripe's."""

import logging
import time
from datetime import timedelta

import pytest
from sqlmodel import select

from store.core import clock, settings
from store.db import engine as db
from store.db.models import Order
from store.orders import checkout
from store.reconciliation import reconciler
from store.stripe_api import requests
from store.stripe_api.clock_skew import CLOCK_SKEW
from store.web import texts
from tests.support.shop import SHIRTS, Shop

# How many seconds Stripe's clock is ahead of this machine's.
FAR_OFF = [-2 * 3600, -35 * 60, -65, 65, 35 * 60, 2 * 3600]
MINUTES = [31, 60, 1440]


def set_off(shop: Shop, seconds: float) -> None:
    """Let Stripe's clock be that much ahead, which nobody has noticed yet."""
    shop.stripe.emulator.set_clock_off(seconds)
    CLOCK_SKEW.ahead = None


def last(monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    monkeypatch.setenv("CHECKOUT_MINUTES", str(minutes))
    settings.current.cache_clear()


@pytest.mark.scenario("J7")
@pytest.mark.parametrize("minutes", MINUTES)
@pytest.mark.parametrize("off", FAR_OFF)
def test_a_clock_that_is_known_to_be_off_is_reckoned_with(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, off: int, minutes: int
) -> None:
    last(monkeypatch, minutes)
    set_off(shop, off)
    requests.clock_offset()

    number = shop.an_open_order()

    (session,) = shop.sessions()
    lasts = session.expires_at - session.created
    assert abs(lasts - min(max(minutes, 35), 1430) * 60) <= 65
    assert shop.pay(number) == "succeeded"
    checkout.refresh_order(shop.buyer, number)
    assert shop.order(number).status == "paid"


@pytest.mark.scenario("J7")
@pytest.mark.parametrize("minutes", MINUTES)
@pytest.mark.parametrize("off", [-230, -65, 65, 230])
def test_an_unknown_clock_difference_of_minutes_stops_no_purchase(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, off: int, minutes: int
) -> None:
    last(monkeypatch, minutes)
    set_off(shop, off)

    assert shop.pay(shop.an_open_order()) == "succeeded"


@pytest.mark.scenario("J7")
@pytest.mark.parametrize(("off", "minutes"), [(3600, 60), (35 * 60, 60), (-3600, 1440)])
def test_a_refused_time_limit_names_the_clock_and_the_next_attempt_works(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    off: int,
    minutes: int,
) -> None:
    last(monkeypatch, minutes)
    set_off(shop, off)
    number = shop.place()

    with caplog.at_level(logging.WARNING):
        address = checkout.checkout_url(shop.buyer, number)

    assert address == f"/order?number={number}"
    assert shop.order(number).status == "failed"
    assert texts.status_sentence(shop.view(number)) == texts.NOT_OPENED
    (warning,) = [line for line in caplog.records if "time limit" in line.getMessage()]
    assert ("behind" if off > 0 else "ahead of") in warning.getMessage()
    assert warning.__dict__["order_number"] == number
    assert "clock" in shop.history(number)[-1].detail
    again = shop.an_open_order()
    assert shop.order(again).attempt == 2
    assert shop.pay(again) == "succeeded"


@pytest.mark.scenario("J7")
def test_a_question_that_waited_for_too_long_makes_room_for_the_next_attempt(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.place()
    later = clock.now() + timedelta(minutes=40)  # 20 of its 60 minutes are left: too few for Stripe
    monkeypatch.setattr(clock, "now", lambda: later)
    shop.stripe.emulator.set_clock_off(40 * 60)

    again = shop.an_open_order()

    assert again != number
    assert shop.order(number).checkout_status == "refused"
    assert len(shop.sessions()) == 1


@pytest.mark.scenario("J7", "C8")
@pytest.mark.parametrize("off", FAR_OFF)
def test_no_event_is_missed_because_the_clocks_differ(shop: Shop, off: int) -> None:
    set_off(shop, off)
    requests.clock_offset()
    number = shop.an_open_order()
    shop.pay(number)
    reconciler._run_with_lease(timedelta(0))
    assert shop.order(number).status == "paid"

    shop.stripe.emulator.refund(shop.payment_id(number), 500)
    reconciler._run_with_lease(timedelta(0))

    assert shop.order(number).refunded_amount == 500


@pytest.mark.scenario("J7", "C8")
@pytest.mark.parametrize("off", FAR_OFF)
def test_no_event_is_missed_because_the_clock_was_set_right(
    shop: Shop, off: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = timedelta(seconds=-off)
    now = clock.now
    number = shop.an_open_order()
    shop.pay(number)
    with monkeypatch.context() as before:
        before.setattr(clock, "now", lambda: now() + wrong)
        reconciler._run_with_lease(timedelta(0))
    assert shop.order(number).status == "paid"
    shop.stripe.emulator.refund(shop.payment_id(number), 500)

    reconciler._run_with_lease(timedelta(0))

    assert shop.order(number).refunded_amount == 500


@pytest.mark.scenario("J7", "B2")
@pytest.mark.parametrize("off", [-2 * 3600, 2 * 3600])
def test_a_session_after_a_saved_failure_is_found_although_the_clocks_differ(
    shop: Shop, off: int
) -> None:
    set_off(shop, off)
    requests.clock_offset()
    number = shop.place()
    shop.stripe.emulator.inject_fault("request", "error_after", match="POST /v1/checkout/sessions")

    address = checkout.checkout_url(shop.buyer, number)

    assert "/c/pay/" in address
    assert len(shop.sessions()) == 1


@pytest.mark.scenario("J7")
@pytest.mark.parametrize("off", FAR_OFF)
def test_a_signature_is_held_against_stripes_time_where_that_is_known(shop: Shop, off: int) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    event = shop.event("checkout.session.completed")
    set_off(shop, off)
    requests.clock_offset()

    fresh = shop.deliver(event, at=time.time() + off)
    old = shop.deliver(event, at=time.time() + off - 400)

    assert (fresh.status_code, old.status_code) == (200, 400)


@pytest.mark.scenario("J7")
def test_an_order_is_reused_until_its_time_is_over_by_stripes_clock(shop: Shop) -> None:
    set_off(shop, 3600 + 2 * 60)  # this machine is an hour slow
    requests.clock_offset()
    number = shop.an_open_order()
    assert shop.place(SHIRTS) == number

    with db.unit_of_work() as session:
        order = session.exec(select(Order).where(Order.number == number)).one()
        order.checkout_expires_at -= timedelta(hours=1)

    assert shop.place(SHIRTS) != number

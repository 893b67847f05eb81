"""Q6: how many requests Stripe gets, also when strangers make many."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from store.core import clock
from store.core.errors import StripeBusy, StripeError
from store.db import bulk
from store.db import engine as db
from store.db.models import Order
from store.orders import checkout, coalescing, queries
from store.reconciliation import open_orders, reconciler
from store.reconciliation.result import ReconcileResult
from store.stripe_api import requests, transport
from stripe_emulator.resources import checkout_sessions
from tests.support.shop import JEANS, ON_SQLITE, STORE_URL, Shop, at_once

CARTS = 300
PASSES = 15
EVERY = timedelta(seconds=30)
REUSE_SECONDS = coalescing.REUSE_SECONDS
LOOK_UP = "GET /v1/checkout/sessions/{id}"


def open_carts(shop: Shop, count: int) -> list[str]:
    """Open orders that nobody has paid, each of another buyer, with their sessions at Stripe."""
    now, rows = clock.now(), []
    numbers = [queries.new_number() for _ in range(count)]
    price = {"currency": "usd", "unit_amount": 3998, "product_data": {"name": "A thing"}}
    expires_at = int(now.timestamp()) + 23 * 3600
    with shop.stripe.emulator.account.writing() as connection:
        for number in numbers:
            made = checkout_sessions.create(
                connection,
                {
                    "mode": "payment",
                    "success_url": STORE_URL,
                    "line_items": [{"price_data": price, "quantity": 1}],
                    "metadata": {"order_number": number},
                    "payment_intent_data": {"metadata": {"order_number": number}},
                    "expires_at": expires_at,
                },
            )
            rows.append(
                {
                    "number": number,
                    "buyer_hash": number,
                    "currency": "usd",
                    "total_amount": 3998,
                    "status": "open",
                    "cart_fingerprint": number,
                    "attempt": 1,
                    "idempotency_key": number,
                    "checkout_parameters": "{}",
                    "checkout_session_id": made["id"],
                    "checkout_url": made["url"],
                    "checkout_expires_at": now + timedelta(hours=23),
                    "checkout_status": "open",
                    "payment_status": "unpaid",
                    "refunded_amount": 0,
                    "check_failures": 0,
                    "created_at": now,
                    "updated_at": now,
                }
            )
    with db.unit_of_work() as session:
        bulk.insert(session, Order, rows)
    return numbers


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each question to Stripe from now on."""
    asked: list[int] = []
    ask = transport.call_with_retry

    def count(*call: Any) -> transport.StripeResponse:
        asked.append(1)
        return ask(*call)

    monkeypatch.setattr(transport, "call_with_retry", count)
    return asked


@pytest.fixture
def a_second(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of the last second are reused, as outside the tests."""
    monkeypatch.setattr(coalescing, "REUSE_SECONDS", REUSE_SECONDS)


class Time:
    """The time of shop and Stripe alike, which is moved on."""

    def __init__(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shop, self.passed, now = shop, timedelta(0), clock.now
        monkeypatch.setattr(clock, "now", lambda: now() + self.passed)

    def pass_by(self, how_long: timedelta) -> None:
        self.passed += how_long
        self.shop.stripe.emulator.set_clock_off(self.passed.total_seconds())


@pytest.mark.scenario("Q6")
@pytest.mark.parametrize("events", ["listed", "forbidden"])
@ON_SQLITE
def test_open_orders_cost_few_requests_and_a_paid_one_is_found_at_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, events: str
) -> None:
    numbers = open_carts(shop, CARTS)
    if events == "forbidden":
        shop.stripe.emulator.inject_fault(
            "request", "forbidden", times=None, match="GET /v1/events"
        )
    asked, clockwork = counted(monkeypatch), Time(shop, monkeypatch)

    def a_pass() -> None:
        try:
            reconciler._run_with_lease(timedelta(0))
        except StripeError:
            assert events == "forbidden"
        clockwork.pass_by(EVERY)

    for _ in range(PASSES):
        a_pass()
    questions_per_second = len(asked) / (PASSES * EVERY.total_seconds())
    paid = numbers[CARTS // 3]
    shop.pay(paid)
    for _ in range(2):
        a_pass()

    assert questions_per_second < min(2.0, 0.02 + CARTS / 1000)
    assert shop.order(paid).status == "paid"
    assert {shop.order(number).status for number in numbers if number != paid} == {"open"}


@pytest.mark.scenario("Q6")
def test_many_sessions_that_changed_are_found_by_the_list_and_looked_up_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = open_carts(shop, 120)
    paid, expired = numbers[10:20], numbers[20:25]
    for number in paid:
        shop.pay(number)
    for number in expired:
        requests.expire_checkout(shop.session_id(number))
    shop.stripe.emulator.inject_fault("request", "forbidden", times=None, match="GET /v1/events")
    asked = counted(monkeypatch)

    done = ReconcileResult()
    with pytest.raises(StripeError):
        reconciler.reconcile_recent(done=done)

    assert {shop.order(number).status for number in paid} == {"paid"}
    assert {shop.order(number).status for number in expired} == {"expired"}
    assert (done.looked_up, done.failures) == (120, 0)
    assert len(asked) < 15 + 6


@pytest.mark.scenario("Q6", "J1")
@pytest.mark.parametrize("kind", ["forbidden", "rate_limit", "error_before", "malformed"])
@ON_SQLITE
def test_where_the_list_of_sessions_cannot_be_read_each_order_is_looked_up(
    shop: Shop, kind: str
) -> None:
    numbers = open_carts(shop, 30)
    for number in numbers[:3]:
        shop.pay(number)
    for match in ("GET /v1/events", "GET /v1/checkout/sessions"):
        shop.stripe.emulator.inject_fault("request", kind, times=None, match=match)

    with pytest.raises(StripeError):
        reconciler.reconcile_recent()

    assert [shop.order(number).status for number in numbers[:4]] == [*["paid"] * 3, "open"]


@pytest.mark.scenario("Q6")
def test_an_idle_order_is_looked_up_less_and_less_often(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.an_open_order()
    shop.pay_later(number)
    reconciler.reconcile_recent()
    assert shop.order(number).status == "processing"
    shop.stripe.emulator.inject_fault("request", "forbidden", times=None, match="GET /v1/events")
    clockwork, counts, look_up = Time(shop, monkeypatch), list[str](), requests.checkout

    def count(session_id: str) -> transport.Document:
        counts.append(session_id)
        return look_up(session_id)

    monkeypatch.setattr(requests, "checkout", count)

    for _ in range(120):  # an hour
        with pytest.raises(StripeError):
            reconciler.reconcile_recent()
        clockwork.pass_by(EVERY)

    assert 10 < len(counts) < 40
    order = shop.order(number)
    assert order.next_check_at
    assert order.next_check_at - clock.now() <= open_orders.LONGEST_PAUSE


# --- what buyers make the shop ask ----------------------------------------------------------


def looked_up(shop: Shop) -> int:
    log = shop.stripe.emulator.request_log(500)
    return sum("/sessions/cs_" in line.path and line.method == "GET" for line in log)


@pytest.mark.usefixtures("a_second")
@pytest.mark.scenario("Q6")
def test_the_checkout_redirect_in_a_loop_makes_one_request_a_second(shop: Shop) -> None:
    number = shop.an_open_order()
    started, addresses = time.monotonic(), set[str]()

    while time.monotonic() - started < 1.5:
        addresses.add(checkout.checkout_url(shop.buyer, number))

    assert looked_up(shop) <= 2
    assert addresses == {shop.order(number).checkout_url}


@pytest.mark.scenario("Q6", "Q2")
@pytest.mark.parametrize("act", [checkout.checkout_url, checkout.refresh_order])
def test_many_at_once_about_one_order_share_the_question(
    shop: Shop, act: Callable[[str, str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.an_open_order()
    monkeypatch.setattr(checkout, "LOOK_UPS", coalescing.RequestCoalescer())
    shop.stripe.emulator.inject_fault("request", "slow", times=None, match=LOOK_UP, value="200")

    results = at_once(16, lambda _: act(shop.buyer, number))

    assert not [result for result in results if isinstance(result, Exception)]
    assert looked_up(shop) <= 2


@pytest.mark.scenario("Q6", "Q2")
def test_callers_that_wait_for_a_failed_request_fail_together(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.an_open_order()
    monkeypatch.setattr(checkout, "LOOK_UPS", coalescing.RequestCoalescer())
    shop.stripe.emulator.inject_fault("request", "rate_limit", times=None, match=LOOK_UP)

    results = at_once(16, lambda _: checkout.checkout_url(shop.buyer, number))

    assert {type(result) for result in results} == {StripeBusy}
    assert looked_up(shop) <= 2 * 4, "each of two questions is asked four times"
    shop.stripe.emulator.clear_faults()
    assert "/c/pay/" in checkout.checkout_url(shop.buyer, number)


@pytest.mark.usefixtures("a_second")
@pytest.mark.scenario("Q6")
def test_a_returning_buyer_never_sees_an_outdated_status(shop: Shop) -> None:
    for _ in range(5):
        number = shop.an_open_order()
        checkout.checkout_url(shop.buyer, number)
        shop.pay(number)
        checkout.refresh_order(shop.buyer, number)
        assert shop.order(number).status == "paid"
        shop.buyer = queries.new_number()


@pytest.mark.usefixtures("a_second")
@pytest.mark.scenario("Q6")
def test_an_order_closed_meanwhile_is_not_led_to_stripe_by_an_answer_of_before(shop: Shop) -> None:
    number = shop.an_open_order()
    checkout.checkout_url(shop.buyer, number)

    shop.place(JEANS)  # which expires the session of the first

    assert checkout.checkout_url(shop.buyer, number) == f"/order?number={number}"


def test_look_ups_of_two_orders_do_not_wait_for_each_other() -> None:
    asked, over = coalescing.RequestCoalescer(), threading.Event()
    slow = threading.Thread(target=asked.run, args=("A", "buyer", over.wait), kwargs={"reuse": ()})
    slow.start()

    assert asked.run("B", "buyer", lambda: None, reuse=()) is True
    over.set()
    slow.join()


def test_the_number_of_remembered_requests_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalescing, "MAX_ORDERS", 3)
    asked = coalescing.RequestCoalescer()
    for number in "ABCD":
        asked.run(number, "buyer", lambda: None, reuse=("buyer",))

    assert asked.run("D", "buyer", lambda: None, reuse=("buyer",)) is False
    assert asked.run("A", "buyer", lambda: None, reuse=("buyer",)) is True

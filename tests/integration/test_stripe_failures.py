"""Stripe busy, slow, unreachable or wrong: at most one payable session, and a true message."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from store.core import clock, settings
from store.core.errors import (
    StripeBusy,
    StripeError,
    StripeKeyRefused,
    StripeRefused,
    StripeUncertain,
    StripeUnreachable,
)
from store.db import engine as db
from store.db.models import Order
from store.orders import checkout, transitions
from store.reconciliation import reconciler
from store.stripe_api import requests, transport
from tests.support.ports import free_port
from tests.support.shop import JEANS, SHIRTS, Shop, at_once

CREATE = "POST /v1/checkout/sessions"
EXPIRE = "POST /v1/checkout/sessions/{id}/expire"
LOOK_UP = "GET /v1/checkout/sessions/{id}"
NOT_CHARGED = "You have not been charged"


def payable(shop: Shop) -> list[str]:
    return [session.id for session in shop.sessions() if session.status == "open"]


def keys_used(shop: Shop) -> set[str | None]:
    """The idempotency keys under which sessions were asked for."""
    asked = shop.stripe.emulator.request_log(100)
    return {
        request.idempotency_key for request in asked if f"{request.method} {request.path}" == CREATE
    }


# --- B1: too many requests ------------------------------------------------------------------


@pytest.mark.scenario("B1")
@pytest.mark.parametrize("kind", ["rate_limit", "lock_timeout"])
def test_a_busy_stripe_is_retried_under_the_same_key(shop: Shop, kind: str) -> None:
    shop.stripe.emulator.inject_fault("request", kind, times=3, match=CREATE)
    number = shop.place()

    address = checkout.checkout_url(shop.buyer, number)

    assert "/c/pay/" in address
    assert keys_used(shop) == {shop.order(number).idempotency_key}
    assert len(shop.sessions()) == 1


@pytest.mark.scenario("B1")
def test_a_stripe_that_stays_busy_is_named_and_nothing_is_lost(shop: Shop) -> None:
    shop.stripe.emulator.inject_fault("request", "rate_limit", times=4, match=CREATE)
    number = shop.place()

    with pytest.raises(StripeBusy, match=NOT_CHARGED):
        checkout.checkout_url(shop.buyer, number)

    assert shop.order(number).status == "pending"
    assert shop.place() == number, "the same cart is the same order"
    assert "/c/pay/" in checkout.checkout_url(shop.buyer, number)


# --- B2: 500 --------------------------------------------------------------------------------


@pytest.mark.scenario("B2")
def test_a_500_after_the_session_was_created_still_finds_that_session(shop: Shop) -> None:
    shop.stripe.emulator.inject_fault("request", "error_after", match=CREATE)
    number = shop.place()

    address = checkout.checkout_url(shop.buyer, number)

    assert "/c/pay/" in address
    assert payable(shop) == [shop.order(number).checkout_session_id]


@pytest.mark.scenario("B2")
def test_a_500_before_anything_was_created_can_be_tried_again(shop: Shop) -> None:
    shop.stripe.emulator.inject_fault("request", "error_before", times=3, match=CREATE)
    number = shop.place()

    with pytest.raises(StripeUncertain, match=NOT_CHARGED):
        checkout.checkout_url(shop.buyer, number)
    unknown = shop.order(number).status
    address = checkout.checkout_url(shop.buyer, number)

    assert unknown == "pending"
    assert "/c/pay/" in address
    assert len(payable(shop)) == 1


@pytest.mark.scenario("B2")
def test_a_session_after_a_saved_500_is_paid_by_webhook(shop: Shop) -> None:
    number = shop.place()
    shop.stripe.emulator.inject_fault("request", "error_after", match=CREATE)
    shop.stripe.emulator.inject_fault("request", "error_before", times=9, match="GET *")
    with pytest.raises(StripeUnreachable):
        checkout.checkout_url(shop.buyer, number)
    shop.stripe.emulator.clear_faults()
    (session,) = shop.sessions()
    shop.stripe.pay(session.id)

    outcome = shop.deliver_latest("checkout.session.completed")

    assert outcome == "applied"
    assert shop.order(number).status == "paid"


@pytest.mark.scenario("B2")
def test_a_saved_500_without_a_session_ends_the_attempt_and_the_next_has_a_new_key(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.place()
    shop.stripe.emulator.inject_fault("request", "error_after", match=CREATE)
    monkeypatch.setattr(requests, "find_checkouts", lambda *_: [])

    address = checkout.checkout_url(shop.buyer, number)
    again = shop.place()

    assert address == f"/order?number={number}"
    assert shop.order(number).status == "failed"
    assert again != number
    assert shop.order(again).idempotency_key != shop.order(number).idempotency_key


# --- B3, B12: no answer ---------------------------------------------------------------------


@pytest.mark.scenario("B3")
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("kind", ["cut", "hang"])
def test_an_answer_that_gets_lost_is_met_again_under_its_key(
    shop: Shop, kind: str, times: int
) -> None:
    shop.stripe.emulator.inject_fault("request", kind, times=times, match=CREATE, value="0.1")
    number = shop.place()

    for _ in range(2):
        try:
            address = checkout.checkout_url(shop.buyer, number)
        except StripeUnreachable as error:
            assert NOT_CHARGED in str(error)
            assert shop.place() == number

    assert "/c/pay/" in address
    assert payable(shop) == [shop.order(number).checkout_session_id]
    assert keys_used(shop) == {shop.order(number).idempotency_key}


@pytest.mark.scenario("B3", "B10")
def test_a_retry_sends_the_same_bytes_under_the_same_key(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.place(store_url="http://old.example")
    shop.stripe.emulator.inject_fault("request", "cut", times=3, match=CREATE)
    with pytest.raises(StripeUnreachable):
        checkout.checkout_url(shop.buyer, number)
    monkeypatch.setenv("CHECKOUT_MINUTES", "90")
    monkeypatch.setenv("DEMO_CUSTOMER_EMAIL", "new@example.com")
    settings.current.cache_clear()
    reprice("red-t-shirt", 2999, name="A new name")

    address = checkout.checkout_url(shop.buyer, number)

    (session,) = shop.sessions()
    assert "/c/pay/" in address
    assert (session.amount_total, session.customer_email) == (3998, None)
    assert str(session.success_url).startswith("http://old.example/order")


@pytest.mark.scenario("B10")
def test_a_new_attempt_uses_the_new_address_of_the_shop(shop: Shop) -> None:
    old = shop.place(store_url="http://old.example")
    checkout.checkout_url(shop.buyer, old)
    checkout.cancel(shop.buyer, old)

    new = shop.place(store_url="http://new.example")
    checkout.checkout_url(shop.buyer, new)

    assert [str(session.success_url)[:18] for session in shop.sessions()] == [
        "http://old.example",
        "http://new.example",
    ]


@pytest.mark.scenario("B12")
def test_a_stripe_that_never_answers_costs_a_bounded_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "ATTEMPT_SECONDS", 0.2)
    transport.client_for.cache_clear()
    number = shop.place()
    shop.stripe.emulator.inject_fault("request", "hang", times=3, match=CREATE, value="1")
    started = clock.now()

    with pytest.raises(StripeUnreachable, match=NOT_CHARGED):
        checkout.checkout_url(shop.buyer, number)

    assert clock.now() - started < timedelta(seconds=5)
    assert shop.order(number).status == "pending"


@pytest.mark.scenario("B12")
def test_a_slow_stripe_is_waited_for(shop: Shop) -> None:
    shop.stripe.emulator.inject_fault("request", "slow", match=CREATE, value="300")

    assert "/c/pay/" in checkout.checkout_url(shop.buyer, shop.place())


@pytest.mark.scenario("B12")
def test_an_unreachable_stripe_says_that_nothing_was_charged(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.place()
    monkeypatch.setenv("STRIPE_API_BASE", f"http://127.0.0.1:{free_port()}")
    settings.current.cache_clear()

    with pytest.raises(StripeUnreachable, match=NOT_CHARGED):
        checkout.checkout_url(shop.buyer, number)
    with pytest.raises(StripeUnreachable):
        reconciler.reconcile_recent()

    assert shop.order(number).status == "pending"


# --- B4, B5, B6: dying in between -----------------------------------------------------------


def dies(*_: Any, **__: Any) -> None:
    raise MemoryError


@pytest.mark.scenario("B4")
def test_a_crash_between_stripes_answer_and_the_commit_finds_the_same_session(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.place()
    with monkeypatch.context() as crash:
        crash.setattr(transitions, "apply_facts", dies)
        with pytest.raises(MemoryError):
            checkout.checkout_url(shop.buyer, number)
    (made,) = shop.sessions()
    assert shop.order(number).checkout_session_id is None

    address = checkout.checkout_url(shop.buyer, shop.place())

    assert address == made.url
    assert payable(shop) == [made.id]


@pytest.mark.scenario("B4", "B5")
@pytest.mark.parametrize("asked", [False, True], ids=["before the call", "after the call"])
def test_the_reconciler_finishes_an_order_that_a_crash_left_behind(shop: Shop, asked: bool) -> None:
    number = shop.place()
    if asked:
        order = shop.order(number)
        requests.create_checkout(order.checkout_parameters, order.idempotency_key)

    reconciler.reconcile_recent()

    assert shop.order(number).status == "open"
    assert payable(shop) == [shop.order(number).checkout_session_id]
    assert shop.place() == number


@pytest.mark.scenario("B4", "C11")
def test_a_cancellation_that_a_crash_left_half_done_is_finished(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.an_open_order()
    with monkeypatch.context() as crash:
        crash.setattr(requests, "expire_checkout", dies)
        with pytest.raises(MemoryError):
            checkout.cancel(shop.buyer, number)
    half_done = (shop.order(number).status, len(payable(shop)))

    reconciler.reconcile_recent()

    assert half_done == ("open", 1), "not canceled before Stripe says so"
    assert shop.order(number).status == "canceled"
    assert payable(shop) == []


@pytest.mark.scenario("B4", "A7")
@pytest.mark.parametrize("kind", ["cut", "error_after"])
def test_a_lost_answer_to_an_expire_call_is_looked_up(shop: Shop, kind: str) -> None:
    old = shop.an_open_order(SHIRTS)
    shop.stripe.emulator.inject_fault("request", kind, match=EXPIRE)

    try:
        new = shop.place(JEANS)
    except StripeError:
        new = shop.place(JEANS)
    checkout.checkout_url(shop.buyer, new)

    assert shop.order(old).status == "canceled"
    assert payable(shop) == [shop.order(new).checkout_session_id]


@pytest.mark.scenario("B6")
@pytest.mark.parametrize("made", [True, False], ids=["a session exists", "none was made"])
def test_after_a_day_a_request_is_looked_up_instead_of_replayed(shop: Shop, made: bool) -> None:
    number = shop.place()
    order = shop.order(number)
    if made:
        session = requests.create_checkout(order.checkout_parameters, order.idempotency_key)
    asked_before = len(keys_used(shop))
    age(number, timedelta(hours=25))

    checkout.checkout_url(shop.buyer, number)

    assert len(keys_used(shop)) == asked_before
    assert len(shop.sessions()) == asked_before
    assert shop.order(number).checkout_session_id == (session["id"] if made else None)
    assert shop.order(number).status == ("open" if made else "failed")
    if not made:
        assert shop.order(shop.place()).attempt == 2


def age(number: str, by: timedelta) -> None:
    """Let an order be older than it is."""
    with db.unit_of_work() as session:
        order = session.exec(select(Order).where(Order.number == number)).one()
        order.created_at -= by


def reprice(slug: str, amount: int, name: str | None = None) -> None:
    with db.unit_of_work() as session:
        session.connection().exec_driver_sql(
            f"UPDATE products SET unit_amount = {amount} WHERE slug = '{slug}'"
        )
        if name:
            session.connection().exec_driver_sql(
                f"UPDATE products SET name = '{name}' WHERE slug = '{slug}'"
            )


# --- B7: the same request is still running --------------------------------------------------


@pytest.mark.scenario("B7")
def test_a_question_that_is_still_being_answered_is_waited_for(shop: Shop) -> None:
    number = shop.place()
    shop.stripe.emulator.inject_fault("request", "slow", match=CREATE, value="150")

    addresses = at_once(4, lambda _: checkout.checkout_url(shop.buyer, number))

    assert len(set(addresses)) == 1
    assert "/c/pay/" in addresses[0]
    assert len(shop.sessions()) == 1


# --- B8: the key ----------------------------------------------------------------------------


@pytest.mark.scenario("B8", "G10")
def test_a_key_that_stripe_refuses_is_never_shown(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "sk_live_refused_by_the_emulator"  # offered past the settings, which refuse it too
    number = shop.place()
    current = settings.current()
    monkeypatch.setattr(type(current), "api_key", property(lambda _: secret))
    caplog.set_level(logging.DEBUG)

    with pytest.raises(StripeKeyRefused, match=NOT_CHARGED) as refusal:
        checkout.checkout_url(shop.buyer, number)

    assert "key" in str(refusal.value)
    assert secret not in str(refusal.value) + caplog.text
    assert shop.order(number).status == "pending", "once the key is right it goes on"


@pytest.mark.scenario("B8")
def test_webhooks_are_applied_while_the_api_key_is_refused(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    monkeypatch.setattr(type(settings.current()), "api_key", property(lambda _: "sk_live_refused"))

    assert shop.deliver_latest("checkout.session.completed") == "applied"
    assert shop.order(number).status == "paid"


# --- one trouble must not become everybody's ------------------------------------------------


@pytest.mark.scenario("B2", "C8")
def test_an_order_that_stripe_refuses_to_speak_about_keeps_no_other_waiting(shop: Shop) -> None:
    bad = shop.an_open_order()
    shop.buyer = "another"
    good = shop.an_open_order()
    shop.pay(good)
    with db.unit_of_work() as session:
        row = session.exec(select(Order).where(Order.number == bad)).one()
        row.checkout_session_id = "cs_test_that_never_was"

    done = reconciler.reconcile_recent()

    assert done.failures == 1
    assert shop.order(good).status == "paid"
    assert shop.order(bad).status == "open"


@pytest.mark.scenario("B3")
def test_a_failed_look_up_changes_nothing(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    shop.stripe.emulator.inject_fault("request", "error_before", times=3, match=LOOK_UP)

    with pytest.raises(StripeUncertain):
        checkout.refresh_order(shop.buyer, number)

    assert shop.order(number).status == "open"
    checkout.refresh_order(shop.buyer, number)
    assert shop.order(number).status == "paid"


def test_a_question_that_stripe_refuses_ends_the_attempt_with_a_true_sentence(shop: Shop) -> None:
    number = shop.place()
    with db.unit_of_work() as session:
        order = session.exec(select(Order).where(Order.number == number)).one()
        asked = json.loads(order.checkout_parameters)
        asked["mode"] = "barter"
        order.checkout_parameters = json.dumps(asked)

    address = checkout.checkout_url(shop.buyer, number)

    assert address == f"/order?number={number}"
    assert shop.order(number).status == "failed"
    assert str(StripeRefused()) in shop.history(number)[-1].detail
    assert shop.place() != number

"""An error of one order, event or refund delays no other."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlmodel import select

from store.core import clock, isolation, settings
from store.core.errors import (
    StoreError,
    StripeBusy,
    StripeError,
    StripePermissionMissing,
    StripeUnreachable,
)
from store.db import engine as db
from store.db.models import Order, StripeEvent
from store.orders import batch, checkout_session, queries, refunds, transitions
from store.reconciliation import open_orders, reconciler
from store.reconciliation.result import ReconcileResult
from store.stripe_api import requests, transport
from tests.support.ports import free_port
from tests.support.shop import ON_SQLITE, Shop

POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
EVENTS = "GET /v1/events"
COMPLETED = "checkout.session.completed"
# Everything that one session can meet, for ever; how each is ordered from the emulator.
STUCK = {
    "busy": ("rate_limit", ""),
    "locked": ("lock_timeout", ""),
    "failing": ("error_before", ""),
    "forbidden": ("forbidden", ""),
    "cut off": ("cut", ""),
    "gone": ("gone", ""),
    "slow": ("slow", "700"),
    "other JSON": ("malformed", "json"),
    "a list": ("malformed", "array"),
    "nothing": ("malformed", "null"),
    "HTML": ("malformed", "html"),
    "half an answer": ("malformed", "truncated"),
    "wrong types": ("malformed", "types"),
    "no values": ("malformed", "nulls"),
    "no fields": ("malformed", "missing"),
}


@pytest.fixture(autouse=True)
def _little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_orders, "QUICK", transport.TimeLimit(0.3, retry=False))
    monkeypatch.setattr(open_orders, "PATIENT", transport.TimeLimit(0.5))


def open_ones(shop: Shop, count: int) -> list[str]:
    """Open orders of as many buyers, oldest first."""
    numbers = []
    for _ in range(count):
        shop.buyer = f"buyer-{queries.new_number()}"
        numbers.append(shop.an_open_order())
    return numbers


def stick(shop: Shop, number: str, kind: str) -> None:
    """Let every question about this order's session meet that, for ever."""
    trouble, value = STUCK[kind]
    match = f"*{shop.session_id(number)}"
    shop.stripe.emulator.inject_fault("request", trouble, times=None, match=match, value=value)


def hide_events(shop: Shop) -> None:
    """Let nothing be found but by looking up orders."""
    shop.stripe.emulator.inject_fault("request", "forbidden", times=None, match=EVENTS)


def a_pass() -> ReconcileResult:
    done = ReconcileResult()
    with suppress(StripeError):
        reconciler.reconcile_recent(done=done)
    return done


def asked_about(shop: Shop) -> list[str]:
    """The sessions that were looked up, in this order."""
    log = shop.stripe.emulator.request_log(200)[::-1]
    return [line.path.split("/")[-1] for line in log if "/sessions/cs_" in line.path]


def paid(shop: Shop, numbers: list[str]) -> list[str]:
    return [number for number in numbers if shop.order(number).status == "paid"]


# --- orders ---------------------------------------------------------------------------------


@pytest.mark.scenario("J1")
@pytest.mark.parametrize("kind", STUCK)
@ON_SQLITE
def test_an_order_that_cannot_be_looked_up_delays_no_other(shop: Shop, kind: str) -> None:
    stuck, *others = open_ones(shop, 5)
    for number in others:
        shop.pay(number)
    shop.buyer = "who gets money back"
    refunds.create_refund(shop.a_paid_order(), 500, key="owed")
    stick(shop, stuck, kind)
    hide_events(shop)

    done = a_pass()

    assert paid(shop, others) == others
    assert [refund.status for refund in shop.refunds()] == ["succeeded"]
    assert (shop.order(stuck).status, done.failures) == ("open", 1)
    assert shop.order(stuck).check_failures == 1


@pytest.mark.scenario("J1")
@ON_SQLITE
def test_among_many_orders_twenty_stuck_ones_are_the_only_ones_left(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = open_ones(shop, 60)
    kinds = [*STUCK, *STUCK][:20]
    stuck = numbers[:20]
    for number in numbers:
        shop.pay(number)
    for number, kind in zip(stuck, kinds, strict=True):
        stick(shop, number, kind)
    hide_events(shop)

    a_pass()

    assert paid(shop, numbers) == numbers[20:]
    assert {number: shop.order(number).check_failures for number in stuck} == dict.fromkeys(
        stuck, 1
    )
    named = {record.__dict__.get("order_number") for record in caplog.records}
    assert set(stuck) <= named, "each is named in the log"


@pytest.mark.scenario("J1")
def test_an_order_that_failed_is_looked_up_last_and_with_growing_pauses(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, *others = open_ones(shop, 3)
    hide_events(shop)
    stick(shop, stuck, "busy")
    pauses = []
    for _ in range(6):
        asked_before = len(asked_about(shop))
        a_pass()
        assert asked_about(shop)[asked_before:][-1] == shop.session_id(stuck)
        order, now = shop.order(stuck), clock.now()
        assert order.next_check_at
        pauses.append(order.next_check_at - now)
        later = max(order.next_check_at, now) + timedelta(seconds=1)
        monkeypatch.setattr(clock, "now", lambda later=later: later)

    shop.stripe.emulator.clear_faults()
    a_pass()

    assert all(before < after for before, after in pairwise(pauses))
    assert pauses[0] < timedelta(seconds=1)
    assert shop.order(stuck).check_failures == 0
    assert [shop.order(number).status for number in others] == ["open", "open"]


@pytest.mark.scenario("J1")
@pytest.mark.parametrize("error", [KeyError, RuntimeError, MemoryError, RecursionError])
def test_a_mistake_of_ours_about_one_order_is_that_orders(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    stuck, other = open_ones(shop, 2)
    shop.pay(other)
    hide_events(shop)
    look_up = checkout_session.create_or_refresh_session

    def trips(order: Order, **more: Any) -> Order:
        if order.number == stuck:
            raise error
        return look_up(order, **more)

    monkeypatch.setattr(checkout_session, "create_or_refresh_session", trips)

    done = a_pass()

    assert (shop.order(other).status, done.failures) == ("paid", 1)


@POSTGRESQL
@pytest.mark.scenario("J1")
def test_a_locked_order_delays_no_other(shop: Shop) -> None:
    held, other = open_ones(shop, 2)
    for number in (held, other):
        shop.pay(number)
    hide_events(shop)

    with db.unit_of_work() as session:
        batch.lock_orders(session, [held])
        done = a_pass()
        assert shop.order(other).status == "paid"

    assert done.failures == 1
    a_pass()
    assert shop.order(held).status == "paid"


@pytest.mark.scenario("J1")
@pytest.mark.parametrize("parameters", ["{", "", "[]", "null", '{"mode": "barter"}'])
def test_an_attempt_with_unusable_parameters_fails_and_the_next_one_works(
    shop: Shop, parameters: str
) -> None:
    number = shop.place()
    with db.unit_of_work() as session:
        row = session.exec(select(Order).where(Order.number == number)).one()
        row.checkout_parameters = parameters
    shop.buyer, first = "another", shop.buyer
    other = shop.place()

    reconciler.reconcile_recent()

    assert [shop.order(name).status for name in (number, other)] == ["failed", "open"]
    shop.buyer = first
    assert shop.order(shop.an_open_order()).attempt == 2


@pytest.mark.scenario("J1")
def test_a_cancellation_that_stripe_refuses_for_ever_keeps_no_other_waiting(shop: Shop) -> None:
    stuck, other = open_ones(shop, 2)
    shop.pay(other)
    hide_events(shop)
    expire = f"POST /v1/checkout/sessions/{shop.session_id(stuck)}/expire"
    shop.stripe.emulator.inject_fault("request", "error_before", times=None, match=expire)
    with pytest.raises(StripeError):
        checkout_session.expire_checkout_session(shop.order(stuck), {"cancel": "buyer"}, "buyer")

    done = a_pass()

    assert (shop.order(other).status, shop.order(stuck).status) == ("paid", "open")
    assert done.failures == 1
    shop.stripe.emulator.clear_faults()
    a_pass()
    assert shop.order(stuck).status == "canceled"


# --- events ---------------------------------------------------------------------------------


@pytest.mark.scenario("J1")
@pytest.mark.parametrize("shape", ["json", "array", "types", "nulls", "missing"])
def test_a_malformed_event_in_stripes_list_keeps_no_other_from_being_taken_in(
    shop: Shop, shape: str
) -> None:
    first, second, third = open_ones(shop, 3)
    events = []
    for number in (first, second, third):
        shop.pay(number)
        events.append(shop.event(COMPLETED)["id"])
    shop.stripe.emulator.inject_fault(
        "request", "malformed", times=None, match=events[1], value=shape
    )
    shop.stripe.emulator.inject_fault("request", "forbidden", times=None, match="GET *sessions*")

    done = a_pass()

    assert paid(shop, [first, second, third]) == [first, third]
    assert done.failures >= 1


@pytest.mark.scenario("J1")
def test_an_event_that_cannot_be_taken_in_is_fetched_again_until_it_can(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.a_paid_order()
    payment = shop.payment_id(number)
    with db.unit_of_work() as session:  # whose it is has to be asked
        row = session.exec(select(Order).where(Order.number == number)).one()
        row.payment_intent_id = None
    shop.stripe.emulator.refund(payment, 700)
    event = shop.event("refund.created")
    without_metadata(event, monkeypatch)
    shop.stripe.emulator.inject_fault("request", "rate_limit", times=None, match=f"*{payment}")

    a_pass()
    remembered = shop.inbox()[event["id"]]
    refunded_amounts = [shop.order(number).refunded_amount]
    shop.stripe.emulator.clear_faults()
    far_ahead = clock.now() + timedelta(hours=1)  # the list does not show it any more
    monkeypatch.setattr(clock, "now", lambda: far_ahead)
    reconciler.reconcile_recent(far_ahead)
    refunded_amounts.append(shop.order(number).refunded_amount)

    assert (remembered.outcome, remembered.deliveries) == ("unknown_order", 0)
    assert remembered.next_try_at
    assert refunded_amounts == [0, 700]
    assert shop.inbox()[event["id"]].outcome == "applied"
    assert shop.inbox()[event["id"]].next_try_at is None


def without_metadata(event: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Stripe's list and look-up have this event without the order's number in it."""
    bare = json.loads(json.dumps(event))
    bare["data"]["object"]["metadata"] = {}
    ask, listed = requests.event, requests.events

    def altered(found: transport.Document) -> transport.Document:
        return bare if found["id"] == bare["id"] else found

    monkeypatch.setattr(requests, "event", lambda name: altered(ask(name)))
    monkeypatch.setattr(requests, "events", lambda *a: (altered(found) for found in listed(*a)))


@pytest.mark.scenario("J1")
def test_an_event_that_stripe_keeps_no_more_is_not_fetched_for_ever(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    with db.unit_of_work() as session:
        row = StripeEvent(id="evt_old", type=COMPLETED, created_at=now, outcome="unknown_order")
        row.next_try_at = now
        session.add(row)

    reconciler.reconcile_recent()

    assert shop.inbox()["evt_old"].next_try_at is None


@pytest.mark.scenario("J1")
def test_a_batch_of_events_that_the_database_refuses_is_taken_in_one_by_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = open_ones(shop, 3)
    for number in numbers:
        shop.pay(number)
    refused = numbers[1]
    record = transitions.apply_facts

    def trips(session: Any, facts: Any, **more: Any) -> Any:
        if any(fact.order_number == refused for fact in facts):
            raise RuntimeError
        return record(session, facts, **more)

    monkeypatch.setattr(transitions, "apply_facts", trips)
    a_pass()
    assert paid(shop, numbers) == [numbers[0], numbers[2]]

    monkeypatch.setattr(transitions, "apply_facts", record)
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    reconciler.reconcile_recent(later)
    assert paid(shop, numbers) == numbers


# --- refunds, and everything that Stripe lists ----------------------------------------------


@pytest.mark.scenario("J1")
@pytest.mark.parametrize("error", [KeyError, StripeBusy, RuntimeError])
def test_a_refund_that_trips_keeps_no_other_from_going_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    numbers = []
    for _ in range(3):
        shop.buyer = f"buyer-{queries.new_number()}"
        numbers.append(shop.a_paid_order())
        refunds.create_refund(numbers[-1], 100, key=numbers[-1])
    stuck = shop.refunds()[0].payment_intent_id
    create = requests.create_refund

    def trips(payment: str, *more: Any, **named: Any) -> transport.Document:
        if payment == stuck:
            raise error
        return create(payment, *more, **named)

    monkeypatch.setattr(requests, "create_refund", trips)

    done = reconciler.reconcile_recent()

    assert [row.status for row in shop.refunds()] == ["requested", "succeeded", "succeeded"]
    assert done.failures == 1


@pytest.mark.scenario("J1")
@pytest.mark.parametrize("shape", ["json", "types", "nulls", "missing"])
@ON_SQLITE
def test_reconcile_everything_skips_unreadable_objects(shop: Shop, shape: str) -> None:
    first, stuck, third = open_ones(shop, 3)
    for number in (first, stuck, third):
        shop.pay(number)
    session = shop.session_id(stuck)
    shop.stripe.emulator.inject_fault(
        "request", "malformed", times=None, match=session, value=shape
    )
    hide_events(shop)
    shop.stripe.emulator.inject_fault(
        "request", "forbidden", times=None, match="GET *sessions/cs_*"
    )

    done = ReconcileResult()
    with suppress(StripeError):
        reconciler.reconcile_everything(done)

    assert paid(shop, [first, stuck, third]) == [first, third]
    assert done.failures >= 1


@pytest.mark.scenario("J1")
def test_facts_that_cannot_be_recorded_together_are_recorded_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = open_ones(shop, 3)
    for number in numbers:
        shop.pay(number)
    hide_events(shop)
    monkeypatch.setattr(open_orders, "refresh_due_orders", lambda *_, **__: None)
    record = transitions.apply_facts

    def trips(session: Any, facts: Any, **more: Any) -> Any:
        if any(fact.order_number == numbers[1] for fact in facts):
            raise RuntimeError
        return record(session, facts, **more)

    monkeypatch.setattr(transitions, "apply_facts", trips)

    with suppress(StripeError):
        reconciler.reconcile_everything()

    assert paid(shop, numbers) == [numbers[0], numbers[2]]


# --- a missing permission -------------------------------------------------------------------

NEEDED = {
    "events": EVENTS,
    "look-ups": "GET /v1/checkout/sessions/{id}",
    "sessions": "GET /v1/checkout/sessions",
    "refunds": "GET /v1/refunds",
    "disputes": "GET /v1/disputes",
    "payments": "GET /v1/payment_intents/*",
    "new sessions": "POST /v1/checkout/sessions",
}


@pytest.mark.scenario("J6")
@pytest.mark.parametrize("name", NEEDED)
@ON_SQLITE
def test_a_missing_permission_stops_only_its_own_step(shop: Shop, name: str) -> None:
    disputed = shop.a_paid_order()
    shop.dispute(disputed)
    shop.buyer = "who pays"
    number = shop.an_open_order()
    shop.pay(number)
    shop.buyer = "who gets money back"
    owed = shop.a_paid_order()
    refunds.create_refund(owed, 500, key="owed")
    shop.stripe.emulator.refund(shop.payment_id(owed), 100)
    shop.buyer = "who has only just clicked"
    pending = shop.place()
    shop.stripe.emulator.inject_fault("request", "forbidden", times=None, match=NEEDED[name])

    done = ReconcileResult()
    with suppress(StripePermissionMissing):
        reconciler.reconcile_everything(done)

    assert shop.order(number).status == "paid"
    assert shop.order(owed).refunded_amount == 600
    assert shop.order(disputed).status == ("disputed")
    assert shop.order(pending).status == ("pending" if name == "new sessions" else "open")


@pytest.mark.scenario("J6")
def test_a_pass_that_could_not_list_events_lists_them_from_the_same_moment_next_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.a_paid_order()
    hide_events(shop)
    shop.stripe.emulator.refund(shop.payment_id(number), 500)
    with pytest.raises(StripePermissionMissing, match="permission"):
        reconciler._run_with_lease(timedelta(0))
    shop.stripe.emulator.clear_faults()
    later = clock.now() + timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: later)

    reconciler._run_with_lease(timedelta(0))

    assert shop.order(number).refunded_amount == 500


# --- nothing can be done at all -------------------------------------------------------------


@pytest.mark.scenario("J1")
def test_an_unreachable_stripe_counts_as_no_orders_failure(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = open_ones(shop, 8)
    asked = counted(monkeypatch, checkout_session, "create_or_refresh_session")
    monkeypatch.setenv("STRIPE_API_BASE", f"http://127.0.0.1:{free_port()}")
    settings.current.cache_clear()

    with pytest.raises(StripeUnreachable):
        reconciler.reconcile_recent()

    assert len(asked) == isolation.FAILURES_IN_A_ROW
    assert all(shop.order(number).check_failures == 0 for number in numbers)


def counted(monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> list[Any]:
    """What a function is called with from now on."""
    calls: list[Any] = []
    act: Callable[..., Any] = getattr(place, name)

    def count(*given: Any, **named: Any) -> Any:
        calls.append(given)
        return act(*given, **named)

    monkeypatch.setattr(place, name, count)
    return calls


@pytest.mark.scenario("J1")
@pytest.mark.parametrize("error", [RuntimeError, MemoryError, SystemExit, StripeUnreachable])
@ON_SQLITE
def test_nothing_ends_the_reconcilers_loop(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    monkeypatch.setenv("RECONCILE_SECONDS", "1")
    settings.current.cache_clear()
    passes: list[int] = []
    stop = threading.Event()

    def fails(_every: timedelta) -> None:
        passes.append(1)
        if len(passes) == 2:
            stop.set()
        raise error

    monkeypatch.setattr(reconciler, "_run_with_lease", fails)
    loop = threading.Thread(target=reconciler.run_forever, args=(stop,))
    loop.start()
    loop.join(20)

    assert len(passes) == 2


# --- one question takes a bounded time ------------------------------------------------------


@pytest.mark.scenario("J1", "B12")
@pytest.mark.parametrize(
    ("kind", "value"), [("slow", "4000"), ("error_before", ""), ("rate_limit", ""), ("cut", "")]
)
def test_a_question_with_all_its_repetitions_takes_no_longer_than_it_may(
    shop: Shop, kind: str, value: str
) -> None:
    number = shop.an_open_order()
    shop.stripe.emulator.inject_fault("request", kind, times=None, match="*cs_*", value=value)
    started = time.monotonic()

    with pytest.raises(StripeError), transport.time_limit(0.6):
        requests.checkout(shop.session_id(number))

    assert time.monotonic() - started < 2.0


@pytest.fixture
def trickle() -> Iterator[str]:
    """The address of a server that sends its answer byte by byte, for ever."""
    import socket  # noqa: PLC0415

    server = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            while not over.is_set():
                connection, _ = server.accept()
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

    def drip(connection: Any) -> None:
        with suppress(OSError), connection:
            connection.recv(10_000)
            head = (
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"
            )
            connection.sendall(head.encode())
            while not over.wait(0.05):
                connection.sendall(b" ")

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}"
    over.set()
    server.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.scenario("J1", "B12")
def test_an_answer_that_trickles_in_takes_no_longer_than_it_may(
    shop: Shop, trickle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_API_BASE", trickle)
    settings.current.cache_clear()
    started = time.monotonic()

    with pytest.raises(StripeUnreachable), transport.time_limit(1.0):
        requests.checkout("cs_test_any")

    assert time.monotonic() - started < 3.0


def test_an_item_is_named_in_the_log_with_the_request_it_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    busy = StripeBusy()
    busy.call = json.dumps({"request_id": "req_1"})

    def trips() -> None:
        raise busy

    with caplog.at_level(logging.WARNING):
        failures = isolation.process_each([isolation.Item("event", "evt_1", trips)], lambda: None)

    assert [failure.error for failure in failures] == [busy]
    (line,) = caplog.records
    assert (line.__dict__["event_id"], line.__dict__["request_id"]) == ("evt_1", "req_1")
    assert "req_1" in line.getMessage()


def test_several_failures_in_a_row_are_an_outage_only_where_the_probe_fails_too() -> None:
    def trips() -> None:
        raise StripeBusy

    items = [isolation.Item("order", str(place), trips) for place in range(7)]

    def fails() -> None:
        raise StripeUnreachable

    assert len(isolation.process_each(items, lambda: None)) == 7
    with pytest.raises(StoreError):
        isolation.process_each(items, fails)

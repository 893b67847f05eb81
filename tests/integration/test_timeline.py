"""The timeline of an order, and the charge summary above it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from store.core import clock
from store.db import engine as db
from store.orders import checkout, queries
from store.reconciliation import reconciler
from store.reports import my_orders, order_detail
from store.reports.charge_summary import ChargeSummary
from store.reports.timeline import TimelineEntry
from store.stripe_api import requests
from store.web import formatting
from tests.support.shop import JEANS, ON_SQLITE, Shop


def detail(shop: Shop, number: str) -> order_detail.OrderDetail:
    with db.reading() as session:
        return order_detail.load(session, queries.order_of_buyer(session, shop.buyer, number))


def orders_of(shop: Shop) -> ChargeSummary:
    with db.reading() as session:
        return my_orders.load(session, shop.buyer).charges


def titles(steps: Sequence[TimelineEntry]) -> list[tuple[str, str]]:
    return [(step.title, step.effect) for step in steps]


def figures(tally: ChargeSummary) -> tuple[int, int, int, int]:
    return (tally.orders, tally.charges, tally.deliveries, tally.ignored)


@contextmanager
def counted() -> Iterator[list[str]]:
    """The questions that are asked of the database meanwhile."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            asked.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    yield asked
    event.remove(db.engine(), "before_cursor_execute", note)


def test_the_timeline_covers_the_click_to_the_return(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    completed = shop.event("checkout.session.completed")
    for _ in range(3):
        shop.outcome(completed)
    checkout.refresh_order(shop.buyer, number)

    steps = detail(shop, number).entries

    assert titles(steps) == [
        ("Pay pressed: order saved", "changed"),
        ("Stripe answered: checkout open", "changed"),
        ("Webhook: paid", "changed"),
        ("Same event again: ignored", "nothing"),
        ("Same event again: ignored", "nothing"),
        ("Redirect: already settled", "nothing"),
    ]
    assert steps[0].evidence["idempotency_key"] == shop.order(number).idempotency_key
    assert steps[1].evidence["http_status"] == 200
    assert steps[2].evidence["event_id"] == completed["id"]
    assert (steps[2].evidence["signature"], steps[2].evidence["deliveries"]) == ("verified", 3)


@pytest.mark.scenario("C2")
def test_a_webhook_after_the_return_is_shown_and_changes_nothing(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    checkout.refresh_order(shop.buyer, number)
    shop.deliver_latest("checkout.session.completed")

    steps = detail(shop, number).entries

    assert titles(steps)[2:] == [
        ("Redirect: paid", "changed"),
        ("Webhook: nothing new", "nothing"),
    ]
    assert steps[3].note == "checkout.session.completed"


@pytest.mark.scenario("C7")
def test_an_event_days_late_shows_its_delay(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    completed = shop.event("checkout.session.completed")
    now = clock.now() + timedelta(days=3)
    monkeypatch.setattr(clock, "now", lambda: now)

    assert shop.deliver(completed, at=now.timestamp()).status_code == 200

    (late,) = [step.late for step in detail(shop, number).entries if step.late]
    assert late.days == 3


def test_an_event_found_by_the_reconciler_counts_as_no_delivery(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    reconciler.reconcile_recent()

    shown = detail(shop, number)

    assert ("Reconciler: paid", "changed") in titles(shown.entries)
    assert not [step for step in shown.entries if "signature" in step.evidence]
    assert figures(shown.charges) == (1, 1, 0, 0)


@pytest.mark.scenario("C5")
def test_repeated_deliveries_move_only_the_ignored(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    completed = shop.event("checkout.session.completed")
    shop.outcome(completed)
    before = orders_of(shop)

    for _ in range(4):
        shop.outcome(completed)

    assert figures(before) == (1, 1, 1, 0)
    assert figures(orders_of(shop)) == figures(detail(shop, number).charges) == (1, 1, 5, 4)
    assert not orders_of(shop).alerts


def test_the_summary_counts_all_orders_of_the_buyer_only(shop: Shop) -> None:
    shop.a_paid_order()
    shop.an_open_order(JEANS)
    stranger = Shop(shop.stripe, shop.server)
    stranger.a_paid_order()

    assert figures(orders_of(shop))[:2] == (2, 1)


@pytest.mark.scenario("C14")
def test_a_second_payment_is_an_alarm_until_it_is_sent_back(shop: Shop) -> None:
    number = shop.a_paid_order()
    second = shop.pay_a_second_session(number)
    shop.deliver_latest("checkout.session.completed")

    alarmed = orders_of(shop)
    reconciler.reconcile_recent()
    calmed = orders_of(shop)

    assert (alarmed.charges, alarmed.has_open_alert) == (2, True)
    (alert,) = alarmed.alerts
    assert (alert.cause, alert.detail, alert.amount) == ("second payment", second, 3998)
    assert (calmed.charges, calmed.has_open_alert, [a.resolved for a in calmed.alerts]) == (
        2,
        False,
        [True],
    )
    assert detail(shop, number).charges == calmed
    assert calmed.refunded_second_payments == 1
    titles = [step.title for step in detail(shop, number).entries]
    assert "Webhook: second payment: to be refunded" in titles


def test_a_refund_of_the_orders_own_payment_is_no_alert(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.refund(shop.payment_id(number), 1000)
    shop.deliver_latest("refund.created")

    assert (figures(orders_of(shop))[1], orders_of(shop).alerts) == (1, ())
    (refund,) = detail(shop, number).order.refunds
    assert (refund.amount, refund.status, refund.is_second_payment) == (1000, "succeeded", False)


@pytest.mark.scenario("D12")
def test_an_amount_that_does_not_fit_is_an_alarm_with_its_cause(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    lie = shop.event("checkout.session.completed")
    lie["data"]["object"]["amount_total"] = 1
    look_up = requests.checkout  # Stripe is asked before there is an alert, and says the same
    monkeypatch.setattr(requests, "checkout", lambda name: look_up(name) | {"amount_total": 1})
    shop.outcome(lie)

    tally = orders_of(shop)

    assert (tally.charges, tally.has_open_alert) == (0, True)
    assert tally.alerts[0].detail == "amount $0.01 instead of $39.98"


def test_the_proof_can_be_taken_away_and_names_no_buyer(shop: Shop) -> None:
    number = shop.a_paid_order()
    shown = detail(shop, number)

    text, data = (
        order_detail.timeline_text(shown),
        json.loads(order_detail.timeline_json(shown)),
    )

    assert text.splitlines()[0].startswith(f"Order {number}: paid, charged once, ")
    assert len(text.splitlines()) == 1 + len(shown.entries) == 1 + len(data["timeline"])
    assert data["timeline"][1]["evidence"]["http_status"] == 200
    assert data["order"]["total_amount"] == 3998
    assert shop.buyer not in text + json.dumps(data)


@ON_SQLITE
def test_a_page_asks_the_database_little_however_much_there_is(shop: Shop) -> None:
    numbers = [shop.a_paid_order(cart) for cart in ({"sneakers": 1}, JEANS, {"red-t-shirt": 3})]

    with counted() as for_the_shop:
        orders_of(shop)
    with counted() as for_an_order:
        detail(shop, numbers[0])

    assert (len(for_the_shop), len(for_an_order)) == (3, 7)


@ON_SQLITE
def test_entries_without_effect_are_folded_and_dates_shown_once(shop: Shop) -> None:
    number = shop.a_paid_order()
    for _ in range(3):
        shop.deliver_latest("checkout.session.completed")
    reader = formatting.LocaleFormatter.of("en-US", "UTC")

    ((day, entries),) = reader.timeline(detail(shop, number).entries)

    assert [len(entry) for entry in entries] == [1, 1, 1, 3]
    assert day == reader.day_of(clock.now())


def test_an_opened_step_names_its_event_once(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    shop.deliver_latest("checkout.session.completed")
    event_id = shop.event("checkout.session.completed")["id"]

    (paid,) = [step for step in detail(shop, number).entries if step.title == "Webhook: paid"]

    assert [value for value in paid.evidence.values() if event_id in str(value)] == [event_id]

"""What `prune` deletes and what it keeps; no order changes."""

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import select

from store.cli import main
from store.core import clock
from store.db import engine as db
from store.db.models import HistoryEntry, Order, OrderCheck, OrderItem, StripeEvent
from store.reconciliation import retention
from store.web import buyer_cookie
from tests.support.shop import JEANS, Shop, at_once

LATER = timedelta(days=100)


@pytest.fixture
def a_hundred_days_later(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Moves the shop's clock, not Stripe's."""

    def move() -> None:
        later = clock.now() + LATER
        monkeypatch.setattr(clock, "now", lambda: later)

    return move


def count(table: Any) -> int:
    with db.reading() as session:
        return len(session.exec(select(table)).all())


def outcome_of(shop: Shop, event: Any) -> str:
    """Deliver an event, signed by the clock of today."""
    return str(shop.deliver(event, at=clock.now().timestamp()).json()["outcome"])


def recorded(shop: Shop, number: str) -> tuple[Any, ...]:
    """Everything of an order that anybody could see changing."""
    return shop.order(number).model_dump(), shop.log(number), count(OrderItem)


def test_prune_deletes_events_of_settled_orders_but_no_order(
    shop: Shop, a_hundred_days_later: Any
) -> None:
    number = shop.a_paid_order()
    shop.deliver_all()
    shop.deliver_latest("checkout.session.completed")
    before = recorded(shop, number)
    a_hundred_days_later()

    gone = retention.prune(90)

    assert gone.events > 0
    assert gone.repeats == 1
    assert count(StripeEvent) == count(OrderCheck) == 0
    assert recorded(shop, number) == before


def test_recent_events_are_not_pruned(shop: Shop) -> None:
    shop.a_paid_order()
    shop.deliver_all()
    events = count(StripeEvent)

    gone = retention.prune(30, 30)

    assert gone == retention.PruneResult()
    assert count(StripeEvent) == events


def test_events_of_an_order_that_may_still_change_stay(
    shop: Shop, a_hundred_days_later: Any
) -> None:
    number = shop.an_open_order()
    shop.pay_later(number)
    shop.deliver_latest("checkout.session.completed")
    assert shop.order(number).status == "processing"
    a_hundred_days_later()

    gone = retention.prune(30, 30)

    assert gone == retention.PruneResult()
    assert count(StripeEvent) == 1


@pytest.mark.scenario("J4")
def test_prune_keeps_the_history_of_orders_with_an_owed_refund(
    shop: Shop, a_hundred_days_later: Any
) -> None:
    number = shop.a_paid_order()
    shop.pay_a_second_session(number)
    shop.deliver_all()
    known = {event.id for event in shop.inbox().values() if event.order_id}
    history = shop.log(number)
    a_hundred_days_later()

    gone = retention.prune(30, 30)

    assert gone.history == 0
    assert (set(shop.inbox()), shop.log(number)) == (known, history)


@pytest.mark.scenario("C5")
def test_an_event_redelivered_after_its_deletion_changes_nothing(
    shop: Shop, a_hundred_days_later: Any
) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.refund(shop.payment_id(number), 1000)
    shop.deliver_all()
    events, before = shop.events(), recorded(shop, number)
    a_hundred_days_later()
    retention.prune(90)

    outcomes = {outcome_of(shop, event) for event in [*events, *reversed(events)]}

    assert "applied" not in outcomes
    assert recorded(shop, number) == before


def test_prune_deletes_history_only_on_request(shop: Shop, a_hundred_days_later: Any) -> None:
    paid = shop.a_paid_order()
    waiting = shop.an_open_order(JEANS)
    a_hundred_days_later()

    kept = retention.prune(90)
    gone = retention.prune(90, 99)

    assert kept.history == 0
    assert gone.history > 0
    assert shop.log(paid) == []
    assert shop.log(waiting)


def test_prune_deletes_all_rows_in_several_steps(
    shop: Shop, a_hundred_days_later: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(3):
        shop.a_paid_order()
        shop.buyer = buyer_cookie.buyer_hash(buyer_cookie.new_cookie())
    shop.deliver_all()
    a_hundred_days_later()

    retention.prune(30, 30)

    assert count(StripeEvent) == count(OrderCheck) == count(HistoryEntry) == 0
    assert count(Order) == 3


def test_a_webhook_during_the_deletion_of_its_event_is_answered(
    shop: Shop, a_hundred_days_later: Any
) -> None:
    number = shop.a_paid_order()
    shop.deliver_all()
    event = shop.event("checkout.session.completed")
    before = recorded(shop, number)
    a_hundred_days_later()

    results = at_once(
        9, lambda place: outcome_of(shop, event) if place else retention.prune(90).events > 0
    )

    assert results[0] is True
    assert set(results[1:]) <= {"duplicate", "no_change"}
    assert recorded(shop, number) == before


def test_prune_keeps_events_that_stripe_still_lists() -> None:
    assert main.days(str(retention.MIN_DAYS)) == 30
    with pytest.raises(ArgumentTypeError):
        main.days(str(retention.MIN_DAYS - 1))

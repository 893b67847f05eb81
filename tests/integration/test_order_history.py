"""The evidence in an order's history, and the checks and deliveries that changed nothing."""

import json
from typing import Any

import pytest
from sqlmodel import col, select

from store.db import engine as db
from store.db.models import MAX_LISTED, OrderCheck
from store.orders import checkout, checkout_session, refunds
from store.reports import order_detail
from store.webhooks import parsing, processing
from tests.support.shop import Shop


def evidence(shop: Shop, number: str) -> dict[str, dict[str, Any]]:
    """The evidence of each action in an order's history."""
    return {row.action: json.loads(row.evidence or "{}") for row in shop.history(number)}


def repeats() -> list[OrderCheck]:
    with db.reading() as session:
        return list(session.exec(select(OrderCheck).order_by(col(OrderCheck.id))))


def test_a_history_entry_stores_the_stripe_request(shop: Shop) -> None:
    number = shop.an_open_order()

    opened = evidence(shop, number)["open"]

    assert opened.pop("milliseconds") >= 0
    assert opened.pop("request_id").startswith("req_")
    assert opened == {
        "request": "POST /v1/checkout/sessions",
        "http_status": 200,
        "idempotency_key": shop.order(number).idempotency_key,
        "replayed": False,
    }


@pytest.mark.scenario("B1")
def test_a_replayed_answer_shows_in_the_history(shop: Shop) -> None:
    number = shop.place()
    shop.stripe.emulator.inject_fault("request", "cut", match="POST /v1/checkout/sessions")

    checkout.checkout_url(shop.buyer, number)

    assert evidence(shop, number)["open"]["replayed"] is True


def test_a_refusal_keeps_how_stripe_refused(shop: Shop) -> None:
    number = shop.a_paid_order()
    first = refunds.create_refund(number, None, key="first")
    shop.stripe.client.v1.refunds.create({"payment_intent": shop.payment_id(number)})

    refunds.submit_refund(first, source="operator")

    refused = evidence(shop, number)["refund refused"]
    assert refused["http_status"] == 400
    assert refused["idempotency_key"] == "first"


def test_a_line_that_a_webhook_caused_names_its_event(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)

    assert shop.deliver_latest("checkout.session.completed") == "applied"

    event = shop.event("checkout.session.completed")["id"]
    assert evidence(shop, number)["paid"] == {"event_id": event}


@pytest.mark.scenario("C5")
def test_only_deliveries_after_the_first_are_stored_as_checks(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    event = shop.event("checkout.session.completed")
    history = shop.log(number)

    outcomes = [shop.outcome(event) for _ in range(3)]

    assert outcomes == ["applied", "duplicate", "duplicate"]
    assert [(row.source, row.event_id) for row in repeats()] == [("webhook", event["id"])] * 2
    assert shop.log(number) == [*history, "paid"]


@pytest.mark.scenario("C2", "C15")
def test_a_return_without_news_is_stored_as_a_check(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    shop.deliver_latest("checkout.session.completed")
    history = shop.log(number)

    for _ in range(2):
        checkout.refresh_order(shop.buyer, number)

    assert shop.log(number) == history
    order = shop.order(number)
    assert [(row.source, row.order_id) for row in repeats()] == [("redirect", order.id)] * 2


@pytest.mark.scenario("Q7")
def test_a_success_address_opened_thousands_of_times_is_counted_and_not_listed(
    shop: Shop,
) -> None:
    number = shop.a_paid_order()

    for _ in range(300):
        checkout.refresh_order(shop.buyer, number)
    rows, seen = repeats(), detail(shop, number)
    checkout.refresh_order(shop.buyer, number)

    assert len(rows) == MAX_LISTED
    assert sum(row.times for row in rows) == 300
    assert seen.entries[-1].note == "Stripe did not have to be asked · and 280 more times"
    assert detail(shop, number).entries[-1].note.endswith("and 281 more times")
    assert len(order_detail.timeline_text(seen)) < 20_000


@pytest.mark.scenario("Q7")
def test_an_event_delivered_hundreds_of_times_is_counted_and_not_listed(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    event = parsing.parse_event(shop.event("checkout.session.completed"))

    for batch in (1, 1, 148, 150):
        with db.unit_of_work() as session:
            processing.record_events(session, [event] * batch, source="webhook")
    seen = detail(shop, number)

    assert len(repeats()) == MAX_LISTED
    assert seen.entries[-1].note == "checkout.session.completed · 300 deliveries so far"
    assert seen.charges.deliveries == 300


def detail(shop: Shop, number: str) -> order_detail.OrderDetail:
    return order_detail.of_buyer(shop.buyer, number)


def test_checks_by_the_reconciler_are_not_stored(shop: Shop) -> None:
    number = shop.an_open_order()

    for _ in range(3):
        checkout_session.create_or_refresh_session(shop.order(number), source="reconciler")

    assert repeats() == []


@pytest.mark.scenario("A1")
def test_a_second_click_on_the_same_checkout_is_stored_as_a_check(
    shop: Shop,
) -> None:
    number = shop.an_open_order()
    history, first = shop.log(number), repeats()

    checkout.checkout_url(shop.buyer, shop.place())

    (again,) = repeats()
    assert (first, again.source, shop.log(number)) == ([], "buyer", history)
    assert json.loads(again.evidence)["http_status"] == 200

"""The events as operators find them, and what one of them shows."""

import copy
from typing import Any

import pytest

from store.backoffice import actions, pages_webhooks
from store.core.errors import StripeNotFound, StripeUnreachable
from store.db import engine as db
from store.reports import event_search
from store.reports.event_search import HIDDEN, OUTCOMES, EventFilter, EventRow
from store.stripe_api import requests
from tests.support.shop import ON_SQLITE, Shop


def find(text: str = "", **wanted: str) -> list[EventRow]:
    with db.reading() as session:
        return event_search.find_events(session, EventFilter(text, **wanted)).rows


def test_events_are_filtered_and_each_is_on_one_page(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_search, "PAGE_SIZE", 2)
    for _ in range(2):
        Shop(shop.stripe, shop.server).a_paid_order()
    shop.deliver_all()

    rows: list[EventRow] = []
    before: str | None = ""
    while before is not None:
        with db.reading() as session:
            page = event_search.find_events(session, EventFilter(outcome="ignored"), before)
        rows += page.rows
        before = page.older

    ignored = [event for event in shop.inbox().values() if event.outcome == "ignored"]
    assert len(ignored) > 2
    assert {row.event.id for row in rows} == {event.id for event in ignored}
    received = [row.event.received_at for row in rows]
    assert received == sorted(received, reverse=True)
    kinds = {row.event.type for row in find(type="payment_intent.succeeded")}
    assert kinds == {"payment_intent.succeeded"}


def test_every_event_about_an_order_has_it_also_those_that_the_shop_ignores(shop: Shop) -> None:
    other = Shop(shop.stripe, shop.server).a_paid_order()
    number = shop.a_paid_order()
    actions.refund("Ada", number, 100, key="0" * 32, shown_left=3998)
    shop.deliver_all()
    order = shop.order(number)

    rows = {text: find(text) for text in (number, number.lower(), order.payment_intent_id or "")}

    for found in rows.values():
        assert {row.order_number for row in found} == {number}
        kinds = {row.event.type for row in found}
        assert kinds >= {
            "checkout.session.completed",
            "payment_intent.succeeded",
            "charge.refunded",
        }
    ignored = next(row for row in rows[number] if row.event.type == "charge.refunded")
    assert (ignored.event.outcome, ignored.event.order_id) == ("ignored", None)
    assert {row.order_number for row in find(other)} == {other}
    assert find(number, outcome="ignored", type="charge.succeeded") == []
    assert [row.event.id for row in find(ignored.event.id)] == [ignored.event.id]


@pytest.mark.parametrize("text", ["", "x", "evt_none", "pi_none", "%", "'; DROP TABLE orders; --"])
def test_a_search_that_fits_nothing_is_empty(shop: Shop, text: str) -> None:
    assert find(text) == []


@pytest.mark.parametrize(
    "number",
    ["", " ", "x\x00y", "x" * 65, "x" * 4000, 7, None, ["x"], {"x": 1}, "\ud800"],
)
def test_an_invalid_order_number_of_an_ignored_event_is_left_out(shop: Shop, number: Any) -> None:
    shop.a_paid_order()
    event = copy.deepcopy(shop.event("payment_intent.succeeded"))
    event["data"]["object"] = {"metadata": {"order_number": number}}

    outcome = shop.outcome(event)

    assert outcome == "ignored"
    row = shop.inbox()[event["id"]]
    assert row.order_number in (None, " ")


def test_an_event_in_detail_lists_its_repeated_deliveries(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    event = shop.event("checkout.session.completed")
    for _ in range(3):
        shop.deliver(event)

    with db.reading() as session:
        detail = event_search.event_detail(session, event["id"])
        unknown = event_search.event_detail(session, "evt_unknown")

    assert detail
    assert (detail.order_number, detail.event.deliveries) == (number, 3)
    assert len(detail.repeated_at) == 2
    assert detail.event.received_at <= detail.repeated_at[0] <= detail.repeated_at[1]
    assert unknown is None


def test_a_payload_links_to_its_order(shop: Shop) -> None:
    number = shop.a_paid_order()
    payment = shop.order(number).payment_intent_id

    payloads: dict[str, Any] = {
        "by its metadata": {"metadata": {"order_number": number}},
        "by its payment": {"object": "charge", "payment_intent": payment},
        "by an expanded payment": {"object": "charge", "payment_intent": {"id": payment}},
        "a payment itself": {"object": "payment_intent", "id": payment},
        "another one": {"object": "payment_intent", "id": "pi_other"},
        "nothing": {},
        "odd": {"payment_intent": 7, "metadata": "x"},
    }
    with db.reading() as session:
        found = {
            name: event_search.order_of_payload(session, {"data": {"object": thing}})
            for name, thing in payloads.items()
        }

    assert [found.pop(name) for name in ("another one", "nothing", "odd")] == [None] * 3
    assert set(found.values()) == {number}


@ON_SQLITE
def test_a_payload_is_shown_without_client_secrets(shop: Shop) -> None:
    payload = {"data": {"object": [{"id": "pi_1", "client_secret": "pi_1_secret_x"}, {"a": None}]}}

    assert event_search.without_secrets(payload) == {
        "data": {"object": [{"id": "pi_1", "client_secret": HIDDEN}, {"a": None}]}
    }


def test_every_outcome_that_is_recorded_is_explained(shop: Shop) -> None:
    shop.a_paid_order()
    shop.deliver_all()

    assert {event.outcome for event in shop.inbox().values()} <= OUTCOMES.keys()
    assert all(outcome.explanation.endswith(".") for outcome in OUTCOMES.values())
    assert len({outcome.glyph for outcome in OUTCOMES.values()}) == len(OUTCOMES)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (StripeNotFound("No such event"), pages_webhooks.GONE),
        (StripeUnreachable(), StripeUnreachable.operator_sentence),
        ({"id": "evt_1", "data": "x" * 300_000}, "This payload is too large to be shown here."),
        ({"id": "evt_1"}, ""),
    ],
)
def test_a_payload_that_cannot_be_shown_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, answer: Any, sentence: str
) -> None:
    def event(_event_id: str) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(requests, "event", event)

    document, shown = pages_webhooks.fetch("evt_1")

    assert shown == sentence
    assert (document is None) == bool(sentence)

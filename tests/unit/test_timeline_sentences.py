"""The sentences of an order's timeline, made of rows of its history, its events and repetitions."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from store.db.models import HistoryEntry, Order, OrderCheck, StripeEvent
from store.reports.timeline import OrderEvents, TimelineEntry, entries_of, shortened

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
CALL = {
    "request": "POST /v1/checkout/sessions",
    "http_status": 200,
    "milliseconds": 312,
    "idempotency_key": "0123456789abcdef",
    "replayed": False,
}
ORDER = Order(
    id=1,
    number="TEST-TEST-TEST-TEST",
    buyer_hash="b",
    currency="usd",
    total_amount=3998,
    cart_fingerprint="c",
    attempt=1,
    idempotency_key="0123456789abcdef",
    checkout_parameters="{}",
    checkout_expires_at=NOON + timedelta(hours=1),
)


def an_event(deliveries: int = 1, outcome: str = "applied") -> StripeEvent:
    return StripeEvent(
        id="evt_1",
        type="checkout.session.completed",
        created_at=NOON,
        received_at=NOON + timedelta(seconds=1),
        deliveries=deliveries,
        outcome=outcome,
        order_id=1,
    )


RECEIPT = {"known": "receipt_url"}
DECLINED = {"text": "Your card was declined."}
REFUND = {"refund": "re_1234567890", "amount": 1000, "currency": "usd", "status": "pending"}


def a_line(
    source: str, action: str, *changes: dict[str, Any], origin: Any = "", **call: Any
) -> HistoryEntry:
    payload = json.dumps({"changes": changes, "origin": origin, "call": call})
    return HistoryEntry(order_id=1, at=NOON, source=source, action=action, payload=payload)


def steps(
    *log: HistoryEntry, events: Sequence[StripeEvent] = (), again: Sequence[OrderCheck] = ()
) -> list[TimelineEntry]:
    return entries_of(ORDER, log, OrderEvents(events, again))


@pytest.mark.parametrize(
    ("line", "title", "effect"),
    [
        (a_line("buyer", "placed", {"attempt": 1}), "Pay pressed: order saved", "changed"),
        (a_line("buyer", "open", **CALL), "Stripe answered: checkout open", "changed"),
        (a_line("webhook", "paid", event_id="evt_1"), "Webhook: paid", "changed"),
        (a_line("redirect", "paid"), "Redirect: paid", "changed"),
        (a_line("reconciler", "expired"), "Reconciler: expired", "changed"),
        (a_line("operator", "review"), "Back office: needs review", "changed"),
        (
            a_line("webhook", "noted", RECEIPT, origin="evt_1", event_id="evt_1"),
            "Webhook: receipt available",
            "noted",
        ),
        (a_line("webhook", "noted", {"known": "email"}), "Webhook: email address known", "noted"),
        (
            a_line("webhook", "attempt failed", DECLINED, origin="evt_1"),
            "Payment attempt failed: Your card was declined.",
            "noted",
        ),
        (
            a_line("webhook", "noted", REFUND, origin="evt_1"),
            "Webhook: refund of $10.00: pending",
            "noted",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_line_of_the_history_becomes_a_sentence(
    line: HistoryEntry, title: str, effect: str
) -> None:
    (step,) = steps(line)

    assert (step.title, step.effect) == (title, effect)


def test_a_call_of_stripe_is_shown_with_its_key_status_and_duration() -> None:
    (step,) = steps(a_line("buyer", "open", **CALL))

    assert step.note == "key 0123…cdef · HTTP 200 · 312 ms"


def test_a_replayed_answer_says_so() -> None:
    (step,) = steps(a_line("buyer", "open", **CALL | {"replayed": True}))

    assert step.note.endswith("the same answer again")


def test_a_delivered_event_is_shown_as_verified_and_answered_after_the_commit() -> None:
    line = a_line("webhook", "paid", {"payment_status": "paid"}, origin="evt_1", event_id="evt_1")

    (step,) = steps(line, events=[an_event()])

    assert (step.note, step.late) == ("checkout.session.completed", None)
    assert step.evidence["signature"] == "verified"
    assert step.evidence["answered"] == "200, after the commit"
    assert step.evidence["recorded"] == "payment status paid"


@pytest.mark.parametrize(("seconds", "is_late"), [(0, False), (60, False), (61, True)])
def test_an_event_that_comes_over_a_minute_late_says_how_late(seconds: int, is_late: bool) -> None:
    delay = timedelta(seconds=seconds)
    line = a_line("webhook", "paid", origin="evt_1", event_id="evt_1")
    line.at = NOON + delay

    (step,) = steps(line, events=[an_event()])

    assert step.late == (delay if is_late else None)


@pytest.mark.parametrize(
    ("deliveries", "title"), [(1, "Webhook: nothing new"), (0, "Reconciler: nothing new")]
)
def test_an_event_that_changed_nothing_is_shown_all_the_same(deliveries: int, title: str) -> None:
    (step,) = steps(events=[an_event(deliveries, outcome="no_change")])

    assert (step.title, step.effect) == (title, "nothing")


@pytest.mark.parametrize(
    ("row", "title", "note"),
    [
        (
            OrderCheck(at=NOON, source="webhook", event_id="evt_1"),
            "Same event again: ignored",
            "checkout.session.completed",
        ),
        (
            OrderCheck(at=NOON, source="buyer", order_id=1, evidence=json.dumps(CALL)),
            "Pay pressed again: same checkout",
            "key 0123…cdef · HTTP 200 · 312 ms",
        ),
        (
            OrderCheck(at=NOON, source="redirect", order_id=1),
            "Redirect: already settled",
            "Stripe did not have to be asked",
        ),
        (
            OrderCheck(at=NOON, source="redirect", order_id=1, evidence=json.dumps(CALL)),
            "Redirect: nothing new at Stripe",
            "key 0123…cdef · HTTP 200 · 312 ms",
        ),
        (
            OrderCheck(at=NOON, source="redirect", order_id=1, times=1234),
            "Redirect: already settled",
            "Stripe did not have to be asked · and 1,233 more times",
        ),
    ],
    ids=["event", "pay", "return", "look-up", "counted"],
)
def test_a_repetition_says_what_was_repeated(row: OrderCheck, title: str, note: str) -> None:
    (step,) = steps(events=[an_event()], again=[row])

    assert (step.title, step.note, step.effect) == (title, note, "nothing")


def test_the_steps_stand_in_the_order_of_their_moments() -> None:
    paid = a_line("webhook", "paid", origin="evt_1", event_id="evt_1")
    paid.at = NOON + timedelta(seconds=2)

    shown = steps(
        a_line("buyer", "placed"),
        paid,
        events=[an_event(2)],
        again=[OrderCheck(at=NOON + timedelta(seconds=1), source="redirect", order_id=1)],
    )

    assert [step.title for step in shown] == [
        "Pay pressed: order saved",
        "Redirect: already settled",
        "Webhook: paid",
    ]


@pytest.mark.parametrize(
    ("events", "deliveries", "ignored"),
    [
        ([], 0, 0),
        ([an_event(1)], 1, 0),
        ([an_event(5)], 5, 4),
        ([an_event(2, "no_change")], 2, 2),
        ([an_event(0)], 0, 0),
    ],
)
def test_deliveries_that_changed_nothing_are_counted(
    events: list[StripeEvent], deliveries: int, ignored: int
) -> None:
    events_of_order = OrderEvents(events, [])

    assert (events_of_order.deliveries, events_of_order.ignored) == (deliveries, ignored)


@pytest.mark.parametrize(
    ("identifier", "shown"), [("short", "short"), ("123456789012", "123456789012")]
)
def test_a_short_id_is_shown_whole(identifier: str, shown: str) -> None:
    assert shortened(identifier) == shown
    assert shortened("cs_test_a1b2c3") == "cs_t…b2c3"

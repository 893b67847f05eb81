"""Failed payment attempts: one history entry each, with the reason, and no other effect."""

import json
from functools import partial
from itertools import permutations
from typing import Any

import pytest

from store.db import engine as db
from store.db.models import MAX_LISTED
from store.orders import queries
from store.orders.history import Action
from store.reconciliation import reconciler
from store.reports import order_detail
from tests.support.shop import ON_SQLITE, Shop, at_once

DECLINED, NO_FUNDS, STOLEN = "4000000000000002", "4000000000009995", "4000000000009979"
ASKS_3DS = "4000002760003184"
REPORTS = ("payment_intent.payment_failed", "charge.failed")


def attempts(shop: Shop, number: str) -> list[str]:
    """The reasons of the failed attempts in an order's history."""
    return [
        row.detail.split(" · ")[0]
        for row in shop.history(number)
        if row.action == Action.ATTEMPT_FAILED
    ]


def reports_of(shop: Shop, number: str) -> list[dict[str, Any]]:
    payment = shop.payment_id(number)
    return [e for e in shop.events() if e["type"] in REPORTS and payment in str(e["data"])]


def fail_3ds(shop: Shop, number: str) -> None:
    asked = shop.stripe.pay(shop.session_id(number), ASKS_3DS)
    shop.stripe.emulator.checkout.answer_challenge(asked.challenge_id or "", False)


def test_declines_and_a_failed_3d_secure_stand_in_the_history_with_their_reasons(
    shop: Shop,
) -> None:
    number = shop.an_open_order()
    shop.pay(number, DECLINED)
    shop.pay(number, NO_FUNDS)
    fail_3ds(shop, number)
    before = shop.order(number)

    outcomes = [shop.outcome(event) for event in reports_of(shop, number)]

    assert attempts(shop, number) == [
        "Your card was declined.",
        "Your card has insufficient funds.",
        "We are unable to authenticate your payment method. Please choose a different payment "
        "method and try again.",
    ]
    assert sorted(outcomes) == ["applied", "applied", "applied", "no_change", "no_change"]
    assert shop.order(number) == before
    with db.reading() as session:
        shown = order_detail.load(session, queries.order_of_buyer(session, shop.buyer, number))
    failed = [step for step in shown.entries if step.title.startswith("Payment attempt failed: ")]
    assert [step.effect for step in failed] == ["noted"] * 3
    assert failed[1].evidence["decline_code"] == "insufficient_funds"
    assert failed[1].evidence["card"].endswith("9995")
    assert not shown.charges.has_open_alert


def test_each_order_of_the_reports_leaves_one_entry_per_attempt_and_the_paid_order(
    shop: Shop,
) -> None:
    number = shop.an_open_order()
    shop.pay(number, DECLINED)
    shop.pay(number)
    events = [*reports_of(shop, number), shop.event("checkout.session.completed")]
    assert len(events) == 3

    for order_of_arrival in permutations(events):
        for event in order_of_arrival * 2:
            shop.outcome(event)

    assert attempts(shop, number) == ["Your card was declined."]
    assert shop.order(number).status == "paid"


def test_one_attempt_reported_by_many_at_the_same_moment_is_listed_once(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number, DECLINED)
    events = reports_of(shop, number)
    # Stripe may make two events of one change: https://docs.stripe.com/webhooks
    events += [event | {"id": f"{event['id']}again"} for event in events]

    at_once(12, lambda place: partial(shop.outcome, events[place % len(events)])())

    assert attempts(shop, number) == ["Your card was declined."]
    assert len(shop.inbox()) == 4


@ON_SQLITE
def test_an_attempt_no_webhook_reported_is_found_by_the_reconciler(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number, DECLINED)

    reconciler.reconcile_recent()

    assert attempts(shop, number) == ["Your card was declined."]
    assert shop.history(number)[-1].source == "reconciler"


@ON_SQLITE
def test_a_confidential_decline_reason_is_not_shown_to_the_buyer(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number, STOLEN)
    for event in reports_of(shop, number):
        shop.outcome(event)

    (row,) = [row for row in shop.history(number) if row.action == Action.ATTEMPT_FAILED]

    assert "stolen" not in row.detail + row.evidence
    assert json.loads(row.evidence)["decline_code"] == "generic_decline"


@ON_SQLITE
@pytest.mark.parametrize(
    "change",
    [
        {"livemode": True},
        {"livemode": None},
        {"amount": 1},
        {"currency": "eur"},
        {"id": None},
        {"last_payment_error": "nonsense"},
        {"last_payment_error": {"message": 7}},
        {"metadata": {"order_number": "2222-2222-2222-2222"}},
    ],
    ids=str,
)
def test_a_report_that_does_not_fit_adds_nothing_and_is_no_alarm(
    shop: Shop, change: dict[str, Any]
) -> None:
    number = shop.an_open_order()
    shop.pay(number, DECLINED)
    event = shop.event("payment_intent.payment_failed")
    event["data"]["object"] |= change
    before = shop.order(number)

    shop.outcome(event)

    assert attempts(shop, number) == []
    assert shop.order(number) == before


@ON_SQLITE
def test_only_the_first_of_endless_attempts_are_listed(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number, DECLINED)
    event = shop.event("payment_intent.payment_failed")
    error = event["data"]["object"]["last_payment_error"]

    for attempt in range(MAX_LISTED + 5):
        error["charge"] = f"ch_{attempt}"
        shop.outcome(event | {"id": f"evt_{attempt}"})

    assert len(attempts(shop, number)) == MAX_LISTED

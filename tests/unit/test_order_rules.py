"""What each report of Stripe's must agree with before it counts, and the status that follows."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import Session

from store.db.models import Dispute
from store.orders import status_rules
from store.orders.batch import OrderBatch, OrderState
from store.orders.fact_checks import lookup_reason, mismatch
from store.orders.history import Change
from store.orders.stripe_facts import DoubtFact, Fact, ReceiptFact
from store.orders.transitions import TRANSITIONS
from tests.support.order_facts import (
    NUMBER,
    PAID_FACT,
    PAYMENT,
    SESSION,
    after,
    an_order,
    checkout,
    dispute,
    known_order,
    refund,
)

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def batch_of(order: OrderState) -> OrderBatch:
    return OrderBatch(Session(), {NUMBER: order})


def apply(order: OrderState, fact: Fact) -> list[Change]:
    return TRANSITIONS[type(fact)](batch_of(order), order, fact)


# --- Checkout Sessions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"livemode": True}, "a live-mode session"),
        ({"livemode": None}, "not marked as test mode"),
        ({"order_number": "ANOTHER"}, "another order's number"),
        ({"session_id": "cs_test_2"}, "session cs_test_2 instead of cs_test_1"),
        ({"amount": 3997}, "amount $39.97 instead of $39.98"),
        ({"amount": None}, "amount not named instead of $39.98"),
        ({"amount": 10**30}, "amount of no sense instead of $39.98"),
        ({"currency": "eur"}, "currency eur instead of usd"),
        ({"status": "thawing"}, "unknown session status thawing"),
        ({"payment_status": "half_paid"}, "unknown payment status half_paid"),
        ({"status": "open"}, "paid, with session status open"),
        ({"payment_status": "no_payment_required"}, "no payment required for an order of $39.98"),
        ({"payment_intent_id": None}, "paid, and no payment is named"),
        ({"payment_intent_id": "pi_2"}, "payment pi_2 instead of pi_1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_session_that_does_not_fit_says_why(change: dict[str, Any], reason: str) -> None:
    assert mismatch(known_order(), replace(PAID_FACT, **change)) == reason


def test_a_session_that_fits_needs_no_look_up() -> None:
    order = known_order()

    assert mismatch(order, PAID_FACT) is None
    assert lookup_reason(batch_of(order), order, PAID_FACT) is None


def test_a_payment_by_a_session_that_is_not_known_yet_is_looked_up() -> None:
    order = an_order()

    assert (
        lookup_reason(batch_of(order), order, PAID_FACT)
        == "the order's session is not known here yet"
    )
    assert lookup_reason(batch_of(order), order, checkout("open", "unpaid")) is None


def test_another_payment_of_the_same_order_is_looked_up() -> None:
    order = known_order()
    other = replace(PAID_FACT, session_id="cs_test_2", payment_intent_id="pi_2")

    assert lookup_reason(batch_of(order), order, other) == "a second payment"
    assert lookup_reason(batch_of(order), order, replace(other, checked=True)) is None


def test_what_cannot_be_looked_up_is_not_doubted() -> None:
    order = known_order()

    assert lookup_reason(batch_of(order), order, replace(PAID_FACT, livemode=True)) is None


# --- money back -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (
            replace(refund("succeeded"), payment_intent_id="pi_2", captured_amount=None),
            "re_1 names payment pi_2, which is not this order's",
        ),
        (
            replace(refund("succeeded"), currency="eur"),
            "re_1 in currency eur instead of usd",
        ),
        (refund("succeeded", amount=3999), "re_1 of $39.99, and only $39.98 was paid"),
        (
            replace(dispute("lost"), payment_intent_id="pi_2", captured_amount=None),
            "dp_1 names payment pi_2, which is not this order's",
        ),
        (replace(dispute("lost"), livemode=None), "dp_1 is not marked as test mode"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_money_back_that_cannot_be_of_this_order_puts_it_under_review(
    fact: Fact, reason: str
) -> None:
    order = known_order()

    assert lookup_reason(batch_of(order), order, fact) == reason
    assert after([fact], order)[0] == "review"
    assert order.refund_review_reason == reason


@pytest.mark.parametrize(
    ("reported", "refunded", "status"),
    [
        ([refund("pending")], 1000, "partially_refunded"),
        ([refund("succeeded", 1000), refund("succeeded", 2998, "re_2")], 3998, "refunded"),
        ([refund("succeeded"), refund("failed")], 0, "paid"),
        ([refund("canceled")], 0, "paid"),
        ([refund("succeeded", 3998), refund("succeeded", 3998, "re_2")], 3998, "refunded"),
        ([dispute("lost")], 0, "disputed"),
        ([refund("succeeded"), dispute("won")], 1000, "partially_refunded"),
    ],
)
def test_refunds_and_disputes_add_up(reported: list[Fact], refunded: int, status: str) -> None:
    order = known_order()

    end = after([PAID_FACT, *reported], order)

    assert (order.refunded_amount, end[0]) == (refunded, status)


# --- receipts and doubts --------------------------------------------------------------------

RECEIPT = ReceiptFact(
    order_number=NUMBER,
    receipt_url="https://pay.stripe.com/receipts/1",
    payment_intent_id=PAYMENT,
    amount=3998,
    currency="usd",
    livemode=False,
)


def test_a_receipt_is_taken_once() -> None:
    order = known_order()

    assert apply(order, RECEIPT) == [{"known": "receipt_url"}]
    assert apply(order, replace(RECEIPT, receipt_url="https://pay.stripe.com/other")) == []
    assert order.receipt_url == RECEIPT.receipt_url


@pytest.mark.parametrize(
    "change",
    [
        {"payment_intent_id": "pi_2"},
        {"payment_intent_id": None},
        {"amount": 1},
        {"currency": "eur"},
        {"livemode": None},
        {"livemode": True},
    ],
    ids=str,
)
def test_the_receipt_of_another_payment_changes_nothing(change: dict[str, Any]) -> None:
    order = known_order()

    assert apply(order, replace(RECEIPT, **change)) == []
    assert order.receipt_url is None


def test_a_payment_that_fits_outranks_a_doubt_about_it() -> None:
    unclear = DoubtFact(order_number=NUMBER, reason="odd", about="checkout")

    assert after([unclear], known_order())[0] == "review"
    assert after([unclear, PAID_FACT], known_order())[0] == "paid"


def test_a_doubt_about_a_refund_stays_until_an_operator_has_looked() -> None:
    unclear = DoubtFact(order_number=NUMBER, reason="odd", about="money back")

    assert after([PAID_FACT, unclear], known_order())[0] == "review"


# --- the status -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({}, "pending"),
        ({"checkout_status": "open"}, "open"),
        ({"checkout_status": "refused"}, "failed"),
        ({"checkout_status": "complete"}, "processing"),
        ({"checkout_status": "complete", "payment_status": "failed"}, "failed"),
        ({"checkout_status": "expired"}, "expired"),
        ({"checkout_status": "expired", "cancel_requested_at": NOON}, "canceled"),
        ({"checkout_status": "open", "cancel_requested_at": NOON}, "open"),
        ({"checkout_status": "open", "review_reason": "odd"}, "review"),
        ({"payment_status": "paid"}, "paid"),
        ({"payment_status": "paid", "checkout_status": "expired"}, "paid"),
        ({"payment_status": "paid", "review_reason": "odd"}, "paid"),
        ({"payment_status": "paid", "refund_review_reason": "odd"}, "review"),
        ({"payment_status": "paid", "refunded_amount": 1}, "partially_refunded"),
        ({"payment_status": "paid", "refunded_amount": 3998}, "refunded"),
    ],
    ids=str,
)
def test_the_status_of_an_order_follows_from_its_facts(facts: dict[str, Any], status: str) -> None:
    assert status_rules.status_of(an_order(**facts), []) == status


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *(("warning_needs_response", "disputed"), ("warning_under_review", "disputed")),
        *(("warning_closed", "paid"), ("needs_response", "disputed"), ("won", "paid")),
        *(("under_review", "disputed"), ("lost", "disputed"), ("prevented", "paid")),
        *(("appeal_needs_response", "disputed"), ("appeal_under_review", "disputed")),
    ],
)
def test_a_dispute_counts_until_it_is_won_or_withdrawn(word: str, status: str) -> None:
    order = an_order(payment_status="paid", checkout_session_id=SESSION)
    row = Dispute(
        order_id=1, payment_intent_id=PAYMENT, amount=3998, status=word, stripe_dispute_id="dp_1"
    )

    assert status_rules.status_of(order, [row]) == status

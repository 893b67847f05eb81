"""What is still owed of a payment that came through another session than the order's own."""

from dataclasses import replace

import pytest
from sqlmodel import Session

from store.db.models import Refund
from store.orders.batch import OrderBatch
from store.orders.stripe_facts import Fact
from store.orders.transitions import TRANSITIONS
from tests.support.order_facts import NUMBER, PAID_FACT, dispute, known_order, refund

SECOND = replace(PAID_FACT, session_id="cs_test_2", payment_intent_id="pi_2", checked=True)


def given_back(status: str, amount: int, name: str = "re_9") -> Fact:
    """A refund of the second payment that somebody made in Stripe's dashboard."""
    return replace(refund(status, amount, name), payment_intent_id="pi_2")


def taken(status: str) -> Fact:
    return replace(dispute(status), payment_intent_id="pi_2")


def rows_after(*facts: Fact) -> list[Refund]:
    """The refunds of an order that was paid once and to which these facts are applied."""
    order = known_order()
    ledger = OrderBatch(Session(), {NUMBER: order})
    for fact in (PAID_FACT, *facts):
        TRANSITIONS[type(fact)](ledger, order, fact)
    return ledger.refunds


def owed(*facts: Fact) -> list[int]:
    return [row.amount for row in rows_after(*facts) if row.is_unsent]


@pytest.mark.parametrize(
    ("facts", "amounts"),
    [
        ([SECOND], [3998]),
        ([SECOND, SECOND], [3998]),
        ([SECOND, given_back("succeeded", 1000)], [2998]),
        ([given_back("succeeded", 1000), SECOND], [2998]),
        ([SECOND, given_back("succeeded", 1000), given_back("failed", 1000)], [3998]),
        ([SECOND, given_back("pending", 3998)], []),
        ([given_back("succeeded", 3998), SECOND], []),
        ([SECOND, given_back("succeeded", 1000), given_back("succeeded", 2998, "re_8")], []),
        ([SECOND, taken("lost")], []),
        ([SECOND, taken("needs_response")], [3998]),
        ([SECOND, taken("lost"), taken("won")], [3998]),
        ([SECOND, given_back("succeeded", 1000), taken("lost")], []),
    ],
)
def test_what_is_owed_is_what_came_in_less_what_went_back(
    facts: list[Fact], amounts: list[int]
) -> None:
    assert owed(*facts) == amounts


def test_what_is_owed_is_the_same_for_every_order_of_the_facts() -> None:
    back = given_back("succeeded", 1000)

    assert owed(SECOND, back, taken("needs_response")) == owed(
        back, taken("needs_response"), SECOND
    )


@pytest.mark.parametrize(
    "change",
    [
        {"payment_status": "unpaid"},
        {"payment_status": "no_payment_required"},
        {"payment_intent_id": None},
        {"livemode": True},
        {"amount": None},
    ],
    ids=str,
)
def test_what_is_no_captured_payment_is_not_owed(change: dict[str, object]) -> None:
    assert owed(replace(SECOND, **change)) == []  # type: ignore[arg-type]


def test_a_refund_made_by_hand_of_the_whole_amount_takes_the_unsent_rows_place() -> None:
    (row,) = rows_after(SECOND, given_back("succeeded", 3998))

    assert (row.stripe_refund_id, row.status, row.payment_amount) == ("re_9", "succeeded", 3998)


def test_each_unsent_row_has_an_idempotency_key_of_its_own() -> None:
    rows = rows_after(SECOND, given_back("succeeded", 1000))

    assert len({row.idempotency_key for row in rows}) == len(rows) == 3


@pytest.mark.parametrize("before", [[], [SECOND]], ids=["the first", "one more"])
def test_a_second_payment_that_is_not_named_is_for_review(before: list[Fact]) -> None:
    order = known_order()
    ledger = OrderBatch(Session(), {NUMBER: order})
    nameless = replace(SECOND, payment_intent_id=None)
    for fact in (PAID_FACT, *before, nameless):
        TRANSITIONS[type(fact)](ledger, order, fact)

    assert order.refund_review_reason == "second payment, and no payment is named"
    assert len(ledger.refunds) == len(before)

"""The status of an order follows from its facts, whatever their order."""

import inspect
import re
from dataclasses import replace

import pytest
from sqlmodel import Session
from stripe import Dispute as StripeDispute
from stripe import Refund as StripeRefund
from stripe.checkout import Session as CheckoutSession

from store.core import clock
from store.db import models
from store.orders import status_rules
from store.orders.batch import OrderBatch
from store.orders.fact_checks import mismatch
from store.orders.status_rules import (
    DISPUTE_HARMLESS,
    DISPUTE_RANK,
    PAID,
    PAYMENT_RANK,
    REFUND_RANK,
    REFUND_VOID,
    SESSION_RANK,
)
from store.orders.stripe_facts import CheckoutFact, Fact
from store.orders.transitions import TRANSITIONS
from store.reports import order_view
from store.web import texts
from tests.support.order_facts import (
    LIVES,
    NUMBER,
    PAID_BY_CARD,
    PAYMENT,
    after,
    an_order,
    checkout,
    dispute,
    known_order,
    refund,
)


@pytest.mark.scenario("C6")
def test_ranks_never_move_back() -> None:
    for life, _ in LIVES.values():
        known = an_order()
        end = after(life, known)
        for fact in life:
            batch = OrderBatch(Session(), {NUMBER: known})
            if isinstance(fact, CheckoutFact):
                assert TRANSITIONS[type(fact)](batch, known, fact) == []
        assert known.status == end[0]


def test_an_unknown_status_of_stripe_changes_nothing() -> None:
    reported = [*PAID_BY_CARD, refund("succeeded"), dispute("won")]

    odd = [checkout("thawing", "half_paid"), refund("thinking"), dispute("appealed_twice")]

    assert after([*reported, *odd]) == after(reported)


# --- the tables are complete ----------------------------------------------------------------


def declared(kind: type, name: str) -> set[str]:
    """The values that the installed SDK declares for a field."""
    return set(re.findall(r"['\"](\w+)['\"]", str(kind.__annotations__[name])))


def test_every_state_that_stripe_declares_has_a_rank() -> None:
    assert declared(CheckoutSession, "status") == set(SESSION_RANK) - {"none", "refused"}
    assert declared(CheckoutSession, "payment_status") == set(PAYMENT_RANK) - {"failed"}
    assert declared(StripeDispute, "status") == set(DISPUTE_RANK)
    # The SDK leaves a refund's status open; its documentation names these.
    documented = {"pending", "requires_action", "succeeded", "failed", "canceled"}
    assert documented == set(REFUND_RANK) - {"requested"}
    assert all(f"`{word}`" in inspect.getsource(StripeRefund) for word in documented)


@pytest.mark.parametrize("rank", [SESSION_RANK, PAYMENT_RANK, REFUND_RANK, DISPUTE_RANK])
def test_no_two_states_share_a_rank(rank: dict[str, int]) -> None:
    assert sorted(rank.values()) == list(range(len(rank)))


def test_the_sets_of_states_are_parts_of_the_tables() -> None:
    assert set(PAYMENT_RANK) >= PAID
    assert set(REFUND_RANK) >= REFUND_VOID
    assert set(DISPUTE_RANK) >= DISPUTE_HARMLESS


def test_every_combination_of_facts_has_a_status_that_people_can_be_shown() -> None:
    seen = set()
    for checkout_status in SESSION_RANK:
        for payment_status in PAYMENT_RANK:
            for cancel_requested_at in (None, clock.now()):
                for review_reason in (None, "amount 1 instead of 3998"):
                    for refunded_amount in (0, 1, 3998):
                        order = an_order(
                            checkout_status=checkout_status,
                            payment_status=payment_status,
                            cancel_requested_at=cancel_requested_at,
                            review_reason=review_reason,
                            refunded_amount=refunded_amount,
                        )
                        seen.add(status_rules.status_of(order, []))
                        lost = models.Dispute(
                            order_id=1,
                            payment_intent_id=PAYMENT,
                            amount=1,
                            status="lost",
                            stripe_dispute_id="dp_1",
                        )
                        seen.add(status_rules.status_of(order, [lost]))

    assert seen == set(order_view.STATUS_BADGES)


def kinds_of(fact: type[Fact]) -> set[type[Fact]]:
    below = map(kinds_of, fact.__subclasses__())
    return set[type[Fact]]().union(*below) or {fact}


def test_every_kind_of_fact_has_a_rule() -> None:
    assert kinds_of(Fact) == set(TRANSITIONS)


def test_an_unpaid_payment_status_never_gives_a_paid_order() -> None:
    for payment_status in set(PAYMENT_RANK) - PAID:
        for checkout_status in SESSION_RANK:
            order = an_order(checkout_status=checkout_status, payment_status=payment_status)
            assert status_rules.status_of(order, []) not in (
                "paid",
                "refunded",
                "partially_refunded",
            )


# --- absence is never agreement -------------------------------------------------------------


def test_snapshots_of_a_session_that_is_not_paid_may_leave_out_amount_and_currency() -> None:
    for status in ("open", "expired", None):
        fact = replace(checkout("open", "unpaid"), status=status, amount=None, currency=None)
        assert mismatch(known_order(), fact) is None
        assert mismatch(known_order(), replace(fact, livemode=None))


def test_every_status_has_a_badge_of_its_own_and_a_verdict() -> None:
    badges = order_view.STATUS_BADGES.values()

    assert len({badge.glyph for badge in badges}) == len({badge.word for badge in badges}) == 11
    assert set(texts.STATUS_SENTENCES) == set(order_view.STATUS_BADGES)
    assert status_rules.PAID

"""A refund stays owed until Stripe accepts it: refused, failed later, or made by hand."""

from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text
from sqlmodel import Session, select

from store.backoffice import actions, health
from store.catalog import seeding
from store.core import clock, settings
from store.core.errors import (
    NothingToRefund,
    OrderNotFound,
    StripeUncertain,
    StripeUnreachable,
)
from store.db import engine as db
from store.db.models import Refund
from store.orders import refunds, transitions
from store.orders.batch import OrderBatch, OrderState
from store.orders.stripe_facts import CheckoutFact, DisputeFact, Fact, RefundFact
from store.orders.transitions import TRANSITIONS
from store.reconciliation import reconciler
from store.reports import charge_summary
from store.web import texts
from tests.support.shop import ON_SQLITE, Shop, at_once, backoffice_section, html_of

REFUNDS = "POST /v1/refunds"
COMPLETED = "checkout.session.completed"
FAILS_LATER, PENDING_FIRST = "4000000000005126", "4000000000007726"


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Moves the shop's clock, not Stripe's."""

    def move(**duration: float) -> None:
        later = clock.now() + timedelta(**duration)
        monkeypatch.setattr(clock, "now", lambda: later)

    return move


def a_second_payment(shop: Shop) -> tuple[str, str]:
    """A paid order with a second captured payment that was reported to the shop."""
    number = shop.a_paid_order()
    payment = shop.pay_a_second_session(number)
    shop.deliver_latest(COMPLETED)
    return number, payment


def refuse(shop: Shop, times: int | None = None, code: str = "insufficient_funds") -> None:
    shop.stripe.emulator.inject_fault("request", "refuse", times=times, match=REFUNDS, value=code)


def states(shop: Shop) -> list[tuple[str, int]]:
    return [(row.status, row.amount) for row in shop.refunds()]


def given_back(shop: Shop) -> list[int]:
    return [refund.amount for refund in shop.refunds_at_stripe() if refund.status != "failed"]


def alert(shop: Shop) -> charge_summary.Alert:
    with db.reading() as session:
        (found,) = charge_summary.of_buyer(
            session, shop.buyer, charge_summary.status_counts(session, shop.buyer), []
        ).alerts
    return found


def outcome_of_latest(shop: Shop, kind: str, **changes: Any) -> str:
    """Deliver the latest event of a type with something else in its object."""
    event = shop.event(kind)
    event["id"] = f"evt_{len(shop.inbox())}_changed"
    event["data"]["object"] |= changes
    return shop.outcome(event)


# --- J4: refused ----------------------------------------------------------------------------------


@pytest.mark.scenario("J4")
@pytest.mark.parametrize(
    "code", ["insufficient_funds", "no_code", "payment_intent_unexpected_state", "resource_missing"]
)
def test_a_refused_refund_of_a_second_payment_is_retried_until_it_succeeds(
    shop: Shop, wait: Any, code: str
) -> None:
    number, payment = a_second_payment(shop)
    refuse(shop, times=2, code=code)

    reconciler.reconcile_recent()
    refused = states(shop)
    wait(hours=1)
    reconciler.reconcile_recent()
    wait(hours=1)
    reconciler.reconcile_recent()

    assert refused == [("requested", 3998)]
    assert states(shop) == [("succeeded", 3998)]
    assert [refund.payment_intent for refund in shop.refunds_at_stripe()] == [payment]
    assert shop.log(number).count("refund refused") == 1


@pytest.mark.scenario("J4")
def test_the_pauses_between_refused_refunds_grow_and_each_try_has_a_key_of_its_own(
    shop: Shop, wait: Any
) -> None:
    a_second_payment(shop)
    refuse(shop)
    pauses, keys = [], set()

    for _ in range(14):
        reconciler.reconcile_recent()
        reconciler.reconcile_recent()  # which must not ask before the pause is over
        (row,) = shop.refunds()
        assert row.next_try_at
        pauses.append(round((row.next_try_at - clock.now()).total_seconds() / 60))
        keys.add(row.attempt)
        wait(seconds=(row.next_try_at - clock.now()).total_seconds() + 1)
    shop.stripe.emulator.clear_faults()
    reconciler.reconcile_recent()

    assert pauses[:5] == [1, 2, 4, 8, 16]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 24 * 60
    assert keys == set(range(2, 16))
    assert given_back(shop) == [3998]


@pytest.mark.scenario("J4")
def test_a_refused_refund_keeps_no_other_from_going_back(shop: Shop) -> None:
    _, stuck = a_second_payment(shop)
    shop.buyer = "another"
    _, other = a_second_payment(shop)
    shop.stripe.emulator.inject_fault("request", "refuse", times=None, match=stuck)

    done = reconciler.reconcile_recent()

    assert done.failures == 1
    assert [refund.payment_intent for refund in shop.refunds_at_stripe()] == [other]
    assert [row.status for row in shop.refunds()] == ["requested", "succeeded"]


@pytest.mark.scenario("J4")
def test_an_owed_refund_is_shown_to_the_buyer_and_as_an_alert_to_operators(
    shop: Shop,
) -> None:
    number, _ = a_second_payment(shop)
    before = texts.status_sentence(shop.view(number)), health.check_refunds()
    refuse(shop)

    reconciler.reconcile_recent()

    assert "the shop is sending it back" in before[0]
    assert before[1] == []
    assert "the shop owes it and keeps trying" in texts.status_sentence(shop.view(number))
    assert (alert(shop).refund_state, alert(shop).resolved) == ("overdue", False)
    (light,) = health.check_refunds()
    assert (light.good, "1 stuck, $39.98" in light.message) == (False, True)
    with db.reading() as session:
        ((row, order),) = refunds.overdue(session)
    assert (order.number, row.refusal) == (number, "Stripe refused it: insufficient_funds")


@pytest.mark.scenario("J4")
def test_an_operator_can_have_a_refused_refund_tried_at_once(shop: Shop) -> None:
    number, payment = a_second_payment(shop)
    refuse(shop, times=2)
    reconciler.reconcile_recent()
    (row,) = shop.refunds()

    still = actions.retry_refund("Ada", number, row.id or 0)
    done = actions.retry_refund("Ada", number, row.id or 0)

    assert "refused it: insufficient_funds. The shop still owes $39.98 and asks again" in still
    assert done == f"Refunded $39.98 of order {number}: succeeded."
    assert [refund.payment_intent for refund in shop.refunds_at_stripe()] == [payment]
    assert health.check_refunds() == []
    with pytest.raises(NothingToRefund):
        actions.retry_refund("Ada", number, row.id or 0)


@pytest.mark.scenario("J4")
def test_concurrent_refund_attempts_refund_once(shop: Shop) -> None:
    number, _ = a_second_payment(shop)
    refuse(shop, times=1)
    reconciler.reconcile_recent()
    (row,) = shop.refunds()

    at_once(
        8,
        lambda place: (
            actions.retry_refund("Ada", number, row.id or 0)
            if place
            else reconciler.reconcile_recent()
        ),
    )

    assert given_back(shop) == [3998]
    assert states(shop) == [("succeeded", 3998)]


@pytest.mark.scenario("J4")
def test_only_the_orders_own_owed_refunds_are_tried_or_called_off(shop: Shop) -> None:
    number, _ = a_second_payment(shop)
    other = Shop(shop.stripe, shop.server).a_paid_order()
    (row,) = shop.refunds()

    for act in (actions.retry_refund, actions.call_off_refund):
        with pytest.raises(OrderNotFound):
            act("Ada", other, row.id or 0)
        with pytest.raises(OrderNotFound):
            act("Ada", "NO-SUCH-ORDER", row.id or 0)
    with pytest.raises(NothingToRefund, match="owed until it is back"):
        actions.call_off_refund("Ada", number, row.id or 0)

    assert states(shop) == [("requested", 3998)]


@pytest.mark.scenario("J4")
def test_a_right_that_the_key_lacks_leaves_the_refund_owed_and_alarms(shop: Shop) -> None:
    number, _ = a_second_payment(shop)
    shop.stripe.emulator.inject_fault("request", "forbidden", times=None, match=REFUNDS)
    (row,) = shop.refunds()

    actions.retry_refund("Ada", number, row.id or 0)
    stuck = health.check_refunds()
    shop.stripe.emulator.clear_faults()
    reconciler.reconcile_recent()

    assert len(stuck) == 1
    assert states(shop) == [("succeeded", 3998)]


@pytest.mark.scenario("J4")
def test_an_operators_refused_refund_stays_owed_until_it_is_called_off(shop: Shop) -> None:
    number = shop.a_paid_order()
    refuse(shop)

    said = actions.refund("Ada", number, 1000, key="0" * 32, shown_left=3998)
    (row,) = shop.refunds()
    with pytest.raises(NothingToRefund):  # what is owed is not free
        refunds.create_refund(number, 3998, key="another")
    shop.stripe.emulator.clear_faults()
    off = actions.call_off_refund("Ada", number, row.id or 0)
    reconciler.reconcile_recent()

    assert "The shop still owes $10.00 and asks again by itself." in said
    assert "called off" in off
    assert states(shop) == [("canceled", 1000)]
    assert shop.refunds_at_stripe() == []
    assert shop.history(number)[-1].detail == "$10.00 by Ada"
    refunds.submit_refund(refunds.create_refund(number, 3998, key="another"), source="operator")
    assert given_back(shop) == [3998]


@pytest.mark.scenario("J4")
def test_a_refund_that_stripe_made_all_the_same_is_not_called_off(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.inject_fault("request", "cut", times=9, match=REFUNDS)
    actions.refund("Ada", number, 1000, key="0" * 32, shown_left=3998)
    (row,) = shop.refunds()

    with pytest.raises(NothingToRefund, match="made this refund already"):
        actions.call_off_refund("Ada", number, row.id or 0)

    assert states(shop) == [("succeeded", 1000)]
    assert given_back(shop) == [1000]


def test_a_refund_called_off_that_arrives_at_stripe_later_is_counted(shop: Shop) -> None:
    number = shop.a_paid_order()
    row = refunds.create_refund(number, 1000, key="form-1")
    actions.call_off_refund("Ada", number, row.id or 0)
    refunds._create_at_stripe(row, number)  # a request that was on its way

    shop.deliver_latest("refund.created")

    assert states(shop) == [("canceled", 1000), ("succeeded", 1000)]
    assert shop.order(number).refunded_amount == 1000


# --- J4: taken on, and failed later ---------------------------------------------------------------


def a_second_payment_by(shop: Shop, card: str) -> str:
    number = shop.a_paid_order()
    ours = {"order_number": number}
    session = shop.stripe.a_session(metadata=ours, payment_intent_data={"metadata": ours})
    assert shop.stripe.pay(session.id, card).outcome == "succeeded"
    shop.deliver_latest(COMPLETED)
    return number


@pytest.mark.scenario("J4")
def test_the_refund_of_a_second_payment_that_fails_later_is_owed_again(shop: Shop) -> None:
    number = a_second_payment_by(shop, FAILS_LATER)
    reconciler.reconcile_recent()
    taken_on = states(shop), alert(shop).refund_state

    shop.stripe.emulator.move_clock(3600)
    shop.deliver_latest("refund.failed")
    again = states(shop), alert(shop).refund_state
    reconciler.reconcile_recent()

    assert taken_on == ([("succeeded", 3998)], "returned")
    assert again == ([("failed", 3998), ("requested", 3998)], "owed")
    assert states(shop) == [("failed", 3998), ("succeeded", 3998)]
    assert len(shop.refunds_at_stripe()) == 2
    assert shop.order(number).refunded_amount == 0


@pytest.mark.scenario("J4")
@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_a_pending_refund_of_a_second_payment_that_never_arrives_is_owed_again(
    shop: Shop, end: str
) -> None:
    a_second_payment_by(shop, PENDING_FIRST)
    reconciler.reconcile_recent()
    pending = alert(shop)

    outcomes = [outcome_of_latest(shop, "refund.created", status=end) for _ in range(2)]

    assert (pending.refund_state, pending.resolved) == ("pending", False)
    assert outcomes == ["applied", "no_change"]
    assert states(shop) == [(end, 3998), ("requested", 3998)]


@pytest.mark.scenario("J4")
def test_a_refund_that_waits_for_the_buyer_alarms_until_it_is_back(shop: Shop) -> None:
    number = a_second_payment_by(shop, PENDING_FIRST)
    reconciler.reconcile_recent()

    outcome_of_latest(shop, "refund.created", status="requires_action")
    waiting = (
        alert(shop).refund_state,
        health.check_refunds(),
        texts.status_sentence(shop.view(number)),
    )
    outcome_of_latest(shop, "refund.created", status="succeeded")

    assert waiting[0] == "requires_action"
    assert len(waiting[1]) == 1
    assert "needs details from the buyer" in waiting[2]
    assert (alert(shop).refund_state, alert(shop).resolved, health.check_refunds()) == (
        "returned",
        True,
        [],
    )


@pytest.mark.scenario("J4")
def test_an_operators_refund_that_fails_at_stripe_is_theirs_to_decide_again(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number, card=FAILS_LATER)
    shop.deliver_latest(COMPLETED)
    refunds.submit_refund(refunds.create_refund(number, 1000, key="form-1"), source="operator")

    shop.stripe.emulator.move_clock(3600)
    shop.deliver_latest("refund.failed")
    reconciler.reconcile_recent()

    assert states(shop) == [("failed", 1000)]
    refunds.create_refund(number, 3998, key="form-2")


# --- J5: given back by hand -----------------------------------------------------------------------


@pytest.mark.scenario("J5")
@pytest.mark.parametrize("first", ["the refund is reported", "refused", "the refund is older news"])
@ON_SQLITE
def test_a_manually_refunded_second_payment_is_one_finished_row(shop: Shop, first: str) -> None:
    number = shop.a_paid_order()
    payment = shop.pay_a_second_session(number)
    if first != "the refund is older news":
        shop.deliver_latest(COMPLETED)
    by_hand = shop.stripe.emulator.refund(payment)
    if first != "refused":
        shop.deliver_latest("refund.created")
    shop.deliver_latest(COMPLETED)
    if first == "refused":
        (row,) = shop.refunds()
        actions.retry_refund("Ada", number, row.id or 0)

    reconciler.reconcile_recent()
    shop.deliver_all()
    reconciler.reconcile_everything()

    (row,) = shop.refunds()
    assert (row.stripe_refund_id, row.status, row.amount) == (by_hand["id"], "succeeded", 3998)
    assert row.payment_amount == 3998
    assert len(shop.refunds_at_stripe()) == 1
    assert alert(shop).refund_state == "returned"


@pytest.mark.scenario("J5")
@pytest.mark.parametrize("reported", [True, False], ids=["refund reported", "not reported"])
def test_only_the_rest_of_a_partly_refunded_second_payment_is_refunded(
    shop: Shop, wait: Any, reported: bool
) -> None:
    number, payment = a_second_payment(shop)
    shop.stripe.emulator.refund(payment, 1000)
    if reported:
        shop.deliver_latest("refund.created")
    else:
        (row,) = shop.refunds()
        actions.retry_refund("Ada", number, row.id or 0)

    reconciler.reconcile_recent()
    shop.deliver_all()
    wait(days=2)
    reconciler.reconcile_recent()

    assert sorted(given_back(shop)) == [1000, 2998]
    assert sorted(states(shop)) == [("failed", 3998), ("succeeded", 1000), ("succeeded", 2998)]
    assert (alert(shop).refund_state, alert(shop).amount) == ("returned", 3998)


@pytest.mark.scenario("J5")
def test_a_manual_refund_before_its_payment_leaves_the_rest_owed(
    shop: Shop,
) -> None:
    number = shop.a_paid_order()
    payment = shop.pay_a_second_session(number)
    shop.stripe.emulator.refund(payment, 1000)
    shop.deliver_latest("refund.created")

    shop.deliver_latest(COMPLETED)
    shop.deliver_latest(COMPLETED)
    reconciler.reconcile_recent()

    assert sorted(given_back(shop)) == [1000, 2998]


@pytest.mark.scenario("J5")
def test_a_refund_by_hand_of_the_orders_own_payment_is_not_taken_for_the_second_ones(
    shop: Shop,
) -> None:
    number, payment = a_second_payment(shop)
    shop.stripe.emulator.refund(shop.payment_id(number))
    shop.deliver_latest("refund.created")
    assert shop.order(number).status == "refunded"

    reconciler.reconcile_recent()

    payments = {str(refund.payment_intent) for refund in shop.refunds_at_stripe()}
    assert payments == {payment, shop.payment_id(number)}
    assert len(shop.refunds_at_stripe()) == 2


@pytest.mark.scenario("J5", "F6")
def test_a_lost_dispute_of_part_of_a_second_payment_leaves_the_rest_owed(shop: Shop) -> None:
    a_second_payment(shop)
    (row,) = shop.refunds()
    lost: Fact = DisputeFact(
        order_number=shop.orders()[0].number,
        dispute_id="dp_part",
        payment_intent_id=row.payment_intent_id,
        amount=1000,
        currency="usd",
        livemode=False,
        status="lost",
    )
    with db.unit_of_work() as session:
        transitions.apply_facts(session, [lost], source="webhook")

    reconciler.reconcile_recent()

    assert given_back(shop) == [2998]


# --- in every order of hearing of it --------------------------------------------------------------

NUMBER, STRAY = "TEST-TEST-TEST-TEST", "pi_stray"


def a_stray_session() -> CheckoutFact:
    return CheckoutFact(
        order_number=NUMBER,
        session_id="cs_stray",
        status="complete",
        payment_status="paid",
        amount=3998,
        currency="usd",
        livemode=False,
        payment_intent_id=STRAY,
    )


def a_refund(name: str, status: str, amount: int) -> RefundFact:
    return RefundFact(
        order_number=NUMBER,
        refund_id=name,
        payment_intent_id=STRAY,
        amount=amount,
        currency="usd",
        status=status,
        captured_amount=3998,
    )


def a_dispute(status: str, amount: int = 3998) -> DisputeFact:
    return DisputeFact(
        order_number=NUMBER,
        dispute_id="dp_1",
        payment_intent_id=STRAY,
        amount=amount,
        currency="usd",
        livemode=False,
        status=status,
        captured_amount=3998,
    )


LIVES: dict[str, tuple[list[Fact], int]] = {
    "nothing else": ([], 3998),
    "all of it by hand": ([a_refund("re_1", "pending", 3998)], 0),
    "in two parts": ([a_refund("re_1", "succeeded", 1000), a_refund("re_2", "pending", 2998)], 0),
    "a part of it": ([a_refund("re_1", "succeeded", 1000)], 2998),
    "failed": ([a_refund("re_1", "pending", 3998), a_refund("re_1", "failed", 3998)], 3998),
    "failed, then by hand": (
        [a_refund("re_1", "failed", 3998), a_refund("re_2", "succeeded", 3998)],
        0,
    ),
    "a part failed, a part by hand": (
        [a_refund("re_1", "canceled", 1000), a_refund("re_2", "succeeded", 500)],
        3498,
    ),
    "disputed": ([a_dispute("needs_response")], 3998),
    "disputed and lost": ([a_dispute("needs_response"), a_dispute("lost")], 0),
    "disputed, lost, and won on appeal": ([a_dispute("lost"), a_dispute("won")], 3998),
    "a part refunded, the rest lost": (
        [a_refund("re_1", "succeeded", 1000), a_dispute("lost", 2998)],
        0,
    ),
}


@pytest.mark.scenario("J4", "J5", "C6")
@pytest.mark.parametrize(("life", "owed"), LIVES.values(), ids=LIVES)
def test_the_owed_amount_is_the_same_for_every_order_of_events(life: list[Fact], owed: int) -> None:
    for facts in permutations([a_stray_session(), *life]):
        order = OrderState(
            id=1,
            number=NUMBER,
            currency="usd",
            total_amount=3998,
            checkout_session_id="cs_own",
            checkout_status="complete",
            payment_status="paid",
            payment_intent_id="pi_own",
        )
        batch = OrderBatch(Session(), {NUMBER: order})
        for fact in [fact for fact in facts for _ in range(2)] + list(facts):
            TRANSITIONS[type(fact)](batch, order, fact)

        assert sum(row.amount for row in batch.refunds if row.is_unsent) == owed, facts
        keys = [row.idempotency_key for row in batch.refunds]
        assert len(keys) == len(set(keys))


# --- the back office ------------------------------------------------------------------------------


@ON_SQLITE
@pytest.mark.scenario("J4")
def test_buttons_for_an_owed_refund_stand_on_the_order_and_on_the_books_page(shop: Shop) -> None:
    number, _ = a_second_payment(shop)
    refuse(shop)
    reconciler.reconcile_recent()

    page = backoffice_section("orders", order=number)
    reconciliation = backoffice_section("reconciliation")

    for at in (page, reconciliation):
        labels = [button.label for button in at.button]
        assert "Try again now" in labels
        assert "Call off" not in labels
        assert "Stripe refused it: insufficient_funds." in html_of(at)


# --- what an older version left behind ------------------------------------------------------------

BEFORE = "0007"  # the last schema that gave refused refunds up
ORDER = """
    INSERT INTO orders (id, number, buyer, currency, total_amount, status, cart_key, attempt,
      idempotency_key, checkout_parameters, checkout_expires_at, session_status, payment_status,
      payment_intent_id, refunded_amount, created_at, updated_at)
    VALUES (1, 'N', 'b', 'usd', 3998, 'paid', 'c', 1, 'k', '{}', '2026-01-01', 'complete', 'paid',
      'pi_own', 0, '2026-01-01', '2026-01-01')
"""
OLD_REFUND = """
    INSERT INTO refunds (order_id, payment_intent_id, amount, status, reason, idempotency_key,
      stripe_refund_id, attempt, created_at, updated_at)
    VALUES (1, :payment, 3998, :status, :reason, :key, :stripe, 1, '2026-01-01', '2026-01-01')
"""
OLD_DISPUTE = """
    INSERT INTO disputes (order_id, payment_intent_id, amount, status, reason, stripe_dispute_id,
      created_at, updated_at)
    VALUES (1, 'pi_lost', 3998, 'lost', '', 'dp_1', '2026-01-01', '2026-01-01')
"""


@pytest.mark.scenario("J4", "E9")
def test_refunds_given_up_by_an_old_version_are_owed_again(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    settings.current.cache_clear()
    old = [  # payment, status, reason, the refund's id at Stripe
        ("pi_refused", "failed", "duplicate", None),
        ("pi_failed", "failed", "duplicate", "re_failed"),
        ("pi_lost", "failed", "duplicate", None),
        ("pi_by_hand", "failed", "duplicate", None),
        ("pi_by_hand", "succeeded", "", "re_by_hand"),
        ("pi_own", "failed", "requested_by_customer", None),
    ]
    with db.engine().execution_options(writes=True).begin() as connection:
        config = db._alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE)
        connection.execute(text(ORDER))
        connection.execute(text(OLD_DISPUTE))
        for place, (payment, status, reason, refund) in enumerate(old):
            row = {"payment": payment, "status": status, "reason": reason, "stripe": refund}
            connection.execute(text(OLD_REFUND), row | {"key": f"key-{place}"})

    seeding.migrate()

    with db.reading() as session:
        rows = [refund for refund in session.exec(select(Refund)) if refund.is_unsent]
        waiting = refunds.pending_refunds(session)
    found = [(row.payment_intent_id, row.amount, row.payment_amount, row.attempt) for row in rows]
    assert sorted(found) == [("pi_failed", 3998, 3998, 1), ("pi_refused", 3998, 3998, 2)]
    assert sorted(row.id or 0 for row in waiting) == sorted(row.id or 0 for row in rows)
    db.engine().dispose()
    db.engine_for.cache_clear()
    settings.current.cache_clear()


# --- answers that cannot be read ------------------------------------------------------------------

UNREADABLE = ["json", "array", "null", "text", "html", "truncated", "types", "nulls", "missing"]


@pytest.mark.scenario("J1")
@pytest.mark.parametrize("shape", UNREADABLE)
def test_a_refund_with_an_unreadable_answer_is_retried_under_its_key(
    shop: Shop, shape: str
) -> None:
    number = shop.a_paid_order()
    row = refunds.create_refund(number, 1500, key="a form")
    shop.stripe.emulator.inject_fault("request", "malformed", times=3, match=REFUNDS, value=shape)

    with pytest.raises(StripeUncertain):
        refunds.submit_refund(row, source="operator")
    unread = states(shop)
    shop.stripe.emulator.clear_faults()
    refunds.submit_refund(row, source="operator")

    assert unread == [("requested", 1500)]
    assert states(shop) == [("succeeded", 1500)]
    assert given_back(shop) == [1500]


@pytest.mark.scenario("J1")
@pytest.mark.parametrize("shape", UNREADABLE)
def test_an_unreadable_item_in_stripes_list_never_leads_to_a_second_refund(
    shop: Shop, wait: Any, shape: str
) -> None:
    """The refund was made and its answer lost; a day later only the list shows it."""
    number = shop.a_paid_order()
    row = refunds.create_refund(number, 1500, key="a form")
    shop.stripe.emulator.inject_fault("request", "cut", times=20, match=REFUNDS)
    with pytest.raises(StripeUnreachable):
        refunds.submit_refund(row, source="operator")
    shop.stripe.emulator.clear_faults()
    (made,) = shop.refunds_at_stripe()
    shop.stripe.emulator.move_clock(90_000)
    wait(hours=25)
    shop.stripe.emulator.inject_fault(
        "request", "malformed", times=None, match=made.id, value=shape
    )

    with pytest.raises(StripeUncertain):
        refunds.submit_refund(row, source="reconciler")
    unread = states(shop)
    shop.stripe.emulator.clear_faults()
    refunds.submit_refund(row, source="reconciler")

    assert unread == [("requested", 1500)]
    assert states(shop) == [("succeeded", 1500)]
    assert given_back(shop) == [1500]


@pytest.mark.scenario("J4")
@pytest.mark.parametrize("shape", ["types", "nulls", "missing"])
@ON_SQLITE
def test_a_refused_refund_waits_while_its_payment_cannot_be_read(shop: Shop, shape: str) -> None:
    number, payment = a_second_payment(shop)
    by_hand = shop.stripe.emulator.refund(payment, 1000)["id"]
    refuse(shop, times=1, code="charge_already_refunded")
    shop.stripe.emulator.inject_fault(
        "request", "malformed", times=None, match=by_hand, value=shape
    )
    (row,) = shop.refunds()

    with pytest.raises(StripeUncertain):
        refunds.submit_refund(row, source="reconciler")
    unread = states(shop)
    shop.stripe.emulator.clear_faults()
    with db.unit_of_work() as session:
        for row in session.exec(select(Refund)):
            row.next_try_at = None
    for _ in range(3):
        reconciler.reconcile_everything()

    assert unread == [("requested", 3998)]
    assert sum(given_back(shop)) == 3998
    assert shop.log(number).count("refund refused") <= 1

"""Refunds: once per intention, never more than was paid."""

from datetime import timedelta
from typing import Any

import pytest

from store.core import clock
from store.core.errors import NothingToRefund, StripeUnreachable
from store.orders import refunds, transitions
from store.reconciliation import reconciler
from store.reconciliation.result import ReconcileResult
from store.stripe_api import requests, transport
from tests.support.shop import Shop, at_once

REFUNDS = "POST /v1/refunds"


def given_back(shop: Shop) -> list[int]:
    return [refund.amount for refund in shop.refunds_at_stripe()]


def refund(number: str, amount: int | None = None, key: str = "form-1") -> None:
    refunds.submit_refund(refunds.create_refund(number, amount, key=key), source="operator")


def test_a_refund_has_the_time_of_its_last_change(shop: Shop) -> None:
    number = shop.a_paid_order()
    asked = refunds.create_refund(number, 1000, key="form-1")

    refunds.submit_refund(asked, source="operator")

    (row,) = shop.refunds()
    assert row.status == "succeeded"
    assert row.updated_at > row.created_at


# --- how much, how often --------------------------------------------------------------------


@pytest.mark.scenario("F1")
def test_one_form_sent_by_eight_operators_at_once_is_one_refund(shop: Shop) -> None:
    number = shop.a_paid_order()

    results = at_once(8, lambda _: refund(number, 1000))

    assert results == [None] * 8
    assert given_back(shop) == [1000]
    assert len(shop.refunds()) == 1
    assert shop.order(number).status == "partially_refunded"


@pytest.mark.scenario("F1")
def test_two_refunds_of_the_same_amount_that_are_both_meant_both_happen(shop: Shop) -> None:
    number = shop.a_paid_order()

    results = at_once(2, lambda place: refund(number, 1000, key=f"form-{place}"))

    assert results == [None, None]
    assert given_back(shop) == [1000, 1000]
    assert shop.order(number).refunded_amount == 2000


@pytest.mark.scenario("F1", "F2")
def test_concurrent_refunds_never_exceed_the_payment(shop: Shop) -> None:
    number = shop.a_paid_order()

    results = at_once(6, lambda place: refund(number, 1500, key=f"form-{place}"))

    assert sum(isinstance(result, NothingToRefund) for result in results) == 4
    assert given_back(shop) == [1500, 1500]
    assert shop.order(number).refunded_amount == 3000


@pytest.mark.scenario("F1")
def test_concurrent_full_and_partial_refunds_never_exceed_the_payment(shop: Shop) -> None:
    number = shop.a_paid_order()

    at_once(2, lambda place: refund(number, [None, 1000][place], key=f"form-{place}"))

    assert sorted(given_back(shop)) in ([3998], [1000, 2998])
    assert shop.order(number).refunded_amount == sum(given_back(shop))


@pytest.mark.scenario("F2")
def test_parts_add_up_to_the_last_cent(shop: Shop) -> None:
    number = shop.a_paid_order()
    statuses = []

    for place, amount in enumerate([1, 1333, None]):
        refund(number, amount, key=f"form-{place}")
        statuses.append(shop.order(number).status)

    assert given_back(shop) == [1, 1333, 2664]
    assert statuses == ["partially_refunded", "partially_refunded", "refunded"]
    with pytest.raises(NothingToRefund):
        refund(number, 1, key="form-9")


@pytest.mark.scenario("F2")
@pytest.mark.parametrize("amount", [3999, 0, -1, 10**12])
def test_refunding_zero_or_too_much_is_refused_without_a_request(shop: Shop, amount: int) -> None:
    number = shop.a_paid_order()

    with pytest.raises(NothingToRefund):
        refund(number, amount)

    assert (shop.refunds(), given_back(shop)) == ([], [])


@pytest.mark.scenario("F2")
def test_an_unpaid_order_cannot_be_refunded(shop: Shop) -> None:
    number = shop.an_open_order()

    with pytest.raises(NothingToRefund):
        refund(number)

    assert shop.refunds() == []


@pytest.mark.scenario("F2")
def test_a_refund_made_in_the_dashboard_is_not_repeated(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.refund(shop.payment_id(number), 3000)

    refund(number, 3998)  # it is not reported yet; Stripe says no

    assert given_back(shop) == [3000]
    assert [row.status for row in shop.refunds()] == ["failed", "succeeded"]  # ours, and theirs
    assert "refund refused" in shop.log(number)
    reconciler.reconcile_recent()
    assert shop.order(number).refunded_amount == 3000
    refund(number, None, key="form-2")
    assert shop.order(number).status == "refunded"


# --- answers that get lost ------------------------------------------------------------------


@pytest.mark.scenario("F3")
@pytest.mark.parametrize("kind", ["cut", "hang"])
def test_a_refund_whose_answer_got_lost_is_found_again_and_not_repeated(
    shop: Shop, kind: str
) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.inject_fault("request", kind, times=3, match=REFUNDS, value="0.1")

    with pytest.raises(StripeUnreachable):
        refund(number, 1000)
    unknown = [(row.status, row.stripe_refund_id) for row in shop.refunds()]
    shop.stripe.emulator.clear_faults()
    reconciler.reconcile_recent()

    assert unknown == [("requested", None)]
    assert given_back(shop) == [1000]
    assert shop.order(number).status == "partially_refunded"
    assert [row.status for row in shop.refunds()] == ["succeeded"]


@pytest.mark.scenario("F3")
def test_a_refund_that_stripe_answered_with_500_after_making_it_is_found(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.inject_fault("request", "error_after", match=REFUNDS)

    refund(number, 1000)

    assert given_back(shop) == [1000]
    assert shop.order(number).refunded_amount == 1000


@pytest.mark.scenario("F3")
def test_a_refund_that_always_fails_delays_no_other(shop: Shop) -> None:
    stuck = shop.a_paid_order()
    shop.stripe.emulator.inject_fault("request", "error_after", match=REFUNDS)
    shop.stripe.emulator.inject_fault("request", "error_before", times=12, match="GET /v1/refunds")
    with pytest.raises(StripeUnreachable):
        refund(stuck, 1000)
    shop.buyer = "another"
    number = shop.a_paid_order()
    refunds.create_refund(number, 500, key="form-2")
    far_ahead = clock.now() + timedelta(minutes=1)  # so that no event tells of the first refund

    done = reconciler.reconcile_recent(far_ahead)
    owed = shop.order(stuck).refunded_amount
    shop.stripe.emulator.clear_faults()
    reconciler.reconcile_recent(far_ahead)

    assert (done.refunds, done.failures, owed) == (2, 1, 0)
    assert shop.order(number).refunded_amount == 500
    assert shop.order(stuck).refunded_amount == 1000
    assert sorted(given_back(shop)) == [500, 1000]


@pytest.mark.scenario("F3")
def test_a_refund_whose_saved_answer_is_500_gets_a_new_key_within_a_pass(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.inject_fault("request", "error_kept", match=REFUNDS)

    with pytest.raises(StripeUnreachable):
        refund(number, 1000)
    tried = [(row.status, row.attempt) for row in shop.refunds()]
    reconciler.reconcile_recent()

    assert tried == [("requested", 2)]
    assert given_back(shop) == [1000]
    assert shop.order(number).refunded_amount == 1000
    assert shop.log(number)[-3:] == ["refund asked", "refund failed", "partially_refunded"]


@pytest.mark.scenario("F3", "F1")
def test_concurrent_attempts_after_a_saved_500_refund_once(shop: Shop) -> None:
    number = shop.a_paid_order()
    wish = refunds.create_refund(number, 1000, key="form-1")
    shop.stripe.emulator.inject_fault("request", "error_kept", match=REFUNDS)

    at_once(4, lambda _: refunds.submit_refund(wish, source="reconciler"))
    at_once(4, lambda _: refunds.submit_refund(wish, source="reconciler"))

    assert given_back(shop) == [1000]
    assert [(row.status, row.attempt) for row in shop.refunds()] == [("succeeded", 2)]


@pytest.mark.scenario("F3", "E6")
def test_a_new_key_is_not_used_where_the_first_refund_shows_after_all(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.inject_fault("request", "error_after", match=REFUNDS)
    with monkeypatch.context() as late:  # Stripe's list does not show it at once
        late.setattr(requests, "refunds", lambda **_of: iter(()))
        with pytest.raises(StripeUnreachable):
            refund(number, 1000)
    (row,) = shop.refunds()

    refunds.submit_refund(row, source="reconciler")

    assert row.attempt == 2
    assert given_back(shop) == [1000]
    assert [row.status for row in shop.refunds()] == ["succeeded"]


@pytest.mark.scenario("F3", "E6")
@pytest.mark.parametrize("days", [0, 2])
def test_a_refund_made_just_before_a_crash_is_found_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    number = shop.a_paid_order()
    wish = refunds.create_refund(number, 1000, key="form-1")
    with monkeypatch.context() as crash:
        crash.setattr(transitions, "apply_facts", dies)
        with pytest.raises(MemoryError):
            refunds.submit_refund(wish, source="operator")
    shop.stripe.emulator.move_clock(days * 86_400)  # Stripe forgets keys after a day
    later = clock.now() + timedelta(days=days)
    monkeypatch.setattr(clock, "now", lambda: later)

    refunds.submit_refund(wish, source="reconciler")

    assert given_back(shop) == [1000]
    assert shop.order(number).refunded_amount == 1000


def dies(*_: object, **__: object) -> None:
    raise MemoryError


@pytest.mark.scenario("F3")
def test_a_refund_that_was_only_written_down_is_sent_by_the_reconciler(shop: Shop) -> None:
    number = shop.a_paid_order()
    refunds.create_refund(number, 1000, key="form-1")

    results = at_once(3, lambda _: reconciler.reconcile_recent())

    assert all(isinstance(result, ReconcileResult) for result in results), results
    assert given_back(shop) == [1000]


# --- refunds Stripe tells us of -------------------------------------------------------------


@pytest.mark.scenario("F4")
def test_a_refund_made_in_stripes_dashboard_shows_here(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.refund(shop.payment_id(number), 1234)

    outcome = shop.deliver_latest("refund.created")

    assert outcome == "applied"
    assert shop.order(number).refunded_amount == 1234
    assert shop.history(number)[-1].source == "webhook"
    (row,) = shop.refunds()
    assert row.idempotency_key == f"stripe-{row.stripe_refund_id}"


@pytest.mark.scenario("F4")
def test_a_refund_of_a_foreign_payment_has_an_unknown_order(shop: Shop) -> None:
    foreign = shop.stripe.a_payment()
    shop.stripe.emulator.refund(foreign.id, 100)

    assert shop.deliver_latest("refund.created") == "unknown_order"
    assert shop.refunds() == []


@pytest.mark.scenario("F5")
def test_a_refund_that_fails_leaves_the_money_owed_again(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number, card="4000000000005126")  # refunds of this card succeed, then fail
    shop.deliver_latest("checkout.session.completed")
    refund(number)
    assert shop.order(number).status == "refunded"

    shop.stripe.emulator.move_clock(3600)
    shop.deliver_latest("refund.failed")

    assert shop.order(number).status == "paid"
    assert shop.order(number).refunded_amount == 0
    assert "failed" in shop.history(number)[-1].detail
    refunds.create_refund(number, None, key="form-2")  # it can be tried again


@pytest.mark.scenario("F5")
def test_a_pending_refund_counts_as_refunded(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number, card="4000000000007726")  # refunds of this card are pending first
    shop.deliver_latest("checkout.session.completed")
    refund(number)
    pending = [row.status for row in shop.refunds()]

    with pytest.raises(NothingToRefund):
        refund(number, 1, key="form-2")
    shop.stripe.emulator.move_clock(3600)
    reconciler.reconcile_recent()

    assert pending == ["pending"]
    assert [row.status for row in shop.refunds()] == ["succeeded"]
    assert shop.order(number).status == "refunded"


@pytest.mark.scenario("F6")
@pytest.mark.parametrize(("won", "end"), [(True, "paid"), (False, "disputed")])
def test_a_dispute_shows_until_it_is_won(shop: Shop, won: bool, end: str) -> None:
    number = shop.a_paid_order()
    dispute = shop.dispute(number)

    shop.deliver_latest("charge.dispute.created")
    disputed = shop.order(number).status
    shop.stripe.emulator.close_dispute(dispute, won=won)
    shop.deliver_latest("charge.dispute.closed")

    assert (disputed, shop.order(number).status) == ("disputed", end)
    assert len(shop.disputes()) == 1


@pytest.mark.scenario("F6")
def test_while_a_payment_is_disputed_nothing_is_refunded(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.dispute(number)
    shop.deliver_latest("charge.dispute.created")

    with pytest.raises(NothingToRefund):
        refund(number)

    assert (shop.refunds(), given_back(shop)) == ([], [])


@pytest.mark.scenario("F6")
def test_stripe_refuses_a_refund_of_a_payment_with_an_unknown_dispute(
    shop: Shop,
) -> None:
    number = shop.a_paid_order()
    shop.dispute(number)

    refund(number)

    assert given_back(shop) == []
    assert [row.status for row in shop.refunds()] == ["failed"]
    assert shop.order(number).refunded_amount == 0


@pytest.mark.scenario("F7")
def test_a_refund_event_before_our_own_call_returned_is_the_same_refund(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.a_paid_order()
    wish = refunds.create_refund(number, 1000, key="form-1")
    answer = requests.create_refund

    def told_before_it_returns(*given: Any) -> transport.Document:
        made = answer(*given)
        shop.deliver_latest("refund.created")
        return made

    monkeypatch.setattr(requests, "create_refund", told_before_it_returns)
    refunds.submit_refund(wish, source="operator")

    (row,) = shop.refunds()
    assert (row.id, row.status) == (wish.id, "succeeded")
    assert shop.inbox()[shop.event("refund.created")["id"]].outcome == "applied"
    assert shop.order(number).refunded_amount == 1000
    assert given_back(shop) == [1000]

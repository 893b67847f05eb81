"""How an order becomes paid: by webhook, redirect or look-up; early, late or twice."""

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlmodel import select

from store.core import clock
from store.core.errors import OrderNotFound, OtherOrderPaid
from store.db import engine as db
from store.db.models import Order
from store.orders import checkout, checkout_session, queries
from store.reconciliation import reconciler
from store.reconciliation.result import ReconcileResult
from store.reports import my_orders
from store.stripe_api import requests
from store.web import buyer_cookie
from store.webhooks import parsing, processing
from tests.support.shop import JEANS, Shop, at_once
from tests.support.waiting import wait_until

COMPLETED = "checkout.session.completed"
ROUNDS = 15


# --- which comes first ----------------------------------------------------------------------


@pytest.mark.scenario("C1")
def test_a_webhook_before_the_redirect_has_paid_already(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)

    assert shop.deliver_latest(COMPLETED) == "applied"
    asked = shop.stripe.emulator.request_log(1)[0].id
    checkout.refresh_order(shop.buyer, number)

    assert shop.log(number) == ["placed", "open", "paid"]
    assert shop.history(number)[-1].source == "webhook"
    assert shop.stripe.emulator.request_log(1)[0].id == asked, "nobody need ask Stripe any more"


@pytest.mark.scenario("C2")
def test_a_redirect_before_the_webhook_marks_paid_and_the_webhook_changes_nothing(
    shop: Shop,
) -> None:
    number = shop.an_open_order()
    shop.pay(number)

    checkout.refresh_order(shop.buyer, number)
    settled = shop.order(number)
    outcome = shop.deliver_latest(COMPLETED)

    assert outcome == "no_change"
    assert shop.order(number) == settled
    assert [line.source for line in shop.history(number)] == ["buyer", "buyer", "redirect"]


@pytest.mark.scenario("C3")
def test_webhook_and_redirect_at_the_same_moment_settle_once(shop: Shop) -> None:
    for _ in range(ROUNDS):
        number = shop.an_open_order()
        shop.pay(number)
        event = shop.event(COMPLETED)

        results = both_at_once(
            partial(shop.deliver, event), partial(checkout.refresh_order, shop.buyer, number)
        )

        assert [results[0].status_code, results[1]] == [200, None]
        assert shop.log(number).count("paid") == 1
        shop.buyer = buyer_cookie.buyer_hash(buyer_cookie.new_cookie())


def both_at_once(*acts: Callable[[], Any]) -> list[Any]:
    return at_once(len(acts), lambda place: acts[place]())


@pytest.mark.scenario("C4")
def test_a_webhook_before_our_own_create_call_returned_finds_its_order(shop: Shop) -> None:
    number = shop.place()
    order = shop.order(number)
    made = requests.create_checkout(order.checkout_parameters, order.idempotency_key)
    shop.stripe.pay(made["id"])

    outcome = shop.deliver_latest(COMPLETED)
    address = checkout.checkout_url(shop.buyer, number)

    assert outcome == "applied"
    assert address == f"/order?number={number}"
    assert (shop.order(number).status, len(shop.sessions())) == ("paid", 1)
    assert shop.log(number) == ["placed", "paid"]


@pytest.mark.scenario("C4")
def test_a_create_answer_received_after_the_payment_changes_nothing(
    shop: Shop,
) -> None:
    number = shop.place()
    order = shop.order(number)
    made = requests.create_checkout(order.checkout_parameters, order.idempotency_key)
    shop.stripe.pay(made["id"])
    shop.deliver_latest(COMPLETED)

    checkout_session.create_or_refresh_session(
        order, source="buyer"
    )  # as read before the payment: it asks once more

    assert shop.order(number).status == "paid"
    assert shop.log(number).count("paid") == 1


@pytest.mark.scenario("C4")
def test_a_session_from_a_replayed_answer_is_looked_up(shop: Shop) -> None:
    number = shop.place()
    order = shop.order(number)
    made = requests.create_checkout(order.checkout_parameters, order.idempotency_key)
    shop.stripe.pay(made["id"])  # and the process that asked has died before it wrote this down

    address = checkout.checkout_url(shop.buyer, number)

    assert address == f"/order?number={number}"
    assert (shop.order(number).status, len(shop.sessions())) == ("paid", 1)


# --- again and again ------------------------------------------------------------------------


@pytest.mark.scenario("C5")
def test_a_webhook_delivered_twice_pays_once(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    event = shop.event(COMPLETED)

    outcomes = [shop.outcome(event) for _ in range(2)]

    assert outcomes == ["applied", "duplicate"]
    assert shop.log(number) == ["placed", "open", "paid"]
    assert shop.inbox()[event["id"]].deliveries == 2


@pytest.mark.scenario("C5")
def test_a_webhook_delivered_many_times_in_parallel_pays_once(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    event = shop.event(COMPLETED)

    outcomes = at_once(8, lambda _: [shop.outcome(event) for _ in range(12)])

    everyone = sorted(outcome for mine in outcomes for outcome in mine)
    assert everyone == ["applied", *["duplicate"] * 95]
    assert shop.log(number).count("paid") == 1
    assert shop.inbox()[event["id"]].deliveries == 96


@pytest.mark.scenario("C5", "E7")
def test_two_webhook_workers_with_the_same_events_let_each_have_its_effect_once(
    shop: Shop,
) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.refund(shop.payment_id(number), 1000)
    events = [parsing.parse_event(event) for event in shop.events() if event["type"] in KINDS]

    def work(place: int) -> list[processing.Outcome]:
        batch = events if place % 2 else events[::-1]
        with db.unit_of_work() as session:
            return processing.record_events(session, batch, source="webhook")

    results = at_once(6, work)

    assert sum(outcome == "duplicate" for mine in results for outcome in mine) == 5 * len(events)
    assert all(row.deliveries == 6 for row in shop.inbox().values())
    assert [refund.amount for refund in shop.refunds()] == [1000]
    assert shop.order(number).refunded_amount == 1000


KINDS = frozenset(parsing.HANDLERS)


# --- in any order, at any time --------------------------------------------------------------


@pytest.mark.scenario("C6")
def test_a_refund_and_a_dispute_before_the_payment_they_are_about(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    payment = shop.stripe.intent_of(shop.session_id(number))
    shop.stripe.emulator.refund(payment.id, 500)
    dispute = shop.dispute(number)

    early = [
        *(shop.outcome(shop.event("refund.created")), shop.order(number).status),
        *(shop.outcome(shop.event("charge.dispute.created")), shop.order(number).status),
    ]
    shop.deliver_latest(COMPLETED)

    assert early == ["applied", "open", "applied", "open"]
    assert shop.order(number).status == "disputed"
    assert shop.order(number).refunded_amount == 500
    shop.stripe.emulator.close_dispute(dispute, won=True)
    shop.deliver_latest("charge.dispute.closed")
    assert shop.order(number).status == "partially_refunded"


@pytest.mark.scenario("C6")
def test_any_order_of_delivery_ends_like_a_fresh_look_up(shop: Shop) -> None:
    numbers = []
    for _ in range(2):
        number = shop.an_open_order()
        shop.pay(number)
        shop.stripe.emulator.refund(shop.payment_id(number), 700)
        shop.dispute(number)
        shop.buyer = buyer_cookie.buyer_hash(buyer_cookie.new_cookie())
        numbers.append(number)
    reported, asked = numbers
    payment = shop.payment_id(reported)
    about_told = [event for event in shop.events() if payment in str(event)]

    for event in reversed(about_told):
        shop.outcome(event)
        shop.outcome(event)
    reconciler.reconcile_recent()

    def state(number: str) -> tuple[Any, ...]:
        order = shop.order(number)
        return order.status, order.payment_status, order.checkout_status, order.refunded_amount

    assert state(reported) == state(asked) == ("disputed", "paid", "complete", 700)


@pytest.mark.scenario("C7")
def test_an_event_three_days_late_is_still_applied(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    event = shop.event(COMPLETED)
    later = clock.now() + timedelta(days=3)
    monkeypatch.setattr(clock, "now", lambda: later)

    answer = shop.deliver(event, at=later.timestamp())

    assert answer.json() == {"outcome": "applied"}
    assert shop.order(number).status == "paid"
    row = shop.inbox()[event["id"]]
    assert row.received_at - row.created_at > timedelta(days=2)


@pytest.mark.scenario("C8", "C18")
def test_undelivered_events_are_found_by_the_reconciler(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)

    reconciler.reconcile_recent()

    assert shop.order(number).status == "paid"
    assert shop.history(number)[-1].source == "reconciler"


@pytest.mark.scenario("C8")
def test_missed_events_go_through_the_same_inbox_and_are_not_counted_as_delivered(
    shop: Shop,
) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.refund(shop.payment_id(number), 500)
    event = shop.event("refund.created")

    first, second = reconciler.reconcile_recent(), reconciler.reconcile_recent()

    assert (first.refunds, second.events) == (0, 0)
    assert shop.order(number).status == "partially_refunded"
    assert shop.inbox()[event["id"]].deliveries == 0
    assert shop.outcome(event) == "duplicate"
    assert shop.inbox()[event["id"]].deliveries == 1


@pytest.mark.scenario("C8")
def test_two_reconcilers_at_once_only_repeat_known_facts(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    shop.stripe.emulator.refund(shop.payment_id(number), 500)

    results = at_once(3, lambda _: reconciler.reconcile_recent())

    assert all(isinstance(result, ReconcileResult) for result in results), results
    assert shop.order(number).status == "partially_refunded"
    assert [refund.amount for refund in shop.refunds()] == [500]
    assert shop.log(number).count("paid") == 1


@pytest.mark.scenario("C8", "E5")
def test_a_webhook_server_started_after_the_payment_marks_it_paid(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    stop = threading.Event()
    webhook_server = threading.Thread(target=reconciler.run_forever, args=(stop,))

    webhook_server.start()
    wait_until(lambda: shop.order(number).status == "paid")
    stop.set()
    webhook_server.join()

    assert shop.history(number)[-1].source == "reconciler"


@pytest.mark.scenario("C9")
def test_an_event_whose_order_appears_later_is_tried_again(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    event = shop.event(COMPLETED)
    hidden = hide(number)

    outcomes = [shop.outcome(event)]
    reveal(number, hidden)
    outcomes.append(shop.outcome(event))

    assert outcomes == ["unknown_order", "applied"]
    assert shop.order(number).status == "paid"
    assert shop.inbox()[event["id"]].deliveries == 2


@pytest.mark.scenario("C9")
def test_an_orphan_is_tried_again_by_the_reconciler_too(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    hidden = hide(number)
    event = shop.event(COMPLETED)
    assert shop.outcome(event) == "unknown_order"

    reveal(number, hidden)
    reconciler.reconcile_recent()

    assert shop.inbox()[event["id"]].outcome == "applied"
    assert shop.inbox()[event["id"]].order_id == shop.order(number).id
    assert shop.order(number).status == "paid"


def hide(number: str) -> str:
    """Let an order go by another number, as if its row were not there yet."""
    hidden = queries.new_number()
    rename(number, hidden)
    return hidden


def reveal(number: str, hidden: str) -> None:
    rename(hidden, number)


def rename(old: str, new: str) -> None:
    with db.unit_of_work() as session:
        order = session.exec(select(Order).where(Order.number == old)).one()
        order.number = new


# --- expiry, cancelling, paying all the same ------------------------------------------------


@pytest.mark.scenario("C10")
def test_an_expired_session_expires_its_order(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.stripe.emulator.move_clock(3 * 3600)

    assert shop.pay(number) == "invalid"
    outcome = shop.deliver_latest("checkout.session.expired")

    assert outcome == "applied"
    assert shop.order(number).status == "expired"
    assert shop.order(number).payment_status == "unpaid"


@pytest.mark.scenario("C10")
def test_when_cancelling_and_paying_race_the_order_follows_stripe(shop: Shop) -> None:
    for _ in range(8):
        number = shop.an_open_order()

        paid, cancel = both_at_once(
            partial(shop.pay, number), partial(checkout.cancel, shop.buyer, number)
        )
        reconciler.reconcile_recent()

        session = shop.stripe.client.v1.checkout.sessions.retrieve(shop.session_id(number))
        assert (paid == "succeeded") == (session.payment_status == "paid")
        assert shop.order(number).status == ("paid" if paid == "succeeded" else "canceled")
        assert isinstance(cancel, OtherOrderPaid) == (paid == "succeeded")
        shop.buyer = buyer_cookie.buyer_hash(buyer_cookie.new_cookie())


@pytest.mark.scenario("C11")
def test_a_cancelled_order_cannot_be_paid(shop: Shop) -> None:
    number = shop.an_open_order()

    checkout.cancel(shop.buyer, number)

    assert shop.pay(number) == "invalid"
    assert shop.order(number).status == "canceled"


@pytest.mark.scenario("C11")
def test_an_order_is_not_cancelled_before_stripe_has_expired_its_session(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)

    with pytest.raises(OtherOrderPaid):
        checkout.cancel(shop.buyer, number)

    assert shop.order(number).status == "paid"


@pytest.mark.scenario("C11")
def test_a_payment_of_a_cancelled_order_makes_it_paid_and_is_noted(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    completed = shop.event(COMPLETED)
    expired = completed | {"id": "evt_expired", "type": "checkout.session.expired"}
    expired["data"] = {
        "object": completed["data"]["object"] | {"status": "expired", "payment_status": "unpaid"}
    }
    request_cancellation(number)
    shop.outcome(expired)
    assert shop.order(number).status == "canceled"

    shop.outcome(completed)

    assert shop.order(number).status == "paid"
    assert "although it was canceled" in shop.history(number)[-1].detail


def request_cancellation(number: str) -> None:
    with db.unit_of_work() as session:
        order = session.exec(select(Order).where(Order.number == number)).one()
        order.cancel_requested_at = clock.now()


# --- payments that take days ----------------------------------------------------------------


@pytest.mark.scenario("C12")
def test_a_completed_checkout_that_is_unpaid_is_processing(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay_later(number)

    shop.deliver_latest(COMPLETED)

    order = shop.order(number)
    assert (order.status, order.payment_status, order.paid_at) == ("processing", "unpaid", None)


@pytest.mark.scenario("C13")
@pytest.mark.parametrize("late_first", [False, True], ids=["in order", "reordered"])
@pytest.mark.parametrize("succeeded", [True, False], ids=["succeeds", "fails"])
def test_a_bank_debit_ends_as_the_bank_says(shop: Shop, succeeded: bool, late_first: bool) -> None:
    number = shop.an_open_order()
    payment = shop.pay_later(number)
    shop.stripe.emulator.settle_debit(payment, succeeded)
    ending = f"checkout.session.async_payment_{'succeeded' if succeeded else 'failed'}"

    for kind in sorted([COMPLETED, ending], key=(ending, COMPLETED).index, reverse=not late_first):
        shop.deliver_latest(kind)

    assert shop.order(number).status == ("paid" if succeeded else "failed")


@pytest.mark.scenario("C13")
def test_a_bank_debit_that_failed_and_succeeded_is_what_stripe_says_now(shop: Shop) -> None:
    number = shop.an_open_order()
    payment = shop.pay_later(number)
    shop.stripe.emulator.settle_debit(payment, True)
    succeeded = shop.event("checkout.session.async_payment_succeeded")
    failed = succeeded | {"id": "evt_f", "type": "checkout.session.async_payment_failed"}
    failed["data"] = {"object": succeeded["data"]["object"] | {"payment_status": "unpaid"}}

    shop.outcome(failed)
    seen_failed = shop.order(number).status
    shop.outcome(succeeded)
    shop.outcome(failed | {"id": "evt_again"})

    assert (seen_failed, shop.order(number).status) == ("failed", "paid")


@pytest.mark.scenario("C13")
@pytest.mark.parametrize("succeeded", [True, False], ids=["succeeds", "fails"])
def test_a_bank_debit_ends_without_any_webhook(shop: Shop, succeeded: bool) -> None:
    number = shop.an_open_order()
    payment = shop.pay_later(number)
    reconciler.reconcile_recent()
    assert shop.order(number).status == "processing"

    shop.stripe.emulator.settle_debit(payment, succeeded)
    reconciler.reconcile_recent()

    assert shop.order(number).status == ("paid" if succeeded else "failed")


@pytest.mark.scenario("C13")
def test_after_a_failed_bank_debit_the_same_cart_can_be_bought(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.stripe.emulator.settle_debit(shop.pay_later(number), False)
    checkout.refresh_order(shop.buyer, number)

    again = shop.an_open_order()

    assert again != number
    assert shop.pay(again) == "succeeded"


# --- a second payment for one order ---------------------------------------------------------


@pytest.mark.scenario("C14")
def test_a_second_captured_payment_is_written_down_and_sent_back_once(shop: Shop) -> None:
    number = shop.a_paid_order()
    second = shop.pay_a_second_session(number)
    event = shop.event(COMPLETED)

    outcomes = [shop.outcome(event), shop.outcome(event | {"id": "evt_again"})]
    written_down = [(refund.status, refund.payment_intent_id) for refund in shop.refunds()]
    reconciler.reconcile_recent()
    reconciler.reconcile_recent()

    assert outcomes == ["applied", "no_change"]
    assert written_down == [("requested", second)]
    (given_back,) = shop.refunds_at_stripe()
    assert (given_back.payment_intent, given_back.amount) == (second, 3998)
    assert [refund.status for refund in shop.refunds()] == ["succeeded"]
    assert any(f"second payment {second}" in line.detail for line in shop.history(number))


@pytest.mark.scenario("C14")
def test_the_refund_of_a_second_payment_leaves_the_order_paid(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.pay_a_second_session(number)

    reconciler.reconcile_recent()
    shop.deliver_all()

    assert shop.order(number).status == "paid"
    assert shop.order(number).refunded_amount == 0
    assert len(shop.refunds()) == 1


@pytest.mark.scenario("C14", "F6")
@pytest.mark.parametrize("reported", [True, False], ids=["dispute reported", "not reported"])
def test_a_disputed_second_payment_goes_back_once_the_dispute_is_won(
    shop: Shop, reported: bool
) -> None:
    number = shop.a_paid_order()
    second = shop.pay_a_second_session(number)
    shop.deliver_latest(COMPLETED)
    dispute = shop.stripe.emulator.dispute(charge_of(shop, second), "duplicate")
    if reported:
        shop.deliver_latest("charge.dispute.created")
    reconciler.reconcile_recent(clock.now() + timedelta(minutes=1))
    meanwhile = [(row.status, row.stripe_refund_id) for row in shop.refunds()]

    shop.stripe.emulator.close_dispute(dispute["id"], won=True)
    shop.deliver_latest("charge.dispute.closed")
    reconciler.reconcile_recent()

    assert meanwhile == [("requested", None)]
    assert [row.status for row in shop.refunds()] == ["succeeded"]
    assert [refund.payment_intent for refund in shop.refunds_at_stripe()] == [second]


@pytest.mark.scenario("C14", "F6")
def test_a_second_payment_taken_by_a_dispute_is_not_refunded_again(shop: Shop) -> None:
    number = shop.a_paid_order()
    second = shop.pay_a_second_session(number)
    shop.deliver_latest(COMPLETED)
    dispute = shop.stripe.emulator.dispute(charge_of(shop, second), "duplicate")

    shop.stripe.emulator.close_dispute(dispute["id"], won=False)
    shop.deliver_all()
    reconciler.reconcile_recent()

    assert [row.status for row in shop.refunds()] == ["failed"]
    assert shop.refunds_at_stripe() == []


def charge_of(shop: Shop, payment: str) -> str:
    return str((shop.stripe.emulator.retrieve(payment) or {})["latest_charge"])


@pytest.mark.scenario("C14")
def test_two_reconcilers_at_once_send_a_second_payment_back_once(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.pay_a_second_session(number)
    shop.deliver_latest(COMPLETED)

    results = at_once(4, lambda _: reconciler.reconcile_recent())

    assert all(isinstance(result, ReconcileResult) for result in results), results
    assert len(shop.refunds_at_stripe()) == 1
    assert [refund.status for refund in shop.refunds()] == ["succeeded"]


@pytest.mark.scenario("C14")
def test_an_unpaid_second_session_causes_no_refund(shop: Shop) -> None:
    number = shop.a_paid_order()
    event = shop.event(COMPLETED)
    event["id"], event["data"]["object"]["id"] = "evt_other", "cs_test_other"
    event["data"]["object"]["payment_status"] = "unpaid"

    outcome = shop.outcome(event)

    assert outcome == "no_change"
    assert shop.refunds() == []
    assert shop.order(number).status == "paid"


# --- coming back ----------------------------------------------------------------------------


@pytest.mark.scenario("C15")
def test_coming_back_again_and_again_changes_nothing(shop: Shop) -> None:
    number = shop.a_paid_order()
    before, history = shop.order(number), shop.log(number)

    for _ in range(3):
        checkout.refresh_order(shop.buyer, number)
        assert checkout.checkout_url(shop.buyer, number) == f"/order?number={number}"

    assert shop.order(number) == before
    assert shop.log(number) == history


@pytest.mark.scenario("C16")
def test_coming_back_without_having_paid_leaves_the_order_open_to_pay(shop: Shop) -> None:
    number = shop.an_open_order()
    assert shop.pay(number, card="4000000000000002") == "declined"

    checkout.refresh_order(shop.buyer, number)

    view = shop.view(number)
    assert (view.status, view.is_payable, view.paid_at) == ("open", True, None)
    assert "/c/pay/" in checkout.checkout_url(shop.buyer, number)


@pytest.mark.scenario("C18", "E4")
def test_a_buyer_who_closed_the_tab_finds_the_paid_order_on_the_next_visit(shop: Shop) -> None:
    number = shop.an_open_order(JEANS)
    shop.pay(number)
    shop.deliver_latest(COMPLETED)

    with db.reading() as session:
        (mine,) = my_orders.newest_orders(session, shop.buyer)

    assert (mine.number, mine.status, mine.email) == (number, "paid", "ada@example.com")


# --- strangers ------------------------------------------------------------------------------


@pytest.mark.scenario("G1")
def test_a_stranger_cannot_see_or_settle_an_order_by_its_number(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    stranger = Shop(shop.stripe, shop.server)

    with pytest.raises(OrderNotFound):
        checkout.refresh_order(stranger.buyer, number)
    with pytest.raises(OrderNotFound):
        stranger.view(number)
    with pytest.raises(OrderNotFound):
        checkout.checkout_url(stranger.buyer, number)

    assert shop.order(number).status == "open"


@pytest.mark.scenario("G2")
def test_a_stranger_cannot_cancel_an_order(shop: Shop) -> None:
    number = shop.an_open_order()

    for somebody in (buyer_cookie.buyer_hash(buyer_cookie.new_cookie()), ""):
        with pytest.raises(OrderNotFound):
            checkout.cancel(somebody, number)

    assert shop.order(number).cancel_requested_at is None
    assert [session.status for session in shop.sessions()] == ["open"]


@pytest.mark.scenario("G1", "G2")
def test_an_unknown_order_and_a_strangers_answer_alike(shop: Shop) -> None:
    number = shop.an_open_order()
    stranger = buyer_cookie.buyer_hash(buyer_cookie.new_cookie())

    said = []
    for asked in (number, queries.new_number(), "", "' OR 1=1 --"):
        with pytest.raises(OrderNotFound) as refusal:
            checkout.checkout_url(stranger, asked)
        said.append((str(refusal.value), refusal.value.status))

    assert len(set(said)) == 1

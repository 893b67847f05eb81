"""The figures of charges and webhooks above an order, in words, and the alerts among them."""

from datetime import UTC, datetime

import pytest

from store.reports.charge_summary import ChargeSummary, of_order, refund_state
from store.reports.order_view import OrderView, RefundView
from store.reports.timeline import OrderEvents


@pytest.mark.parametrize(
    ("orders", "charges", "deliveries", "words"),
    [
        (0, 0, 0, "not charged, no webhook yet"),
        (1, 1, 1, "charged once, webhook received once"),
        (3, 1, 2, "1 charged once, webhook received twice"),
        (17, 13, 1520, "13 charged once each, webhook received 1,520 times"),
    ],
)
def test_charges_and_webhooks_are_summarised_in_words(
    orders: int, charges: int, deliveries: int, words: str
) -> None:
    summary = ChargeSummary(orders, charges, deliveries, 0)

    assert f"{summary.charges_text}, {summary.webhooks_text}" == words


NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def a_refund(status: str, *, payment: str = "pi_2", overdue: bool = False) -> RefundView:
    return RefundView(3998, status, "re_1", payment, NOON, True, 3998, overdue)


def an_order(*refunds: RefundView, status: str = "paid", reason: str | None = None) -> OrderView:
    return OrderView(
        number="TEST-TEST-TEST-TEST",
        status=status,
        currency="usd",
        total_amount=3998,
        refunded_amount=0,
        items=(),
        email=None,
        receipt_url=None,
        checkout_session_id="cs_test_1",
        payment_intent_id="pi_1",
        created_at=NOON,
        paid_at=NOON,
        is_payable=False,
        is_charged=True,
        review_reason=reason,
        refunds=refunds,
    )


NO_EVENTS = OrderEvents([], [])


@pytest.mark.parametrize(
    ("refunds", "where"),
    [
        ([a_refund("requested")], "owed"),
        ([a_refund("requested", overdue=True)], "overdue"),
        ([a_refund("succeeded"), a_refund("requested")], "owed"),
        ([a_refund("pending")], "pending"),
        ([a_refund("pending"), a_refund("requires_action")], "requires_action"),
        ([a_refund("failed"), a_refund("succeeded")], "returned"),
        ([a_refund("failed")], "taken"),
    ],
)
def test_the_money_of_a_second_payment_is_in_one_place(
    refunds: list[RefundView], where: str
) -> None:
    assert refund_state(refunds) == where


@pytest.mark.parametrize(
    ("status", "is_open", "refunded"), [("requested", True, 0), ("succeeded", False, 1)]
)
def test_a_second_payment_is_an_alert_until_it_is_back(
    status: str, refunded: int, *, is_open: bool
) -> None:
    summary = of_order(an_order(a_refund(status)), NO_EVENTS)

    assert (summary.charges, summary.charges_text) == (2, "charged twice")
    assert (summary.has_open_alert, summary.refunded_second_payments) == (is_open, refunded)


def test_two_refunds_of_one_second_payment_are_one_alert() -> None:
    summary = of_order(an_order(a_refund("failed"), a_refund("requested")), NO_EVENTS)

    assert [alert.detail for alert in summary.alerts] == ["pi_2"]


def test_each_second_payment_is_an_alert_of_its_own() -> None:
    order = an_order(a_refund("requested"), a_refund("requested", payment="pi_3"))

    summary = of_order(order, NO_EVENTS)

    assert (len(summary.alerts), summary.charges_text) == (2, "charged 3 times")


@pytest.mark.parametrize(
    ("reason", "detail"),
    [("amount $1.00 instead of $39.98",) * 2, (None, "what Stripe says does not fit")],
)
def test_an_order_under_review_is_an_alert_with_its_reason(reason: str | None, detail: str) -> None:
    (alert,) = of_order(an_order(status="review", reason=reason), NO_EVENTS).alerts

    assert (alert.cause, alert.detail, alert.resolved) == ("review", detail, False)


def test_an_ordinary_order_has_no_alert() -> None:
    summary = of_order(an_order(), NO_EVENTS)

    assert (summary.alerts, summary.has_open_alert, summary.charges_text) == (
        (),
        False,
        "charged once",
    )

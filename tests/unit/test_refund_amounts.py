"""How much of a payment can be refunded, and the amount an operator writes."""

import pytest

from store.backoffice import actions
from store.db.models import Refund
from store.orders.refunds import left_amount
from tests.support.order_facts import PAYMENT, an_order


@pytest.mark.parametrize(
    ("written", "language", "amount"),
    [
        ("10", "en", 1000),
        ("$10.50", "en", 1050),
        ("1,000.00", "en", 100_000),
        ("5,00", "de", 500),
        ("1.000,00 $", "de", 100_000),
        ("1 000,5", "fr", 100_050),
        ("5.5", "ja", 550),
    ],
)
def test_an_amount_is_read_as_the_operators_locale_writes_it(
    written: str, language: str, amount: int
) -> None:
    assert actions.refund_amount(written, "usd", 200_000, language) == amount


@pytest.mark.parametrize(
    ("written", "language", "message"),
    [
        ("", "en", "Write the amount in digits, like 19.99."),
        ("abc", "de", "Write the amount in digits, like 19,99."),
        ("1,0,0", "en", "Write the amount in digits, like 19.99."),
        ("1e3", "en", "Write the amount in digits, like 19.99."),
        ("NaN", "en", "Write the amount in digits, like 19.99."),
        ("-1", "en", "Write the amount in digits, like 19.99."),
        ("0", "en", "Write an amount above 0."),
        ("10.001", "en", "USD has no such small change: write it like 19.99."),
        ("39.99", "en", "That is more than the $39.98 that can be refunded."),
        ("39,99", "de", "That is more than the 39,98\xa0$ that can be refunded."),
    ],
)
def test_an_amount_that_cannot_be_refunded_says_exactly_why(
    written: str, language: str, message: str
) -> None:
    with pytest.raises(actions.InvalidAmount) as refused:
        actions.refund_amount(written, "usd", 3998, language)

    assert str(refused.value) == message


def a_refund(amount: int, status: str = "succeeded", payment: str = PAYMENT) -> Refund:
    return Refund(
        order_id=1,
        payment_intent_id=payment,
        amount=amount,
        status=status,
        idempotency_key=f"{payment}-{amount}",
    )


@pytest.mark.parametrize(
    ("refunds", "left"),
    [
        ([], 3998),
        ([a_refund(1000)], 2998),
        ([a_refund(1000), a_refund(2998)], 0),
        ([a_refund(1000, "requested")], 2998),
        ([a_refund(1000, "pending"), a_refund(500, "requires_action")], 2498),
        ([a_refund(1000, "failed"), a_refund(500, "canceled")], 3998),
        ([a_refund(1000, payment="pi_2")], 3998),
    ],
)
def test_what_can_be_refunded_is_what_was_paid_less_what_is_given_back(
    refunds: list[Refund], left: int
) -> None:
    order = an_order(payment_status="paid", payment_intent_id=PAYMENT)

    assert left_amount(order, refunds) == left


@pytest.mark.parametrize("payment_status", ["unpaid", "failed"])
def test_nothing_can_be_refunded_of_an_order_that_is_not_paid(payment_status: str) -> None:
    assert left_amount(an_order(payment_status=payment_status), []) == 0

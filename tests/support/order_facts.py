"""Facts about one order of $39.98, the lives of a payment made of them, and where they end."""

from collections.abc import Sequence
from typing import Any

from sqlmodel import Session

from store.orders.batch import OrderBatch, OrderState
from store.orders.stripe_facts import CheckoutFact, ClosedFact, DisputeFact, Fact, RefundFact
from store.orders.transitions import TRANSITIONS, update_status

NUMBER, SESSION, PAYMENT = "TEST-TEST-TEST-TEST", "cs_test_1", "pi_1"


State = tuple[object, ...]


def an_order(**facts_known: Any) -> OrderState:
    return OrderState(id=1, number=NUMBER, currency="usd", total_amount=3998, **facts_known)


def checkout(status: str, payment_status: str) -> CheckoutFact:
    return CheckoutFact(
        order_number=NUMBER,
        session_id=SESSION,
        status=status,
        payment_status=payment_status,
        amount=3998,
        currency="usd",
        livemode=False,
        payment_intent_id=PAYMENT if status == "complete" else None,
    )


def refund(status: str, amount: int = 1000, name: str = "re_1") -> RefundFact:
    return RefundFact(
        order_number=NUMBER,
        refund_id=name,
        payment_intent_id=PAYMENT,
        amount=amount,
        currency="usd",
        status=status,
        captured_amount=3998,
    )


def dispute(status: str) -> DisputeFact:
    return DisputeFact(
        order_number=NUMBER,
        dispute_id="dp_1",
        payment_intent_id=PAYMENT,
        amount=3998,
        currency="usd",
        livemode=False,
        status=status,
        captured_amount=3998,
    )


def after(reported: Sequence[Fact], order: OrderState | None = None) -> State:
    """Where an order ends to which these facts are applied one after the other."""
    order = order or an_order()
    ledger = OrderBatch(Session(), {NUMBER: order})
    for fact in reported:
        if TRANSITIONS[type(fact)](ledger, order, fact):
            update_status(ledger, order)
    return (
        order.status,
        order.checkout_status,
        order.payment_status,
        order.payment_intent_id,
        order.refunded_amount,
        order.paid_at is not None,
        sorted((row.stripe_refund_id, row.amount, row.status) for row in ledger.refunds),
        sorted((row.stripe_dispute_id, row.status) for row in ledger.disputes),
    )


PAID_BY_CARD: list[Fact] = [checkout("open", "unpaid"), checkout("complete", "paid")]
BY_BANK: list[Fact] = [checkout("open", "unpaid"), checkout("complete", "unpaid")]
REFUNDED: list[Fact] = [refund("pending"), refund("succeeded")]
DISPUTED: list[Fact] = [dispute("needs_response"), dispute("under_review")]


# Each life in the order in which it happens at Stripe, and the status it ends in.
LIVES: dict[str, tuple[list[Fact], str]] = {
    "paid": (PAID_BY_CARD, "paid"),
    "expired": ([checkout("open", "unpaid"), checkout("expired", "unpaid")], "expired"),
    "expired while it was paid": ([checkout("expired", "unpaid"), *PAID_BY_CARD], "paid"),
    "refused": ([ClosedFact(order_number=NUMBER, status="refused", reason="no")], "failed"),
    "by bank, on its way": (BY_BANK, "processing"),
    "by bank, arrived": ([*BY_BANK, checkout("complete", "paid")], "paid"),
    "by bank, failed": ([*BY_BANK, checkout("complete", "failed")], "failed"),
    "by bank, failed and arrived": (
        [*BY_BANK, checkout("complete", "failed"), checkout("complete", "paid")],
        "paid",
    ),
    "nothing to pay for something that costs money": (
        [checkout("open", "unpaid"), checkout("complete", "no_payment_required")],
        "review",
    ),
    "part of it back": ([*PAID_BY_CARD, *REFUNDED], "partially_refunded"),
    "all of it back": (
        [
            *PAID_BY_CARD,
            *REFUNDED,
            refund("pending", 2998, "re_2"),
            refund("succeeded", 2998, "re_2"),
        ],
        "refunded",
    ),
    "a refund that failed after it had succeeded": (
        [*PAID_BY_CARD, *REFUNDED, refund("failed")],
        "paid",
    ),
    "disputed": ([*PAID_BY_CARD, *DISPUTED], "disputed"),
    "disputed and lost": ([*PAID_BY_CARD, *DISPUTED, dispute("lost")], "disputed"),
    "disputed and won": ([*PAID_BY_CARD, *DISPUTED, dispute("won")], "paid"),
    "an inquiry that was closed": (
        [*PAID_BY_CARD, dispute("warning_needs_response"), dispute("warning_closed")],
        "paid",
    ),
    "refunded in part, then disputed and won": (
        [checkout("complete", "paid"), *REFUNDED, *DISPUTED, dispute("won")],
        "partially_refunded",
    ),
    "by bank, refunded, disputed": (
        [*BY_BANK[1:], checkout("complete", "paid"), *REFUNDED, *DISPUTED],
        "disputed",
    ),
}


PAID_FACT = checkout("complete", "paid")


def known_order() -> OrderState:
    known = {"checkout_session_id": SESSION, "payment_intent_id": PAYMENT}
    return an_order(**known, checkout_status="open", status="open")

"""How each kind of fact changes an order; the rules behind `orders.record`.

Every function answers with words for the order's log, and with none where the fact is old news.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlmodel import Session, SQLModel

from store import money, second_payments
from store.facts import (
    DISPUTE_RANK,
    PAYMENT_RANK,
    REFUND_RANK,
    SESSION_RANK,
    CheckoutFact,
    DisputeFact,
    Fact,
    ReceiptFact,
    RefundFact,
    RefusedFact,
)
from store.ledger import Ledger, OrderState
from store.models import Dispute, Refund

Row = TypeVar("Row", bound=SQLModel)
WRITABLE = 10**15  # more than this in minor units is no amount, and cannot be written as money
# What an order knows but its history does not repeat: an address opens what it leads to.
PRIVATE = frozenset(["email", "checkout_url", "receipt_url"])


def misfit(order: OrderState, fact: CheckoutFact) -> str | None:
    """Why a session cannot be the one this order asked for; None where everything fits."""
    if fact.livemode:
        return "a live-mode session"
    if fact.amount is not None and fact.amount != order.total_amount:
        sensible = abs(fact.amount) < WRITABLE
        told = money.text(fact.amount, order.currency) if sensible else "of no sense"
        return f"amount {told} instead of {money.text(order.total_amount, order.currency)}"
    if fact.currency is not None and fact.currency != order.currency:
        return f"currency {fact.currency} instead of {order.currency}"
    return None


def _learn_checkout(ledger: Ledger, order: OrderState, fact: CheckoutFact) -> list[str]:
    if order.checkout_session_id not in (None, fact.session_id):
        return second_payments.learn(ledger, order, fact)
    if reason := misfit(order, fact):
        return _fill(order, review_reason=reason)
    return [
        *_fill(order, checkout_session_id=fact.session_id),
        *_advance(order, "session_status", fact.status, SESSION_RANK),
        *_advance(order, "payment_status", fact.payment_status, PAYMENT_RANK),
        *_fill(
            order,
            checkout_url=fact.url,
            payment_intent_id=fact.payment_intent_id,
            email=fact.email,
            receipt_url=fact.receipt_url,
        ),
    ]


def _learn_refused(_ledger: Ledger, order: OrderState, fact: RefusedFact) -> list[str]:
    return _advance(order, "session_status", "refused", SESSION_RANK) and [fact.reason]


def _learn_receipt(_ledger: Ledger, order: OrderState, fact: ReceiptFact) -> list[str]:
    return _fill(order, receipt_url=fact.receipt_url)


def _learn_refund(ledger: Ledger, order: OrderState, fact: RefundFact) -> list[str]:
    refund = next(
        (
            refund
            for refund in ledger.refunds_of(order)
            if refund.stripe_refund_id == fact.refund_id
            or (refund.is_unsent and refund.idempotency_key == fact.key)
        ),
        None,
    ) or second_payments.adopted_by(ledger, order, fact)
    if refund is None:
        refund = Refund(
            order_id=order.id,
            payment_intent_id=fact.payment_intent_id,
            amount=fact.amount,
            idempotency_key=f"stripe-{fact.refund_id}",
        )
        _add(ledger.session, ledger.refunds, refund)
    news = [
        *_fill(refund, stripe_refund_id=fact.refund_id),
        *_advance(refund, "status", fact.status, REFUND_RANK),
    ]
    if not news:
        return []
    amount = money.text(fact.amount, order.currency)
    return [
        f"refund {fact.refund_id} of {amount}: {refund.status}",
        *second_payments.settle(ledger, order, fact.payment_intent_id),
    ]


def _learn_dispute(ledger: Ledger, order: OrderState, fact: DisputeFact) -> list[str]:
    dispute = next(
        (
            dispute
            for dispute in ledger.disputes_of(order)
            if dispute.stripe_dispute_id == fact.dispute_id
        ),
        None,
    )
    if dispute is None:
        dispute = Dispute(
            order_id=order.id,
            payment_intent_id=fact.payment_intent_id,
            amount=fact.amount,
            status=fact.status,
            reason=fact.reason,
            stripe_dispute_id=fact.dispute_id,
        )
        _add(ledger.session, ledger.disputes, dispute)
    elif not _advance(dispute, "status", fact.status, DISPUTE_RANK):
        return []
    amount = money.text(fact.amount, order.currency)
    return [
        f"dispute {fact.dispute_id} of {amount}: {fact.status}",
        *second_payments.settle(ledger, order, fact.payment_intent_id),
    ]


LEARN: dict[type[Fact], Callable[[Ledger, OrderState, Any], list[str]]] = {
    CheckoutFact: _learn_checkout,
    RefusedFact: _learn_refused,
    ReceiptFact: _learn_receipt,
    RefundFact: _learn_refund,
    DisputeFact: _learn_dispute,
}


def _advance(row: OrderState | SQLModel, name: str, value: str, rank: dict[str, int]) -> list[str]:
    """Move a ranked column forward, never back; a word that Stripe may invent later is no news."""
    if rank.get(value, -1) <= rank.get(getattr(row, name), -1):
        return []
    setattr(row, name, value)
    return [f"{name.replace('_', ' ')} {value}"]


def _fill(row: OrderState | SQLModel, **values: str | None) -> list[str]:
    """Set what is not known yet; the first saying stays."""
    news = []
    for name, value in values.items():
        if value is not None and getattr(row, name) is None:
            setattr(row, name, value)
            news.append(name.replace("_", " ") + (" known" if name in PRIVATE else f" {value}"))
    return news


def _add(session: Session, rows: list[Row], row: Row) -> None:
    session.add(row)
    rows.append(row)

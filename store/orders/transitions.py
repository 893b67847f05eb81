"""How each kind of fact changes an order: `apply_facts`, the only way facts enter."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, SQLModel, col, select

from store.core.order_status import OrderStatus
from store.db.models import MAX_LISTED, Dispute, HistoryEntry, Refund
from store.orders import fact_checks, second_payments, status_rules
from store.orders.batch import OrderBatch, OrderState, lock_orders, note_inactive_products
from store.orders.history import Action, Change, Source
from store.orders.status_rules import DISPUTE_RANK, PAID, PAYMENT_RANK, REFUND_RANK, SESSION_RANK
from store.orders.stripe_facts import (
    CheckoutFact,
    ClosedFact,
    DisputeFact,
    DoubtFact,
    Fact,
    FailedAttemptFact,
    MoneyBackFact,
    ReceiptFact,
    RefundFact,
)

# The history names these columns without their values: an address gives access.
PRIVATE = frozenset(["email", "checkout_url", "receipt_url"])


@dataclass(frozen=True)
class Applied:
    """The effect of one fact; `order_id` is None if no such order exists."""

    order_id: int | None
    changed: bool


def apply_facts(
    session: Session, facts: Sequence[Fact], *, source: Source, batch: OrderBatch | None = None
) -> list[Applied]:
    """Apply what Stripe reported to the orders concerned and recompute their status.

    Idempotent and independent of order: a known or outdated fact changes nothing and adds no
    history entry. Returns one `Applied` per fact. Pass `batch` if the orders are locked already.

    If the process dies anywhere in here, the transaction is rolled back and no fact has had any
    effect; its sender reports it again. Of two transactions about one order, the second waits in
    `lock_orders` and then applies its facts to what the first has written.
    """
    batch = batch or lock_orders(session, {fact.order_number for fact in facts})
    unpaid = [order for order in batch.orders.values() if order.payment_status not in PAID]
    applied = [_apply_fact(batch, fact, source) for fact in facts]
    paid_ids = [order.id for order in unpaid if order.payment_status in PAID]
    note_inactive_products(batch, paid_ids, source)
    batch.save()
    return applied


def _apply_fact(batch: OrderBatch, fact: Fact, source: Source) -> Applied:
    order = batch.orders.get(fact.order_number)
    if order is None:
        return Applied(None, changed=False)
    changes = TRANSITIONS[type(fact)](batch, order, fact)
    if fact.note:
        changes = [*changes, {"text": fact.note}]
    if changes:
        before = order.status
        update_status(batch, order)
        if before in OrderStatus.UNPAID_FINAL and order.payment_status in PAID:
            changes = [*changes, {"paid_although": before}]
        action: str = order.status if order.status != before else Action.NOTED
        if isinstance(fact, FailedAttemptFact):
            action = Action.ATTEMPT_FAILED
        batch.log(order.id, source, action, changes, origin=fact.origin, call=fact.call)
    return Applied(order.id, changed=bool(changes))


def update_status(batch: OrderBatch, order: OrderState) -> None:
    """Recompute the columns that follow from the facts: refunded amount, `paid_at` and status."""
    refunded = status_rules.refunded_amount(order.payment_intent_id, batch.refunds_of(order))
    order.refunded_amount = min(order.total_amount, refunded)
    if order.payment_status in PAID and order.paid_at is None:
        order.paid_at = batch.at
    order.status = status_rules.status_of(order, batch.disputes_of(order)).value


def _apply_checkout(batch: OrderBatch, order: OrderState, fact: CheckoutFact) -> list[Change]:
    if order.checkout_session_id not in (None, fact.session_id):
        if fact_checks.is_new_second_payment(batch, order, fact) and (
            reason := fact_checks.second_payment_mismatch(order, fact)
        ):
            return _fill_once(order, refund_review_reason=reason)
        return second_payments.record(batch, order, fact)
    if reason := fact_checks.mismatch(order, fact):
        return _fill_once(order, review_reason=reason)
    return [
        *_fill_once(order, checkout_session_id=fact.session_id),
        *_raise_rank(order, "checkout_status", fact.status or "", SESSION_RANK),
        *_raise_rank(order, "payment_status", fact.payment_status, PAYMENT_RANK),
        *_fill_once(
            order,
            checkout_url=fact.url,
            payment_intent_id=fact.payment_intent_id,
            email=fact.email,
            receipt_url=fact.receipt_url,
        ),
    ]


def _apply_closed(_batch: OrderBatch, order: OrderState, fact: ClosedFact) -> list[Change]:
    changed = _raise_rank(order, "checkout_status", fact.status, SESSION_RANK)
    return [{"text": fact.reason}] if changed else []


def _apply_doubt(_batch: OrderBatch, order: OrderState, fact: DoubtFact) -> list[Change]:
    if fact.about == "checkout":
        return _fill_once(order, review_reason=fact.reason)
    return _fill_once(order, refund_review_reason=fact.reason)


def _apply_receipt(_batch: OrderBatch, order: OrderState, fact: ReceiptFact) -> list[Change]:
    """Store the receipt of the order's own charge; a second payment's receipt is ignored."""
    is_own = fact_checks.is_own_charge(order, fact)
    return _fill_once(order, receipt_url=fact.receipt_url) if is_own else []


def _apply_failed_attempt(
    batch: OrderBatch, order: OrderState, fact: FailedAttemptFact
) -> list[Change]:
    """The reason of the attempt, if it is not in the history yet; changes nothing else.

    An event that does not fit the order is ignored: no money is at stake. Attempts after the first
    `MAX_LISTED` are not listed, because anybody with the address of a checkout can fail there as
    often as Stripe permits.
    """
    if not fact_checks.is_own_charge(order, fact):
        return []
    listed = _listed_attempts(batch, order)
    is_listed = fact.attempt in listed or len(listed) >= MAX_LISTED
    return [] if is_listed else [{"text": fact.message}]


def _listed_attempts(batch: OrderBatch, order: OrderState) -> set[str]:
    """The failed attempts in this order's history, those of the same batch included."""
    rows = batch.session.exec(
        select(HistoryEntry.payload).where(
            col(HistoryEntry.order_id) == order.id,
            col(HistoryEntry.action) == Action.ATTEMPT_FAILED,
        )
    ).all()
    unsaved = [
        line["payload"]
        for line in batch.log_rows
        if line["order_id"] == order.id and line["action"] == Action.ATTEMPT_FAILED
    ]
    return {json.loads(payload)["call"]["attempt"] for payload in (*rows, *unsaved)}


def _apply_refund(batch: OrderBatch, order: OrderState, fact: RefundFact) -> list[Change]:
    if reason := fact_checks.refund_mismatch(batch, order, fact):
        return _fill_once(order, refund_review_reason=reason)
    known = (
        refund
        for refund in batch.refunds_of(order)
        if refund.stripe_refund_id == fact.refund_id
        or (refund.is_unsent and refund.idempotency_key == fact.key)
    )
    refund = next(known, None) or second_payments.matching_unsent_refund(batch, order, fact)
    if refund is None:
        refund = Refund(
            order_id=order.id,
            payment_intent_id=fact.payment_intent_id,
            amount=fact.amount,
            idempotency_key=f"stripe-{fact.refund_id}",
        )
        batch.session.add(refund)
        batch.refunds.append(refund)
    changes = [
        *_fill_once(refund, stripe_refund_id=fact.refund_id),
        *_raise_rank(refund, "status", fact.status, REFUND_RANK),
    ]
    if not changes:
        return []
    return _money_back(batch, order, fact, {"refund": fact.refund_id}, refund.status)


def _apply_dispute(batch: OrderBatch, order: OrderState, fact: DisputeFact) -> list[Change]:
    if reason := fact_checks.refund_mismatch(batch, order, fact):
        return _fill_once(order, refund_review_reason=reason)
    known = (row for row in batch.disputes_of(order) if row.stripe_dispute_id == fact.dispute_id)
    if dispute := next(known, None):
        if not _raise_rank(dispute, "status", fact.status, DISPUTE_RANK):
            return []
    else:
        dispute = Dispute(
            order_id=order.id,
            payment_intent_id=fact.payment_intent_id,
            amount=fact.amount,
            status=fact.status,
            reason=fact.reason,
            stripe_dispute_id=fact.dispute_id,
        )
        batch.session.add(dispute)
        batch.disputes.append(dispute)
    return _money_back(batch, order, fact, {"dispute": fact.dispute_id}, fact.status)


def _money_back(
    batch: OrderBatch, order: OrderState, fact: MoneyBackFact, named: Change, status: str
) -> list[Change]:
    """The change of a refund or dispute, and of what is owed of a second payment after it."""
    change = {**named, "amount": fact.amount, "currency": order.currency, "status": status}
    return [change, *second_payments.update_owed_refund(batch, order, fact.payment_intent_id)]


TRANSITIONS: dict[type[Fact], Callable[[OrderBatch, OrderState, Any], list[Change]]] = {
    CheckoutFact: _apply_checkout,
    ClosedFact: _apply_closed,
    DoubtFact: _apply_doubt,
    ReceiptFact: _apply_receipt,
    RefundFact: _apply_refund,
    DisputeFact: _apply_dispute,
    FailedAttemptFact: _apply_failed_attempt,
}


def _raise_rank(
    row: OrderState | SQLModel, name: str, value: str, rank: dict[str, int]
) -> list[Change]:
    """Move a ranked column forward, never back; states without a rank change nothing."""
    if rank.get(value, -1) <= rank.get(getattr(row, name), -1):
        return []
    setattr(row, name, value)
    return [{name: value}]


def _fill_once(row: OrderState | SQLModel, **values: str | None) -> list[Change]:
    """Set columns that are still None; the first value stays."""
    changes: list[Change] = []
    for name, value in values.items():
        if value is not None and getattr(row, name) is None:
            setattr(row, name, value)
            changes.append({"known": name} if name in PRIVATE else {name: value})
    return changes

"""Refunds: written as a row first, then created at Stripe under the row's own key.

A `requested` row is owed until Stripe accepts the refund, until it becomes impossible (more than is
left of the payment, or a payment that the bank disputes), or until an operator cancels it.

If the process dies before the row is committed, nothing happened. Before, during or after the call:
the row stays `requested`, and the reconciler retries under the same key. Two at once: the order is
locked while the remaining amount is computed, so refunds never exceed what was paid.

If Stripe refuses, its refunds and disputes of the payment are retrieved and recorded; they decide
whether the refund is still owed. If so, the row's attempt number rises: the next attempt has a key
of its own and searches Stripe's list first; pauses between attempts grow to a day. The same happens
without a pause if Stripe saved a failure under the key. If the process dies before that commit, the
same refusal happens again; after it, the next pass continues from there. Of two at once, only one
raises the attempt number, and both send the same key.

An unreadable response proves nothing, neither that a refund was made nor that none was: the row
stays as it is and keeps its key. The same holds if the row's refund is not in Stripe's list, as
long as anything in that list cannot be read.
"""

from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import timedelta

from sqlmodel import Session, col, or_, select

from store.core import clock
from store.core.errors import (
    NothingToRefund,
    OrderNotFound,
    RefundChanged,
    StoreError,
    StripeBusy,
    StripeError,
    StripeRefused,
    StripeUncertain,
    StripeUnreachable,
)
from store.core.order_status import OrderStatus
from store.db import engine as db
from store.db.models import UNFINISHED_REFUNDS, Dispute, Order, Refund
from store.orders import history, second_payments, transitions
from store.orders.batch import OrderBatch, OrderState, lock_orders
from store.orders.history import Action, Change, Source
from store.orders.status_rules import DISPUTE_DECIDED, DISPUTE_HARMLESS, PAID, REFUND_VOID
from store.orders.stripe_facts import Fact, RefundFact, of_dispute, of_refund, reading_answer
from store.stripe_api import requests, transport

FIRST_PAUSE, MAX_PAUSE = timedelta(minutes=1), timedelta(days=1)


def create_refund(
    order_number: str,
    amount: int | None,
    *,
    key: str,
    displayed_remaining: int | None = None,
    operator: str = "",
    reason: str = "",
) -> Refund:
    """Write a refund of `amount` (everything that is left if None); `submit_refund` sends it.

    `key` identifies the intention: a form submitted twice has the same key and is one refund; two
    intended refunds of the same amount have two. `displayed_remaining` is the amount that the form
    showed as refundable, so that nobody refunds what somebody else has just refunded. `reason` is
    stored for operators only.

    Raises:
        OrderNotFound
        NothingToRefund: the order is not paid, is disputed, or less than that is left.
        RefundChanged: another amount is left than the form showed.
    """
    with db.unit_of_work() as session:
        batch = lock_orders(session, [order_number])
        order = batch.order(order_number)
        refunds = batch.refunds_of(order)
        existing = next((row for row in refunds if row.idempotency_key == key), None)
        if existing:
            return existing
        wanted = _wanted_amount(order, refunds, amount, displayed_remaining)
        refund = _refund_row(order, wanted, key)
        session.add(refund)
        requested = {"amount": wanted, "currency": order.currency, "operator": operator}
        history.log(session, order, "operator", Action.REFUND_REQUESTED, requested)
        if reason:
            history.log(session, order, "operator", Action.REFUND_REASON, {"text": reason})
        session.flush()
        return refund


def _wanted_amount(
    order: OrderState,
    refunds: Iterable[Refund],
    amount: int | None,
    displayed_remaining: int | None,
) -> int:
    """The amount to refund; raises as `create_refund` if it cannot be."""
    left = left_amount(order, refunds)
    if displayed_remaining is not None and displayed_remaining != left:
        raise RefundChanged
    wanted = left if amount is None else amount
    is_disputed = order.status == OrderStatus.DISPUTED
    if is_disputed or not 0 < wanted <= left or not order.payment_intent_id:
        raise NothingToRefund
    return wanted


def _refund_row(order: OrderState, amount: int, key: str) -> Refund:
    assert order.payment_intent_id  # see `_wanted_amount`
    return Refund(
        order_id=order.id,
        payment_intent_id=order.payment_intent_id,
        amount=amount,
        reason="requested_by_customer",
        idempotency_key=key,
    )


def left_amount(order: Order | OrderState, refunds: Iterable[Refund]) -> int:
    """The amount of the order's own payment that can still be refunded."""
    if order.payment_status not in PAID:
        return 0
    return order.total_amount - sum(
        refund.amount
        for refund in refunds
        if refund.payment_intent_id == order.payment_intent_id and refund.status not in REFUND_VOID
    )


def submit_refund(refund: Refund, *, source: Source) -> None:
    """Create a written refund at Stripe and record the response.

    Raises:
        OrderNotFound: the refund does not exist any more.
        StripeRefused: not now, but it is still owed; the reconciler retries after a pause.
        StripeError: no response; the row keeps its key and the reconciler retries.
    """
    with db.reading() as session:
        row = session.get(Refund, refund.id)
        order = session.get(Order, row.order_id) if row else None
    if row is None or order is None:
        raise OrderNotFound
    if not row.is_unsent:
        return
    try:
        _submit(row, order.number, source)
    except StripeRefused:
        raise  # its pause is recorded
    except Exception as error:
        _try_after_others(row, order.number, error, source)
        raise


def _submit(refund: Refund, order_number: str, source: Source) -> None:
    try:
        made = _find_existing(refund) or _create_at_stripe(refund, order_number)
    except StripeRefused as refused:
        if _still_owed(refund, order_number, refused, source):
            raise
        return
    except StripeUncertain as uncertain:
        listed = _find_by_key(refund) if uncertain.replayed else None
        if listed is None:
            if uncertain.replayed:
                _use_new_key(refund, order_number, uncertain, source)
            raise
        made = listed  # the failure that Stripe saved hid that the refund was made
    fact = _fact(made, order_number, "refund created")
    with db.unit_of_work() as session:
        transitions.apply_facts(session, [fact], source=source)


def _create_at_stripe(refund: Refund, order_number: str) -> transport.Document:
    """Create the refund under this attempt's key; its `refund_key` is the same in each attempt."""
    key = refund.idempotency_key
    return requests.create_refund(
        refund.payment_intent_id,
        refund.amount,
        {"order_number": order_number, "refund_key": key},
        key if refund.attempt == 1 else f"{key}/{refund.attempt}",
    )


def _find_existing(refund: Refund) -> transport.Document | None:
    """The refund an earlier attempt made, once the first key can no longer prevent a second."""
    is_first = (
        refund.attempt == 1 and clock.now() < refund.created_at + transport.IDEMPOTENCY_KEY_TTL
    )
    return None if is_first else _find_by_key(refund)


def _find_by_key(refund: Refund) -> transport.Document | None:
    """The refund in Stripe's list, known by the key in its metadata.

    StripeUncertain if it is not there, but the list holds something that cannot be read.
    """
    unreadable: StripeUncertain | None = None
    for listed in requests.refunds(payment_intent=refund.payment_intent_id):
        try:
            if _fact(listed, "", "listed at Stripe").key == refund.idempotency_key:
                return listed
        except StripeUncertain as error:
            unreadable = error
    if unreadable:
        raise unreadable
    return None


@reading_answer()
def _fact(refund: transport.Document, order_number: str, origin: str) -> RefundFact:
    """The fact in an answer about a refund; StripeUncertain if it is none."""
    return of_refund(refund, order_number, origin=origin)


def _still_owed(refund: Refund, order_number: str, refused: StripeRefused, source: Source) -> bool:
    """Record Stripe's refunds and disputes of a payment whose refund it refused.

    Returns whether this refund is still owed; it is then retried under another key.
    """
    facts = _facts_at_stripe(refund.payment_intent_id, order_number)
    with db.unit_of_work() as session:
        batch = lock_orders(session, [order_number])
        transitions.apply_facts(session, facts, source=source, batch=batch)
        row = session.get(Refund, refund.id)
        if row is None or not row.is_unsent or row.attempt != refund.attempt:
            return row is not None and row.is_unsent
        order = batch.order(order_number)
        if row.reason == second_payments.REASON:
            closed = second_payments.update_owed_refund(batch, order, row.payment_intent_id)
        else:
            closed = _fail_if_impossible(batch, order, row)
        refusal = f"Stripe refused it: {refused.code}" if refused.code else "Stripe refused it"
        if row.is_unsent:
            _postpone(batch, row)
        if closed or row.refusal != refusal:
            changes = [{"text": refusal}, *closed]
            history.log(session, order, source, Action.REFUND_REFUSED, *changes, call=refused.call)
        row.refusal = refusal
        return row.is_unsent


def _facts_at_stripe(payment_id: str, order_number: str) -> list[Fact]:
    """Every refund and dispute of a payment, as facts; none if Stripe does not know it."""
    try:
        refunds = list(requests.refunds(payment_intent=payment_id))
        disputes = list(requests.disputes(payment_intent=payment_id))
    except StripeRefused:
        return []
    origin = "looked up after a refusal"
    facts: list[Fact] = [_fact(refund, order_number, origin) for refund in refunds]
    with reading_answer():
        facts += [of_dispute(dispute, order_number, origin=origin) for dispute in disputes]
    return facts


def _fail_if_impossible(batch: OrderBatch, order: OrderState, row: Refund) -> list[Change]:
    """Mark a refund `failed` if no retry can succeed, so that its amount is refundable again."""
    others = [other for other in batch.refunds_of(order) if other is not row]
    is_disputed = _is_disputed(batch.session, row, settled=DISPUTE_HARMLESS)
    if row.amount <= left_amount(order, others) and not is_disputed:
        return []
    row.status = "failed"
    return [{"text": "the bank disputes this payment" if is_disputed else "less than that is left"}]


def _postpone(batch: OrderBatch, row: Refund) -> None:
    """Delay the next attempt, longer after each; not during a dispute, whose end decides it."""
    pause = min(FIRST_PAUSE * 2 ** min(row.attempt - 1, 20), MAX_PAUSE)
    row.next_try_at = None if _is_disputed(batch.session, row) else batch.at + pause
    row.attempt += 1


def _use_new_key(refund: Refund, order_number: str, failed: StripeError, source: Source) -> None:
    """Raise the attempt number: Stripe repeats the saved failure under this key for a day."""
    with suppress(NothingToRefund), db.unit_of_work() as session:
        order, row = _owed(session, order_number, refund.id)
        if row.attempt != refund.attempt:
            return
        row.attempt += 1
        if row.attempt == 2:  # only the first failure is logged
            said = {"text": "Stripe failed and made no refund; asking again under a new key"}
            history.log(session, order, source, Action.REFUND_FAILED, said, call=failed.call)


def _try_after_others(refund: Refund, order_number: str, error: Exception, source: Source) -> None:
    """Try all other refunds before this one is tried again; no attempt is counted.

    An unreachable or busy Stripe says nothing about this refund; another error of Stripe's is
    written to the history, the first time.
    """
    with suppress(StoreError), db.unit_of_work() as session:
        order, row = _owed(session, order_number, refund.id)
        row.next_try_at = clock.now()
        if isinstance(error, StripeUnreachable | StripeBusy) or row.refusal is not None:
            return
        if isinstance(error, StripeError):
            row.refusal = "Stripe does not allow it"
            detail = {"text": f"{row.refusal}: {error.for_operator}"}
            history.log(session, order, source, Action.REFUND_REFUSED, detail)


def pending_refunds(session: Session) -> list[Refund]:
    """Refunds to be created at Stripe now: untried ones first, then by when they are due.

    A disputed second payment is refunded once the dispute is won; if it is lost, the bank has taken
    the money.
    """
    due = or_(col(Refund.next_try_at).is_(None), col(Refund.next_try_at) <= clock.now())
    rows = session.exec(
        select(Refund)
        .where(UNFINISHED_REFUNDS, col(Refund.status) == "requested", due)
        .order_by(col(Refund.next_try_at).is_not(None), col(Refund.next_try_at), col(Refund.id))
    )
    return [
        refund
        for refund in rows.all()
        if refund.reason != second_payments.REASON or not _is_disputed(session, refund)
    ]


def _is_disputed(
    session: Session, refund: Refund, *, settled: Collection[str] = DISPUTE_DECIDED
) -> bool:
    """Whether a dispute about this payment is recorded whose status is none of the settled ones."""
    disputes = session.exec(
        select(Dispute).where(
            col(Dispute.order_id) == refund.order_id,
            col(Dispute.payment_intent_id) == refund.payment_intent_id,
        )
    )
    return any(dispute.status not in settled for dispute in disputes)


def overdue(session: Session) -> list[tuple[Refund, Order]]:
    """Refunds that need an operator, with their orders, oldest first.

    Stripe has refused them, has not answered for 15 minutes, or waits for the buyer.
    """
    rows = session.exec(select(Refund).where(UNFINISHED_REFUNDS).order_by(col(Refund.id)))
    late = [refund for refund in rows if refund.is_overdue]
    ids = {refund.order_id for refund in late}
    orders = {row.id: row for row in session.exec(select(Order).where(col(Order.id).in_(ids)))}
    return [(refund, orders[refund.order_id]) for refund in late]


def retry_refund(order_number: str, refund_id: int, operator: str) -> None:
    """Create an owed refund at Stripe at once, without waiting for the end of its pause.

    Raises:
        OrderNotFound: this order has no such refund.
        NothingToRefund: it is not owed any more.
        StripeError: as `submit_refund`.
    """
    with db.unit_of_work() as session:
        order, row = _owed(session, order_number, refund_id)
        row.next_try_at = None
        history.log(session, order, "operator", Action.REFUND_RETRIED, {"operator": operator})
    submit_refund(row, source="operator")


def cancel_refund(order_number: str, refund_id: int, operator: str) -> None:
    """Cancel a refund that Stripe has not accepted, so that its amount is refundable again.

    Stripe's list is searched first for the refund. A request that is under way at this moment may
    still succeed; that refund then becomes a row of its own.

    Raises:
        OrderNotFound: this order has no such refund.
        NothingToRefund: it is not owed any more, or refunds a second payment, which stays owed.
        StripeError: Stripe's list cannot be read; nothing was changed.
    """
    with db.unit_of_work() as session:
        _, row = _owed(session, order_number, refund_id)
    if row.reason == second_payments.REASON:
        raise NothingToRefund("A second payment is owed until it is back; it cannot be called off.")
    if listed := _find_by_key(row):
        fact = _fact(listed, order_number, "looked up at Stripe")
        with db.unit_of_work() as session:
            transitions.apply_facts(session, [fact], source="operator")
        raise NothingToRefund("Stripe has made this refund already.")
    with db.unit_of_work() as session:
        order, row = _owed(session, order_number, refund_id)
        row.status = "canceled"
        canceled = {"amount": row.amount, "currency": order.currency, "operator": operator}
        history.log(session, order, "operator", Action.REFUND_CANCELED, canceled)


def _owed(session: Session, order_number: str, refund_id: int | None) -> tuple[OrderState, Refund]:
    """A locked order, and one of its refunds that Stripe has not accepted."""
    order = lock_orders(session, [order_number]).order(order_number)
    row = session.get(Refund, refund_id)
    if row is None or row.order_id != order.id:
        raise OrderNotFound
    if not row.is_unsent:
        raise NothingToRefund("This refund is not waiting any more. Look at its state.")
    return order, row

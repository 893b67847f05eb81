"""Refunds: written down first, then asked of Stripe under the row's own key.

A row that is `requested` is owed until Stripe takes the refund on, or until it can never be: more
than is left of the payment, a payment that the bank disputes, a wish its operator has called off.

Dead before the row is committed: nothing happened. Dead before, during or after the call: the
row stays `requested`, and the reconciler asks again under the same key. Two at once: the order
is locked while what is left is counted, so that intentions never exceed what was paid.

Where Stripe refuses, what it knows of the payment is looked up and recorded; that decides whether
the refund is owed still. If so, the row goes on to its next attempt, which has a key of its own
and looks into Stripe's list first; the pauses between attempts grow to a day. The same where
Stripe saved a failure under the key, without a pause. Dead before that is committed: the same
refusal is met again. Dead after it: the next pass goes on from there. Two at once: only one of
them counts the attempt on, and both meet the same key.

An answer that cannot be read says nothing, neither that a refund was made nor that none was: the
row stays as it is and keeps its key. So does a list in which the row's refund is not found, as
long as something in that list cannot be read.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from sqlmodel import Session, col, or_, select

from store.core import clock, money
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
from store.db import engine as db
from store.db.models import UNFINISHED, Dispute, Order, Refund
from store.orders import batch, second_payments, service
from store.orders.batch import Ledger, OrderState
from store.orders.service import Source
from store.orders.stripe_facts import (
    DISPUTE_DECIDED,
    DISPUTE_HARMLESS,
    PAID,
    REFUND_VOID,
    Fact,
    RefundFact,
    of_dispute,
    of_refund,
)
from store.stripe_api import gateway

KEY_LIFE = timedelta(hours=23)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(days=1)
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)
OVERDUE = timedelta(
    minutes=15
)  # a refund that takes longer to reach Stripe is an operator's matter


def request(
    number: str,
    amount: int | None,
    *,
    key: str,
    shown_left: int | None = None,
    by: str = "",
    reason: str = "",
) -> int:
    """Write down the wish to give `amount` back (all that is left when None); answers its row.

    `key` names the intention: a form submitted twice carries the same key and is one refund,
    two intended refunds of the same amount carry two. `shown_left` is what the form said was
    left, so that nobody gives back what somebody else has just given; `by` is who asks, `reason`
    why, which is logged for operators only.

    Raises:
        OrderNotFound
        NothingToRefund: the order is not paid, is disputed, or less than that is left.
        RefundChanged: another amount is left than the form said.
    """
    with db.unit_of_work() as session:
        locked = service.lock(session, [number])
        order = locked.order(number)
        refunds = locked.refunds_of(order)
        known = next((row for row in refunds if row.idempotency_key == key), None)
        if known:
            return _id(known)
        left = left_amount(order, refunds)
        if shown_left is not None and shown_left != left:
            raise RefundChanged
        wanted = left if amount is None else amount
        if order.status == "disputed" or not 0 < wanted <= left or not order.payment_intent_id:
            raise NothingToRefund
        refund = Refund(
            order_id=_id(order),
            payment_intent_id=order.payment_intent_id,
            amount=wanted,
            reason="requested_by_customer",
            idempotency_key=key,
        )
        session.add(refund)
        asked = " by ".join(filter(None, [money.text(wanted, order.currency), by]))
        service.log(session, order, "operator", "refund asked", asked)
        if reason:
            service.log(session, order, "operator", "refund reason", reason)
        session.flush()
        return _id(refund)


def left_amount(order: Order | OrderState, refunds: Iterable[Refund]) -> int:
    """What could still be given back of the order's own payment."""
    if order.payment_status not in PAID:
        return 0
    return order.total_amount - sum(
        refund.amount
        for refund in refunds
        if refund.payment_intent_id == order.payment_intent_id and refund.status not in REFUND_VOID
    )


def send(refund_id: int, *, source: Source) -> None:
    """Ask Stripe for a refund that is written down, and record the answer.

    Raises:
        OrderNotFound: there is no such refund any more.
        StripeRefused: not now, but it is owed still; the reconciler asks again after a pause.
        StripeError: no answer; the row keeps its key and the reconciler asks again.
    """
    with db.reading() as session:
        refund = session.get(Refund, refund_id)
        order = session.get(Order, refund.order_id) if refund else None
    if refund is None or order is None:
        raise OrderNotFound
    if not refund.is_unsent:
        return
    try:
        _send(refund, order.number, source)
    except StripeRefused:
        raise  # its pause is recorded
    except Exception as error:
        _put_last(refund, order.number, error, source)
        raise


def _send(refund: Refund, number: str, source: Source) -> None:
    try:
        made = _made_before(refund) or _ask(refund, number)
    except StripeRefused as refused:
        if _still_owed(refund, number, refused, source):
            raise
        return
    except StripeUncertain as uncertain:
        found = _listed(refund) if uncertain.replayed else None
        if found is None:
            if uncertain.replayed:
                _begin_anew(refund, number, uncertain, source)
            raise
        made = found  # a failure that Stripe saved hid what it did
    fact = _fact(made, number, "refund created")
    with db.unit_of_work() as session:
        service.record(session, [fact], source=source)


def _ask(refund: Refund, number: str) -> gateway.Document:
    """Create the refund, under the key of this attempt; its name is the same in each."""
    name = refund.idempotency_key
    return gateway.create_refund(
        refund.payment_intent_id,
        refund.amount,
        {"order_number": number, "refund_key": name},
        name if refund.attempt == 1 else f"{name}/{refund.attempt}",
    )


def _made_before(refund: Refund) -> gateway.Document | None:
    """The refund at Stripe for a row whose first key is not, or perhaps no more, the answer."""
    first = refund.attempt == 1 and clock.now() < refund.created_at + KEY_LIFE
    return None if first else _listed(refund)


def _listed(refund: Refund) -> gateway.Document | None:
    """The refund in Stripe's list, known by the key in its metadata.

    Raises:
        StripeUncertain: it is not there, but the list holds something that cannot be read.
    """
    unreadable: StripeUncertain | None = None
    for found in gateway.refunds_of(refund.payment_intent_id):
        try:
            if _fact(found, "", "listed at Stripe").key == refund.idempotency_key:
                return found
        except StripeUncertain as error:
            unreadable = error
    if unreadable:
        raise unreadable
    return None


def _fact(refund: gateway.Document, number: str, evidence: str) -> RefundFact:
    """
    Raises:
        StripeUncertain: Stripe's answer is no refund.
    """
    try:
        return of_refund(refund, number, evidence=evidence)
    except UNREADABLE as error:
        raise StripeUncertain(replayed=False) from error


def _still_owed(refund: Refund, number: str, refused: StripeRefused, source: Source) -> bool:
    """Record what Stripe knows of a payment whose refund it refused, and what follows from it.

    Answers whether this very refund is owed still. Then it is asked again under another key.
    """
    facts = _known_at_stripe(refund.payment_intent_id, number)
    with db.unit_of_work() as session:
        kept = batch.hold(session, [number])
        service.record(session, facts, source=source, held=kept)
        row = session.get(Refund, refund.id)
        if row is None or not row.is_unsent or row.attempt != refund.attempt:
            return bool(row and row.is_unsent)
        order = kept.orders[number]
        if row.reason == second_payments.REASON:
            closed = second_payments.settle(kept, order, row.payment_intent_id)
        else:
            closed = _close_if_impossible(kept, order, row)
        words = f"Stripe refused it: {refused.code}" if refused.code else "Stripe refused it"
        if row.is_unsent:
            _postpone(kept, row)
        if closed or row.refusal != words:
            told = " · ".join([words, *closed])
            service.log(session, order, source, "refund refused", told, evidence=refused.call)
        row.refusal = words
        return row.is_unsent


def _known_at_stripe(payment: str, number: str) -> list[Fact]:
    """Every refund and dispute of a payment, as facts; none where Stripe does not know it.

    Raises:
        StripeUncertain: one of them cannot be read.
    """
    try:
        refunds = gateway.refunds_of(payment)
        disputes = gateway.disputes_of(payment)
    except StripeRefused:
        return []
    seen = "looked up after a refusal"
    try:
        return [
            *(_fact(refund, number, seen) for refund in refunds),
            *(of_dispute(dispute, number, evidence=seen) for dispute in disputes),
        ]
    except UNREADABLE as error:
        raise StripeUncertain(replayed=False) from error


def _close_if_impossible(kept: Ledger, order: OrderState, row: Refund) -> list[str]:
    """Close a wish that no repetition can fulfil; what it reserved can be given back otherwise."""
    others = [other for other in kept.refunds_of(order) if other is not row]
    contested = any(
        dispute.payment_intent_id == row.payment_intent_id
        and dispute.status not in DISPUTE_HARMLESS
        for dispute in kept.disputes_of(order)
    )
    if row.amount <= left_amount(order, others) and not contested:
        return []
    row.status = "failed"
    return ["the bank disputes this payment" if contested else "less than that is left"]


def _postpone(kept: Ledger, row: Refund) -> None:
    """Let the next attempt wait, the longer the more there were.

    Not during a dispute: when that is decided, there is no reason to wait.
    """
    pause = min(FIRST_PAUSE * 2 ** min(row.attempt - 1, 20), LONGEST_PAUSE)
    row.next_try_at = None if _disputed(kept.session, row) else kept.at + pause
    row.attempt += 1


def _begin_anew(refund: Refund, number: str, failed: StripeError, source: Source) -> None:
    """The answer under this key will be repeated for a day: the next try gets another one."""
    with db.unit_of_work() as session:
        order = service.lock(session, [number]).order(number)
        row = session.get(Refund, refund.id)
        if row is None or not row.is_unsent or row.attempt != refund.attempt:
            return
        row.attempt += 1
        if row.attempt == 2:  # the first failure is news, the others are more of the same
            told = "Stripe failed and made no refund; asking again under a new key"
            service.log(session, order, source, "refund failed", told, evidence=failed.call)


def _put_last(refund: Refund, number: str, error: Exception, source: Source) -> None:
    """Let all others be asked before this one is asked again; no attempt is counted.

    That Stripe does not answer or is busy is no property of this refund; anything else is noted.
    """
    noted = isinstance(error, StripeError) and not isinstance(
        error, (StripeUnreachable, StripeBusy)
    )
    with suppress(StoreError), db.unit_of_work() as session:
        order = service.lock(session, [number]).order(number)
        row = session.get(Refund, refund.id)
        if row is None or not row.is_unsent:
            return
        row.next_try_at = clock.now()
        if noted and row.refusal is None:
            row.refusal = "Stripe does not allow it"
            told = f"{row.refusal}: {error.for_operator}" if isinstance(error, StoreError) else ""
            service.log(session, order, source, "refund refused", told)


def waiting(session: Session) -> list[int]:
    """Refunds to be asked of Stripe now: the untried first, the one tried last at the end.

    A second payment that is disputed goes back when the dispute is won; where it is lost, the
    bank has taken it.
    """
    due = or_(col(Refund.next_try_at).is_(None), col(Refund.next_try_at) <= clock.now())
    rows = session.exec(
        select(Refund)
        .where(UNFINISHED, col(Refund.status) == "requested", due)
        .order_by(col(Refund.next_try_at).is_not(None), col(Refund.next_try_at), col(Refund.id))
    )
    return [
        _id(refund)
        for refund in rows.all()
        if refund.reason != second_payments.REASON or not _disputed(session, refund)
    ]


def _disputed(session: Session, refund: Refund) -> bool:
    """Whether we know of a dispute about this payment that is not over."""
    known = session.exec(select(Dispute).where(col(Dispute.order_id) == refund.order_id))
    return any(
        dispute.payment_intent_id == refund.payment_intent_id
        and dispute.status not in DISPUTE_DECIDED
        for dispute in known
    )


def overdue(session: Session) -> list[tuple[Refund, Order]]:
    """Refunds that an operator should look at, oldest first.

    Stripe has refused them, did not answer for a quarter of an hour, or waits for the buyer.
    """
    rows = session.exec(select(Refund).where(UNFINISHED).order_by(col(Refund.id)))
    late = [refund for refund in rows if refund.is_overdue]
    ids = {refund.order_id for refund in late}
    about = {row.id: row for row in session.exec(select(Order).where(col(Order.id).in_(ids)))}
    return [(refund, about[refund.order_id]) for refund in late]


def try_now(number: str, refund_id: int, by: str) -> None:
    """Ask Stripe for an owed refund at once, however long its pause is still.

    Raises:
        OrderNotFound: this order has no such refund.
        NothingToRefund: it is not owed any more.
        StripeError: as `send`.
    """
    with db.unit_of_work() as session:
        order, row = _owed(session, number, refund_id)
        row.next_try_at = None
        service.log(session, order, "operator", "refund asked again", f"by {by}")
    send(refund_id, source="operator")


def call_off(number: str, refund_id: int, by: str) -> None:
    """Close an operator's wish that Stripe does not fulfil; what it reserved is free again.

    Stripe is asked first whether it has made the refund all the same. A request that is on its
    way at this very moment may still succeed; then that refund becomes a row of its own.

    Raises:
        OrderNotFound: this order has no such refund.
        NothingToRefund: it is not owed any more, or it is a second payment, which is owed always.
        StripeError: it cannot be found out; nothing was changed.
    """
    with db.unit_of_work() as session:
        _, row = _owed(session, number, refund_id)
    if row.reason == second_payments.REASON:
        raise NothingToRefund("A second payment is owed until it is back; it cannot be called off.")
    if found := _listed(row):
        with db.unit_of_work() as session:
            made = of_refund(found, number, evidence="looked up at Stripe")
            service.record(session, [made], source="operator")
        raise NothingToRefund("Stripe has made this refund already.")
    with db.unit_of_work() as session:
        order, row = _owed(session, number, refund_id)
        row.status = "canceled"
        told = f"{money.text(row.amount, order.currency)} by {by}"
        service.log(session, order, "operator", "refund called off", told)


def _owed(session: Session, number: str, refund_id: int) -> tuple[Order, Refund]:
    """Lock an order, and one of its refunds that Stripe has not taken on."""
    order = service.lock(session, [number]).order(number)
    row = session.get(Refund, refund_id)
    if row is None or row.order_id != order.id:
        raise OrderNotFound
    if not row.is_unsent:
        raise NothingToRefund("This refund is not waiting any more. Look at its state.")
    return order, row


def _id(row: Order | Refund) -> int:
    assert row.id is not None
    return row.id

"""Money back: written down first, then asked of Stripe under the row's own key.

Dead before the row is committed: nothing happened. Dead before, during or after the call: the
row stays `requested`, and the reconciler asks again under the same key. Two at once: the order
is locked while what is left is counted, so that intentions never exceed what was paid.

Where Stripe saved a failure under the key and lists no refund with the row's name, the row goes
on to its next attempt, which has a key of its own. Dead before that is committed: the same
failure is met again. Dead after it: the next pass looks into the list once more, then asks under
the new key. Two at once: only one of them counts the attempt on, and both meet the same key.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlmodel import Session, col, select

from store import clock, db, gateway, money, orders
from store.errors import (
    NothingToRefund,
    RefundChanged,
    StripeError,
    StripeRefused,
    StripeUncertain,
)
from store.facts import DISPUTE_DECIDED, PAID, REFUND_VOID, of_refund
from store.models import UNSENT, Dispute, Order, Refund
from store.orders import Source

KEY_LIFE = timedelta(hours=23)
SECOND_PAYMENT = "duplicate"  # the reason of a refund that nobody asked for, in Stripe's word


def request(
    number: str, amount: int | None, *, key: str, shown_left: int | None = None, by: str = ""
) -> int:
    """Write down the wish to give `amount` back (all that is left when None); answers its row.

    `key` names the intention: a form submitted twice carries the same key and is one refund,
    two intended refunds of the same amount carry two. `shown_left` is what the form said was
    left, so that nobody gives back what somebody else has just given; `by` is who asks.

    Raises:
        NothingToRefund: the order is not paid, is disputed, or less than that is left.
        RefundChanged: another amount is left than the form said.
    """
    with db.unit_of_work() as session:
        ledger = orders.lock(session, [number])
        order = ledger.orders[number]
        known = next((row for row in ledger.refunds_of(order) if row.idempotency_key == key), None)
        if known:
            return _id(known)
        left = left_amount(order, ledger.refunds_of(order))
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
        orders.log(session, order, "operator", "refund asked", asked)
        session.flush()
        return _id(refund)


def left_amount(order: Order, refunds: Sequence[Refund]) -> int:
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
        StripeError: no answer; the row keeps its key and the reconciler asks again.
    """
    with db.reading() as session:
        refund = session.get_one(Refund, refund_id)
        number = session.get_one(Order, refund.order_id).number
    if refund.stripe_refund_id or refund.status != "requested":
        return
    answer = _answer(refund, number, source)
    if answer:
        with db.unit_of_work() as session:
            fact = of_refund(answer, number, evidence="refund created")
            orders.record(session, [fact], source=source)


def _answer(refund: Refund, number: str, source: Source) -> gateway.Document | None:
    """The refund that Stripe made for this row, now or before; None where it refused."""
    try:
        return _made_before(refund) or _ask(refund, number)
    except StripeUncertain as uncertain:
        if not uncertain.replayed:
            raise
        if found := _listed(refund):  # a failure that Stripe saved hides what it did
            return found
        told = "Stripe failed and made no refund; asking again under a new key"
        _begin_anew(refund, number, source, told, uncertain)
        raise
    except StripeRefused as refused:
        if refund.attempt > 1 and (found := _listed(refund)):  # an attempt before was not in vain
            return found
        if _disputed_at_stripe(refund):
            told = "refused during a dispute; asking again when that is over"
            _begin_anew(refund, number, source, told, refused)
        else:
            _give_up(refund, number, refused, source)
        return None


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
    """The refund in Stripe's list, known by the key in its metadata."""
    for found in gateway.refunds_of(refund.payment_intent_id):
        if (found.get("metadata") or {}).get("refund_key") == refund.idempotency_key:
            return found
    return None


def _disputed(session: Session, refund: Refund) -> bool:
    """Whether we know of a dispute about this payment that is not over."""
    known = session.exec(select(Dispute).where(col(Dispute.order_id) == refund.order_id))
    return any(
        dispute.payment_intent_id == refund.payment_intent_id
        and dispute.status not in DISPUTE_DECIDED
        for dispute in known
    )


def _disputed_at_stripe(refund: Refund) -> bool:
    """Whether a second payment is refused for a dispute we have not heard of."""
    return refund.reason == SECOND_PAYMENT and any(
        dispute["status"] not in DISPUTE_DECIDED
        for dispute in gateway.disputes_of(refund.payment_intent_id)
    )


def _begin_anew(
    refund: Refund, number: str, source: Source, told: str, answered: StripeError
) -> None:
    """The answer under this key will be repeated for a day: the next try gets another one."""
    with db.unit_of_work() as session:
        order = orders.lock(session, [number]).orders[number]
        row = session.get_one(Refund, refund.id)
        if row.attempt != refund.attempt or row.stripe_refund_id:
            return
        row.attempt += 1
        if row.attempt == 2:  # the first failure is news, the others are more of the same
            orders.log(session, order, source, "refund failed", told, evidence=answered.call)


def _give_up(refund: Refund, number: str, refused: StripeRefused, source: Source) -> None:
    """Stripe said no: the money stays, the row says so, and what was reserved is free again."""
    with db.unit_of_work() as session:
        order = orders.lock(session, [number]).orders[number]
        row = session.get_one(Refund, refund.id)
        if row.stripe_refund_id is None and row.attempt == refund.attempt:
            row.status = "failed"
            told = str(refused)
            orders.log(session, order, source, "refund refused", told, evidence=refused.call)


def waiting(session: Session) -> list[int]:
    """Refunds that are written down and not yet known to Stripe, oldest first.

    A second payment that is disputed goes back when the dispute is won; where it is lost, the
    bank has taken it.
    """
    return [
        _id(refund)
        for refund in session.exec(select(Refund).where(UNSENT).order_by(col(Refund.id))).all()
        if refund.reason != SECOND_PAYMENT or not _disputed(session, refund)
    ]


def _id(row: Order | Refund) -> int:
    assert row.id is not None
    return row.id

"""The life of an order: facts in, status out.

`record` is the one door for facts and `status_of` the one place where a status comes from.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import bindparam, update
from sqlmodel import Session, col, func, select

from store.core import clock
from store.core.errors import OrderNotFound
from store.db import bulk
from store.db.models import MAX_LISTED, Dispute, Order, OrderCheck, OrderLog, Refund
from store.orders import batch, failed_attempts
from store.orders.batch import Ledger, OrderState
from store.orders.failed_attempts import FailedAttemptFact
from store.orders.stripe_facts import DISPUTE_HARMLESS, PAID, REFUND_VOID, Fact
from store.orders.transitions import LEARN

Source = Literal["buyer", "redirect", "webhook", "reconciler", "operator"]

# No vowels and no look-alikes: 16 characters are 78 bits, never a word, easy to read aloud.
ALPHABET = "23456789BCDFGHJKLMNPQRSTVWXYZ"
NUMBER_LENGTH = 16

# What a look at Stripe may still change without anything new happening there.
UNSETTLED = frozenset(["pending", "open", "processing", "review"])
UNPAID_STATUS = {"none": "pending", "open": "open", "refused": "failed", "complete": "processing"}
# Money that arrives after one of these is kept, and stands out in the order's history.
GIVEN_UP = frozenset(["canceled", "expired", "failed"])

# Made once: to make such a question takes as long as to have it answered.
OWNED = select(Order).where(
    col(Order.number) == bindparam("number"), col(Order.buyer_hash) == bindparam("buyer")
)
HELD = (
    select(Order)
    .where(col(Order.number).in_(bindparam("numbers", expanding=True)))
    .order_by(col(Order.id))
    .with_for_update()
    .execution_options(populate_existing=True)
)


@dataclass(frozen=True)
class Recorded:
    """What became of one fact: `order_id` is None where no such order exists."""

    order_id: int | None
    news: bool


def new_number() -> str:
    """An order number that nobody can guess, in groups of four."""
    signs = "".join(secrets.choice(ALPHABET) for _ in range(NUMBER_LENGTH))
    return "-".join(signs[start : start + 4] for start in range(0, NUMBER_LENGTH, 4))


def owned(session: Session, buyer: str, number: str) -> Order:
    """The buyer's order of this number.

    Raises:
        OrderNotFound: there is none, or it is somebody else's; nobody can tell which.
    """
    if not number.isprintable():  # PostgreSQL refuses to be asked about NUL
        raise OrderNotFound
    order = session.exec(OWNED, params={"number": number, "buyer": buyer}).first()
    if order is None:
        raise OrderNotFound
    return order


@dataclass(frozen=True)
class Locked:
    """Orders that nobody else can change until the transaction ends."""

    session: Session
    orders: dict[str, Order]

    def order(self, number: str) -> Order:
        """One of them.

        Raises:
            OrderNotFound: it is not there, or not any more.
        """
        if number not in self.orders:
            raise OrderNotFound
        return self.orders[number]

    def refunds_of(self, order: Order) -> list[Refund]:
        return list(self.session.exec(select(Refund).where(col(Refund.order_id) == order.id)))


def lock(session: Session, numbers: Iterable[str]) -> Locked:
    """Hold these orders until the transaction ends, in id order, so that no two ever deadlock."""
    found = session.exec(HELD, params={"numbers": sorted(numbers)})
    return Locked(session, {order.number: order for order in found})


def record(
    session: Session, facts: Sequence[Fact], *, source: Source, held: Ledger | None = None
) -> list[Recorded]:
    """Add what Stripe said to the orders it is about, and let their status follow.

    Safe to call twice, late or out of order: a fact that is already known, or older than what
    is known, changes nothing and leaves no trace in the log. Answers fact by fact. `held` are
    the orders, where the caller has locked them already (`ledger.hold`).

    Dead anywhere in it: the transaction is gone, and nothing of any fact happened; whoever
    brought them brings them again. Two at once about one order: the second waits in `hold`, and
    then learns from what the first has written.
    """
    kept = held or batch.hold(session, {fact.order_number for fact in facts})
    unpaid = [order for order in kept.orders.values() if order.payment_status not in PAID]
    answers = [_take(kept, fact, source) for fact in facts]
    paid = [order.id for order in unpaid if order.payment_status in PAID]
    batch.flag_withdrawn(kept, paid, source)
    batch.write(kept)
    return answers


def _take(kept: Ledger, fact: Fact, source: Source) -> Recorded:
    order = kept.orders.get(fact.order_number)
    if order is None:
        return Recorded(None, news=False)
    news = LEARN[type(fact)](kept, order, fact)
    if fact.note:
        news = [*news, fact.note]
    if news:
        before, order.status = order.status, settle(order, kept)
        if before in GIVEN_UP and order.payment_status in PAID:
            news = [*news, f"paid although it was {before}"]
        kept.lines.append(
            {
                "order_id": order.id,
                "at": kept.at,
                "source": source,
                "action": _action(fact, order.status if order.status != before else "noted"),
                "detail": " · ".join(filter(None, [*news, fact.evidence])),
                "evidence": fact.proof,
            }
        )
    return Recorded(order.id, news=bool(news))


def _action(fact: Fact, change: str) -> str:
    return failed_attempts.ACTION if isinstance(fact, FailedAttemptFact) else change


PRIVATE_ACTIONS = ("private note", "refund reason")  # buyers never see these


def log(
    session: Session,
    order: Order | OrderState,
    source: Source,
    action: str,
    detail: str = "",
    *,
    evidence: str = "",
) -> None:
    """Add a line to the order's history; `evidence` is JSON."""
    line = {"order_id": order.id, "at": clock.now(), "source": source, "action": action}
    bulk.insert(session, OrderLog, [line | {"detail": detail, "evidence": evidence}])


def note_repeat(session: Session, order: Order, source: Source, *, evidence: str = "") -> None:
    """Keep that somebody looked and nothing was new; no part of the order's history.

    Anybody may open an address thousands of times, so only the first are listed and the others
    counted. Two at once may list one more than that.
    """
    alike = (col(OrderCheck.order_id) == order.id, col(OrderCheck.source) == source)
    listed = session.exec(select(func.count(), func.max(col(OrderCheck.id))).where(*alike)).one()
    if listed[0] < MAX_LISTED:
        session.add(OrderCheck(order_id=order.id, at=clock.now(), source=source, evidence=evidence))
        return
    counted = {"times": col(OrderCheck.times) + 1, "at": clock.now(), "evidence": evidence}
    session.connection().execute(
        update(OrderCheck).where(col(OrderCheck.id) == listed[1]).values(counted)
    )


def settle(order: OrderState, kept: Ledger) -> str:
    """Bring the derived columns of an order up to its facts and answer its status."""
    refunds = kept.refunds_of(order)
    order.refunded_amount = min(order.total_amount, refunded_amount(order, refunds))
    if order.payment_status in PAID and order.paid_at is None:
        order.paid_at = kept.at
    return status_of(order, kept.disputes_of(order))


def refunded_amount(order: OrderState, refunds: Iterable[Refund]) -> int:
    """What went back of the order's own payment; a second payment's refund is not part of it."""
    return sum(
        refund.amount
        for refund in refunds
        if refund.payment_intent_id == order.payment_intent_id
        and refund.stripe_refund_id
        and refund.status not in REFUND_VOID
    )


def status_of(order: OrderState, disputes: Sequence[Dispute]) -> str:
    """The status that follows from the facts; a pure function of its arguments."""
    if order.payment_status in PAID:
        return _paid_status(order, disputes)
    if order.review_reason or order.refund_review_reason:
        return "review"
    if order.payment_status == "failed":
        return "failed"
    if order.checkout_status == "expired":
        return "canceled" if order.cancel_requested_at else "expired"
    return UNPAID_STATUS[order.checkout_status]


def _paid_status(order: OrderState, disputes: Sequence[Dispute]) -> str:
    if any(dispute.status not in DISPUTE_HARMLESS for dispute in disputes):
        return "disputed"
    if order.refund_review_reason:
        return "review"
    if order.refunded_amount >= order.total_amount:
        return "refunded"
    return "partially_refunded" if order.refunded_amount else "paid"

"""The orders of one batch as light rows: locked and read by few statements, written by few.

An object of the ORM costs more than all the rules it goes through, so the orders are plain rows
here. Refunds and disputes are rare and stay what they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlmodel import Session, bindparam, col, select

from store.core import clock
from store.core.folding import folded
from store.db import bulk
from store.db.models import Dispute, Order, OrderItem, OrderLog, Product, Refund


@dataclass(slots=True)
class OrderState:
    """What the rules know of an order, by the names of its columns."""

    id: int
    number: str
    currency: str
    total_amount: int
    status: str = "pending"
    checkout_session_id: str | None = None
    checkout_url: str | None = None
    checkout_status: str = "none"
    payment_status: str = "unpaid"
    payment_intent_id: str | None = None
    cancel_requested_at: datetime | None = None
    review_reason: str | None = None
    refund_review_reason: str | None = None
    refunded_amount: int = 0
    email: str | None = None
    receipt_url: str | None = None
    paid_at: datetime | None = None

    def changes(self, before: Iterable[Any]) -> dict[str, Any]:
        """The columns that differ from what was read, with what follows from them."""
        changed = {
            name: value
            for name, value, was in zip(NAMES, VALUES(self), before, strict=True)
            if value != was
        }
        if "email" in changed:
            changed["email_folded"] = folded(self.email or "")
        return changed


NAMES = tuple(column.name for column in fields(OrderState))
VALUES = attrgetter(*NAMES)
COLUMNS = tuple(Order.metadata.tables["orders"].c[name] for name in NAMES)
HOLD = (
    select(*COLUMNS)
    .where(col(Order.number).in_(bindparam("numbers", expanding=True)))
    .order_by(col(Order.id))
    .with_for_update()
)
HOLD_FREE = HOLD.with_for_update(skip_locked=True)
EXISTING = select(col(Order.number)).where(
    col(Order.number).in_(bindparam("numbers", expanding=True))
)
WITHDRAWN = select(Product.id).where(col(Product.active).is_(False))


@dataclass
class Ledger:
    """The orders of one batch, with the money that went back or is contested, and what is new.

    `read` are the orders as they were; `lines` the rows to come for their history; `at` is the
    moment at which all of it happens; `locked` are orders that somebody else holds right now.
    """

    session: Session
    orders: dict[str, OrderState]
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    read: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    locked: frozenset[str] = frozenset()
    at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.at = clock.now()

    def refunds_of(self, order: OrderState) -> list[Refund]:
        return [refund for refund in self.refunds if refund.order_id == order.id]

    def disputes_of(self, order: OrderState) -> list[Dispute]:
        return [dispute for dispute in self.disputes if dispute.order_id == order.id]


def hold(session: Session, numbers: Iterable[str], *, wait: bool = True) -> Ledger:
    """Lock these orders until the transaction ends, in id order, so that no two ever deadlock.

    What else is known of them is read afterwards: a statement on PostgreSQL that has waited for
    a lock sees the locked row as it is now, but everything else as it was before the wait.

    Without `wait`, orders that another transaction holds are named in `locked` and left alone.
    SQLite has one lock for the whole file, which this transaction has already.
    """
    session.flush()
    connection, wanted = session.connection(), sorted(numbers)
    found = connection.execute(HOLD if wait else HOLD_FREE, {"numbers": wanted})
    read = {row.number: tuple(row) for row in found}
    ledger = Ledger(session, {number: OrderState(*row) for number, row in read.items()}, read=read)
    if not wait and (missing := [number for number in wanted if number not in read]):
        existing = connection.execute(EXISTING, {"numbers": missing})
        ledger.locked = frozenset(existing.scalars())
    ids = [order.id for order in ledger.orders.values()]
    if ids and bulk.exists(session, "order_id", ids, [Refund, Dispute]):
        ledger.refunds.extend(session.exec(select(Refund).where(col(Refund.order_id).in_(ids))))
        ledger.disputes.extend(session.exec(select(Dispute).where(col(Dispute.order_id).in_(ids))))
    return ledger


def flag_withdrawn(ledger: Ledger, paid: Sequence[int], source: str) -> None:
    """Say of orders that were just paid what of them has been taken off sale since the click."""
    if not paid:
        return
    connection = ledger.session.connection()
    withdrawn = connection.execute(WITHDRAWN).scalars().all()  # hardly ever any
    if not withdrawn:
        return
    found = connection.execute(
        select(OrderItem.order_id, OrderItem.name)
        .where(col(OrderItem.order_id).in_(paid), col(OrderItem.product_id).in_(withdrawn))
        .order_by(col(OrderItem.id))
    )
    for order_id, name in found:
        line = {"order_id": order_id, "at": ledger.at, "source": source, "action": "noted"}
        detail = f"paid for {name}, which is no longer sold"
        ledger.lines.append(line | {"detail": detail, "evidence": ""})


def write(ledger: Ledger) -> None:
    """Put down what is new: one statement for all orders that change in the same columns."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for number, order in ledger.orders.items():
        if changes := order.changes(ledger.read[number]):
            row = {"id": order.id, **changes, "updated_at": ledger.at}
            alike.setdefault(tuple(changes), []).append(row)
    for rows in alike.values():
        bulk.update(ledger.session, Order, rows)
    bulk.insert(ledger.session, OrderLog, ledger.lines)
    ledger.lines.clear()

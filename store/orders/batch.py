"""Locked orders: read and locked with few statements, changed in memory, saved with few statements.

Orders are plain dataclasses here, because building an ORM object costs more than all rules that are
applied to it. Refunds and disputes are rare and stay ORM objects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlmodel import Session, bindparam, col, select

from store.core import clock
from store.core.errors import OrderNotFound
from store.core.text import folded
from store.db import bulk
from store.db.models import Dispute, HistoryEntry, Order, OrderItem, Product, Refund
from store.orders import history
from store.orders.history import Change


@dataclass(slots=True)
class OrderState:
    """The columns of an order that the rules read and change."""

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


NAMES = tuple(column.name for column in fields(OrderState))
VALUES = attrgetter(*NAMES)
COLUMNS = tuple(Order.metadata.tables["orders"].c[name] for name in NAMES)
# Built once at import: constructing a SELECT costs as much as running it.
LOCK = (
    select(*COLUMNS)
    .where(col(Order.number).in_(bindparam("numbers", expanding=True)))
    .order_by(col(Order.id))
    .with_for_update()
)
LOCK_UNLOCKED = LOCK.with_for_update(skip_locked=True)
EXISTING = select(col(Order.number)).where(
    col(Order.number).in_(bindparam("numbers", expanding=True))
)
INACTIVE = select(Product.id).where(col(Product.active).is_(False))


@dataclass
class OrderBatch:
    """Orders that nobody else can change until the transaction ends, by number.

    `refunds` and `disputes` are those of all these orders. `originals` are the columns as they
    were read; `log_rows` the history rows that `save` will add; `at` is the time of all changes;
    `locked_elsewhere` names orders that another transaction holds, which are not in the batch.
    """

    session: Session
    orders: dict[str, OrderState]
    refunds: list[Refund] = field(default_factory=list)
    disputes: list[Dispute] = field(default_factory=list)
    originals: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    log_rows: list[dict[str, Any]] = field(default_factory=list)
    locked_elsewhere: frozenset[str] = frozenset()
    at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.at = clock.now()

    def order(self, number: str) -> OrderState:
        """One of the orders; OrderNotFound if it does not exist, or not any more."""
        if number not in self.orders:
            raise OrderNotFound
        return self.orders[number]

    def refunds_of(self, order: OrderState) -> list[Refund]:
        return [refund for refund in self.refunds if refund.order_id == order.id]

    def refunds_of_payment(self, order: OrderState, payment_id: str | None) -> list[Refund]:
        return [row for row in self.refunds_of(order) if row.payment_intent_id == payment_id]

    def disputes_of(self, order: OrderState) -> list[Dispute]:
        return [dispute for dispute in self.disputes if dispute.order_id == order.id]

    def log(
        self, order_id: int, source: str, action: str, changes: Sequence[Change], **by: str
    ) -> None:
        """Add an entry to an order's history, written by `save`; `by` as in `history.payload`."""
        entry = {"order_id": order_id, "at": self.at, "source": source, "action": action}
        self.log_rows.append(entry | {"payload": history.payload(changes, **by)})

    def save(self) -> None:
        """Write what changed: one statement for all orders that change in the same columns."""
        by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for number, order in self.orders.items():
            columns = zip(NAMES, VALUES(order), self.originals[number], strict=True)
            changes = {name: value for name, value, before in columns if value != before}
            if not changes:
                continue
            if "email" in changes:
                changes["email_folded"] = folded(order.email or "")
            row = {"id": order.id, **changes, "updated_at": self.at}
            by_columns.setdefault(tuple(changes), []).append(row)
            self.originals[number] = VALUES(order)
        for rows in by_columns.values():
            bulk.update(self.session, Order, rows)
        bulk.insert(self.session, HistoryEntry, self.log_rows)
        self.log_rows.clear()


def lock_orders(session: Session, numbers: Iterable[str], *, wait: bool = True) -> OrderBatch:
    """Lock these orders until the transaction ends, in id order, so that no two ever deadlock.

    Refunds and disputes are read afterwards: a statement on PostgreSQL that has waited for a lock
    sees the locked row as it is now, but everything else as it was before the wait.

    Without `wait`, orders that another transaction holds are named in `locked_elsewhere` and left
    out. SQLite has one lock for the whole file, which this transaction has already.
    """
    session.flush()
    connection, ordered = session.connection(), sorted(numbers)
    rows = connection.execute(LOCK if wait else LOCK_UNLOCKED, {"numbers": ordered})
    originals = {row.number: tuple(row) for row in rows}
    orders = {number: OrderState(*row) for number, row in originals.items()}
    batch = OrderBatch(session, orders, originals=originals)
    if not wait and (missing := [number for number in ordered if number not in orders]):
        existing = connection.execute(EXISTING, {"numbers": missing})
        batch.locked_elsewhere = frozenset(existing.scalars())
    ids = [order.id for order in orders.values()]
    if ids and bulk.exists(session, "order_id", ids, [Refund, Dispute]):
        batch.refunds.extend(session.exec(select(Refund).where(col(Refund.order_id).in_(ids))))
        batch.disputes.extend(session.exec(select(Dispute).where(col(Dispute.order_id).in_(ids))))
    return batch


def note_inactive_products(batch: OrderBatch, paid_ids: Sequence[int], source: str) -> None:
    """Add a history entry for each product of a just paid order that is no longer on sale."""
    if not paid_ids:
        return
    connection = batch.session.connection()
    inactive = connection.execute(INACTIVE).scalars().all()  # hardly ever any
    if not inactive:
        return
    items = connection.execute(
        select(OrderItem.order_id, OrderItem.name)
        .where(col(OrderItem.order_id).in_(paid_ids), col(OrderItem.product_id).in_(inactive))
        .order_by(col(OrderItem.id))
    )
    for order_id, name in items:
        batch.log(order_id, source, history.Action.NOTED, [{"inactive_product": name}])

"""One buyer's orders: the newest ones, those that still wait for Stripe, and counts of all.

Only the orders that are shown are read. The others are counted in covering indexes, so the page
costs the same for a buyer, or a shop, with a long past.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlmodel import Session, col, select

from store.core import settings
from store.core.order_status import OrderStatus
from store.db import engine as db
from store.db.models import Order
from store.orders import queries
from store.reports import charge_summary, order_view

RECENT = 6
PAGE_SIZE = 20


@dataclass(frozen=True)
class MyOrders:
    """The newest orders first, then older ones that Stripe may still change."""

    orders: Sequence[order_view.OrderView]
    counts: Mapping[str, int]  # of all orders, by status
    charges: charge_summary.ChargeSummary

    @property
    def is_waiting(self) -> bool:
        return any(order.is_waiting for order in self.orders)

    @property
    def open_order(self) -> order_view.OrderView | None:
        """The one order that can still be paid."""
        return next((order for order in self.orders if order.is_payable), None)

    @property
    def filters(self) -> list[str]:
        """The statuses to filter by; empty where there are too few orders for a filter."""
        present = [status for status in order_view.STATUS_BADGES if status in self.counts]
        return present if len(present) > 1 and self.count() > RECENT else []

    def filter_label(self, status: str) -> str:
        """ "● Paid 13"; "" stands for all orders."""
        badge = order_view.STATUS_BADGES.get(status)
        label = f"{badge.glyph} {badge.buyer_word}" if badge else "All"
        return f"{label} {self.count(status)}"

    def count(self, status: str = "") -> int:
        return self.counts.get(status, 0) if status else sum(self.counts.values())


def of_buyer(buyer: str) -> MyOrders:
    """A buyer's orders as their page first shows them.

    Cached by the counts, which are read first and change with each history entry and each webhook
    delivery: a change during the read causes a miss, never stale data.
    """
    with db.reading() as session:
        counts = charge_summary.status_counts(session, buyer)
    return _cached(settings.current().database, buyer, counts)


@lru_cache(maxsize=1000)
def _cached(
    _database: str, buyer: str, _version: tuple[charge_summary.StatusCounts, ...]
) -> MyOrders:
    with db.reading() as session:
        return load(session, buyer)


def load(session: Session, buyer: str) -> MyOrders:
    """The same, without the cache."""
    status_counts = charge_summary.status_counts(session, buyer)
    counts = {row.status: row.orders for row in status_counts}
    orders = newest_orders(session, buyer) if counts else []
    unsettled = sum(counts.get(status, 0) for status in OrderStatus.UNDECIDED)
    if unsettled > sum(order.status in OrderStatus.UNDECIDED for order in orders):
        orders += newest_orders(session, buyer, exclude=orders, limit=None, undecided=True)
    return MyOrders(orders, counts, charge_summary.of_buyer(session, buyer, status_counts, orders))


def newest_orders(
    session: Session,
    buyer: str,
    status: str = "",
    exclude: Iterable[order_view.OrderView] = (),
    limit: int | None = RECENT,
    *,
    undecided: bool = False,
) -> list[order_view.OrderView]:
    """The newest orders, all or of a status, without those in `exclude` and without history."""
    query = select(Order).where(col(Order.buyer_hash) == buyer)
    if status:
        query = query.where(col(Order.status) == status)
    if undecided:
        query = query.where(col(Order.status).in_(OrderStatus.UNDECIDED))
    if numbers := [order.number for order in exclude]:
        query = query.where(col(Order.number).not_in(numbers))
    newest = query.order_by(col(Order.id).desc()).limit(limit)
    rows = session.exec(newest.options(queries.WITHOUT_PARAMETERS)).all()
    items = order_view.items_of(session, rows)
    return [order_view.view(order, items[order.id or 0]) for order in rows]

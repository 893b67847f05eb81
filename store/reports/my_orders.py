"""What a buyer ordered: the newest orders, those that wait, and the figures of them all.

Only orders that are shown are read. All others are counted, in indexes that hold what is counted,
so that neither a long past of the shop nor of the buyer makes a page slow.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from store.db.models import Order
from store.orders.service import UNSETTLED
from store.reports import charge_summary, order_view

RECENT = 6
PAGE = 20


@dataclass(frozen=True)
class Shelf:
    """The newest orders first, then those that Stripe may still change, however old they are."""

    orders: Sequence[order_view.OrderView]
    counts: Mapping[str, int]  # of all orders, by status
    tally: charge_summary.Tally

    @property
    def is_waiting(self) -> bool:
        return any(order.is_waiting for order in self.orders)

    @property
    def open_order(self) -> order_view.OrderView | None:
        """The one order that can still be paid."""
        return next((order for order in self.orders if order.is_payable), None)

    @property
    def choices(self) -> list[str]:
        """The statuses to choose from, where there are so many orders that this helps."""
        present = [status for status in order_view.STATUS_BADGES if status in self.counts]
        return present if len(present) > 1 and self.count() > RECENT else []

    def label(self, status: str) -> str:
        """How a choice reads: "● Paid 13"; "" stands for all orders."""
        badge = order_view.STATUS_BADGES.get(status)
        word = f"{badge.glyph} {badge.buyer_word}" if badge else "All"
        return f"{word} {self.count(status)}"

    def count(self, status: str = "") -> int:
        return self.counts.get(status, 0) if status else sum(self.counts.values())


def of_buyer(
    session: Session, buyer: str, counted: Sequence[charge_summary.Counted] | None = None
) -> Shelf:
    """The shelf as it is shown first; `counted` is what the caller has just asked for."""
    counted = charge_summary.counted(session, buyer) if counted is None else counted
    counts = {each.status: each.orders for each in counted}
    shown = orders_of(session, buyer) if counts else []
    unsettled = sum(counts.get(status, 0) for status in UNSETTLED)
    if unsettled > sum(order.status in UNSETTLED for order in shown):
        shown += _orders(session, buyer, *_not(shown), col(Order.status).in_(UNSETTLED))
    return Shelf(shown, counts, charge_summary.of_buyer(session, buyer, counted, shown))


def orders_of(
    session: Session,
    buyer: str,
    status: str = "",
    beside: Iterable[order_view.OrderView] = (),
    limit: int = RECENT,
) -> list[order_view.OrderView]:
    """The newest orders, of one status or all, `beside` those that are shown already.

    The histories are left out.
    """
    conditions = _not(beside)
    if status:
        conditions.append(col(Order.status) == status)
    return _orders(session, buyer, *conditions, limit=limit)


def _not(shown: Iterable[order_view.OrderView]) -> list[ColumnElement[bool]]:
    numbers = [order.number for order in shown]
    return [col(Order.number).not_in(numbers)] if numbers else []


def _orders(
    session: Session, buyer: str, *conditions: ColumnElement[bool], limit: int | None = None
) -> list[order_view.OrderView]:
    found = session.exec(
        select(Order)
        .where(col(Order.buyer_hash) == buyer, *conditions)
        .order_by(col(Order.id).desc())
        .limit(limit)
        .options(defer(Order.checkout_parameters))  # type: ignore[arg-type]
    ).all()
    items = order_view.items_of(session, found)
    return [order_view.view(order, items[order.id or 0], []) for order in found]

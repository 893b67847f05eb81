"""Read-only figures and tables, for the pages and the command line."""

from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from store import orders, tally, timeline, views
from store.models import Dispute, Order, OrderLog, Refund


@dataclass(frozen=True)
class Story:
    """One order with everything that proves how often it was charged."""

    order: views.OrderView
    steps: list[timeline.Step]
    tally: tally.Tally


@dataclass(frozen=True)
class Shelf:
    """What a buyer ordered, newest first, and the figures of it all."""

    orders: list[views.OrderView]
    tally: tally.Tally


def orders_of(session: Session, buyer: str) -> list[views.OrderView]:
    """What this buyer ordered, newest first, without the histories."""
    mine = session.exec(
        select(Order).where(col(Order.buyer) == buyer).order_by(col(Order.id).desc())
    ).all()
    items = views.items_of(session, mine)
    return [views.view(order, items[order.id or 0], []) for order in mine]


def shelf_of(session: Session, buyer: str) -> Shelf:
    found = orders_of(session, buyer)
    return Shelf(found, tally.of_buyer(session, buyer, found))


def order_of(session: Session, buyer: str, number: str) -> views.OrderView:
    """One order with its history.

    Raises:
        OrderNotFound: there is none of this number, or it is a stranger's.
    """
    return story_of(session, orders.owned(session, buyer, number)).order


def story_of(session: Session, order: Order) -> Story:
    """An order with its timeline; whether the reader may see it is the caller's to know."""
    about, number = order.id or 0, col(OrderLog.id)
    log = session.exec(
        select(OrderLog).where(col(OrderLog.order_id) == about).order_by(number)
    ).all()
    shown = views.view(
        order,
        views.items_of(session, [order])[about],
        [views.LogView(row.at, row.source, row.action, row.detail) for row in log],
        session.exec(
            select(Refund).where(col(Refund.order_id) == about).order_by(col(Refund.id))
        ).all(),
        session.exec(select(Dispute).where(col(Dispute.order_id) == about)).all(),
    )
    told = timeline.heard(session, about)
    return Story(shown, timeline.steps_of(order, log, told), tally.of_order(shown, told))


def orders_by_status(session: Session) -> dict[str, int]:
    """How many orders there are of each status, the empty ones included."""
    counted = session.exec(select(Order.status, func.count()).group_by(col(Order.status))).all()
    return dict.fromkeys(views.STATUS_BADGES, 0) | dict(counted)

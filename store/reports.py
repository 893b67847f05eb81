"""Read-only figures and tables, for the pages and the command line."""

from sqlmodel import Session, col, func, select

from store import orders, views
from store.models import Order, OrderLog


def orders_of(session: Session, buyer: str) -> list[views.OrderView]:
    """What this buyer ordered, newest first, without the histories."""
    mine = session.exec(
        select(Order).where(col(Order.buyer) == buyer).order_by(col(Order.id).desc())
    ).all()
    items = views.items_of(session, mine)
    return [views.view(order, items[order.id or 0], []) for order in mine]


def order_of(session: Session, buyer: str, number: str) -> views.OrderView:
    """One order with its history.

    Raises:
        OrderNotFound: there is none of this number, or it is a stranger's.
    """
    order = orders.owned(session, buyer, number)
    history = session.exec(
        select(OrderLog).where(col(OrderLog.order_id) == order.id).order_by(col(OrderLog.id))
    )
    log = [views.LogView(row.at, row.source, row.action, row.detail) for row in history]
    return views.view(order, views.items_of(session, [order])[order.id or 0], log)


def orders_by_status(session: Session) -> dict[str, int]:
    """How many orders there are of each status, the empty ones included."""
    counted = session.exec(select(Order.status, func.count()).group_by(col(Order.status))).all()
    return dict.fromkeys(views.STATUS_BADGES, 0) | dict(counted)

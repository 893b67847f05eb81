"""One order as its page shows it: the order, its timeline and how often it was charged."""

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import text
from sqlmodel import Session, col, select

from store.core import settings
from store.core.errors import OrderNotFound
from store.db import engine as db
from store.db.models import Dispute, HistoryEntry, Order, Refund
from store.orders import history, queries
from store.orders.checkout import REPLACED
from store.reports import charge_summary, order_view, timeline
from store.reports.history_text import payload_of

# Each change of an order adds a history entry, whose id is higher than those before.
VERSION = text(
    """
    SELECT (SELECT max(id) FROM order_history WHERE order_id = orders.id) AS revision,
      (SELECT count(*) FROM stripe_events WHERE order_id = orders.id) AS events,
      (SELECT sum(deliveries) FROM stripe_events WHERE order_id = orders.id) AS deliveries,
      (SELECT sum(times) FROM order_checks WHERE order_id = orders.id) AS checks
    FROM orders WHERE number = :number AND buyer_hash = :buyer
    """
)


@dataclass(frozen=True)
class OrderDetail:
    order: order_view.OrderView
    entries: tuple[timeline.TimelineEntry, ...]
    charges: charge_summary.ChargeSummary


def of_buyer(buyer: str, order_number: str) -> OrderDetail:
    """A buyer's order with its timeline.

    Cached by a version that is read first: a change during the read causes a miss, never stale
    data.

    Raises:
        OrderNotFound: there is none of this number, or it is another buyer's.
    """
    if not order_number.isprintable():  # PostgreSQL accepts no NUL in a parameter
        raise OrderNotFound
    with db.reading() as session:
        keys = {"buyer": buyer, "number": order_number}
        version = session.connection().execute(VERSION, keys).first()
    if version is None:
        raise OrderNotFound
    return _cached(settings.current().database, buyer, order_number, tuple(version))


@lru_cache(maxsize=1000)
def _cached(
    _database: str, buyer: str, order_number: str, _version: tuple[int | None, ...]
) -> OrderDetail:
    with db.reading() as session:
        return load(session, queries.order_of_buyer(session, buyer, order_number))


def order_of_buyer(session: Session, buyer: str, order_number: str) -> order_view.OrderView:
    """A buyer's order with its history, but without the timeline.

    Raises:
        OrderNotFound: there is none of this number, or it is another buyer's.
    """
    order = queries.order_of_buyer(session, buyer, order_number)
    return _view(session, order, _history(session, order))


def load(session: Session, order: Order, *, for_operator: bool = False) -> OrderDetail:
    """An order with its timeline; the caller checks that the reader may see it.

    Operators' private notes are included only `for_operator`.
    """
    history = _history(session, order, for_operator=for_operator)
    order_events = timeline.load_events(session, order.id or 0)
    view = _view(session, order, history)
    return OrderDetail(
        view,
        tuple(timeline.entries_of(order, history, order_events)),
        charge_summary.of_order(view, order_events),
    )


def _history(session: Session, order: Order, *, for_operator: bool = False) -> list[HistoryEntry]:
    rows = session.exec(
        select(HistoryEntry)
        .where(col(HistoryEntry.order_id) == order.id)
        .order_by(col(HistoryEntry.id))
    )
    return [row for row in rows if for_operator or row.action not in history.PRIVATE_ACTIONS]


def _view(session: Session, order: Order, history: list[HistoryEntry]) -> order_view.OrderView:
    refunds = select(Refund).where(col(Refund.order_id) == order.id).order_by(col(Refund.id))
    disputes = select(Dispute).where(col(Dispute.order_id) == order.id)
    return order_view.view(
        order,
        order_view.items_of(session, [order])[order.id or 0],
        session.exec(refunds).all(),
        session.exec(disputes).all(),
        is_superseded=any(REPLACED in payload_of(row)["changes"] for row in history),
    )

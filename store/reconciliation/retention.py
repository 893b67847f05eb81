"""What may be forgotten after a while: events that are long over, and what was said once more.

Orders, their lines, refunds and disputes stay; so does the history of an order, unless it is
asked for. An event that comes again after it was forgotten is new to the inbox but not to its
order: facts only move forward, so it changes nothing.

Rows go some hundred at a time, in transactions of their own, so that the shop goes on meanwhile;
stopped half way, the rest goes the next time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, tuple_
from sqlmodel import Session, col, select

from store.core import clock
from store.core.order_status import OrderStatus
from store.db import engine as db
from store.db.models import UNFINISHED, Order, OrderCheck, OrderLog, Refund, StripeEvent

LEAST_DAYS = 30  # so long Stripe lists an event, and sends it again when somebody asks it to
BATCH = 500
FIRST = (datetime(1970, 1, 1, tzinfo=UTC), "")


@dataclass
class Forgotten:
    """How many rows went."""

    events: int = 0
    repeats: int = 0
    history: int = 0


def prune(days: int, history_days: int | None = None) -> Forgotten:
    """Forget events and repeats older than `days`, and history where `history_days` is given.

    What belongs to an order that Stripe may still change stays, however old it is.

    Raises:
        DatabaseUnavailable
    """
    assert days >= LEAST_DAYS
    gone = Forgotten()
    for events, repeats in _each(_next_events, FIRST, days):
        gone.events += events
        gone.repeats += repeats
    for (repeats,) in _each(_next_looks, 0, days):
        gone.repeats += repeats
    if history_days is not None:
        for (lines,) in _each(_next_lines, 0, history_days):
            gone.history += lines
    return gone


Place = tuple[datetime, str] | int
Step = Callable[[Session, datetime, "Place"], tuple["Place | None", tuple[int, ...]]]


def _each(step: Step, place: Place | None, days: int) -> Iterator[tuple[int, ...]]:
    """Take one step after another, each in a transaction, until there is no place to go on from."""
    before = clock.now() - timedelta(days=days)
    while place is not None:
        with db.unit_of_work() as session:
            place, counts = step(session, before, place)
        yield counts


def _next_events(
    session: Session, before: datetime, place: Place
) -> tuple[Place | None, tuple[int, ...]]:
    """The rows are locked first, so that nobody notes a repetition of what is going."""
    where = tuple_(col(StripeEvent.received_at), col(StripeEvent.id))
    rows = session.exec(
        select(StripeEvent.received_at, StripeEvent.id, StripeEvent.order_id)
        .where(where > place, col(StripeEvent.received_at) < before)
        .order_by(col(StripeEvent.received_at), col(StripeEvent.id))
        .limit(BATCH)
        .with_for_update()
    ).all()
    unsettled = _unsettled(session, {order for *_, order in rows if order})
    over = [name for _, name, order in rows if order not in unsettled]
    run = session.connection().execute
    repeats = run(delete(OrderCheck).where(col(OrderCheck.event_id).in_(over))).rowcount
    events = run(delete(StripeEvent).where(col(StripeEvent.id).in_(over))).rowcount
    last = rows[-1][:2] if len(rows) == BATCH else None
    return last, (events, repeats)


def _next_looks(
    session: Session, before: datetime, place: Place
) -> tuple[Place | None, tuple[int, ...]]:
    return _next_rows(OrderCheck, session, before, place)


def _next_lines(
    session: Session, before: datetime, place: Place
) -> tuple[Place | None, tuple[int, ...]]:
    return _next_rows(OrderLog, session, before, place)


def _next_rows(
    table: type[OrderCheck | OrderLog], session: Session, before: datetime, place: Place
) -> tuple[Place | None, tuple[int, ...]]:
    """Ids rise with time, so the first row that is young enough to stay is the end."""
    rows = session.exec(
        select(table.id, table.at, table.order_id)
        .where(col(table.id) > place)
        .order_by(col(table.id))
        .limit(BATCH)
    ).all()
    old = [row for row in rows if row[1] < before]
    unsettled = _unsettled(session, {order for *_, order in old if order})
    over = [name for name, _, order in old if order and order not in unsettled]
    gone = session.connection().execute(delete(table).where(col(table.id).in_(over))).rowcount
    last = rows[-1][0] if len(old) == BATCH else None
    return last, (gone,)


def _unsettled(session: Session, ids: set[int]) -> set[int | None]:
    """Which of these orders Stripe may still change, or owe a refund that has not arrived."""
    of_these = select(Order.id, Order.status).where(col(Order.id).in_(ids))
    owing = select(Refund.order_id).where(UNFINISHED, col(Refund.order_id).in_(ids))
    unsettled = {name for name, status in session.exec(of_these) if status in OrderStatus.UNDECIDED}
    return unsettled | set(session.exec(owing))

"""Deletes old events and order checks, and on request old history.

Orders, their items, refunds and disputes stay. An event delivered again after it was deleted is new
to `stripe_events` but not to its order: facts only move forward, so it changes nothing.

Rows are deleted a few hundred at a time, each batch in its own transaction, so that the shop keeps
running; if interrupted, the rest is deleted the next time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, tuple_
from sqlmodel import Session, col, select

from store.core import clock
from store.core.order_status import OrderStatus
from store.db import engine as db
from store.db.models import UNFINISHED, HistoryEntry, Order, OrderCheck, Refund, StripeEvent

MIN_DAYS = 30  # Stripe lists events, and delivers them again on request, for so long
BATCH = 500
FIRST = (datetime(1970, 1, 1, tzinfo=UTC), "")


@dataclass
class PruneResult:
    """How many rows were deleted."""

    events: int = 0
    repeats: int = 0
    history: int = 0


def prune(days: int, history_days: int | None = None) -> PruneResult:
    """Delete events and repeats older than `days`, and history older than `history_days` if given.

    Rows of orders that Stripe may still change stay, however old they are.

    Raises:
        DatabaseUnavailable
    """
    assert days >= MIN_DAYS
    deleted = PruneResult()
    for events, repeats in _each(_prune_events, FIRST, days):
        deleted.events += events
        deleted.repeats += repeats
    for (repeats,) in _each(_prune_checks, 0, days):
        deleted.repeats += repeats
    if history_days is not None:
        for (lines,) in _each(_prune_history, 0, history_days):
            deleted.history += lines
    return deleted


Cursor = tuple[datetime, str] | int
Step = Callable[[Session, datetime, "Cursor"], tuple["Cursor | None", tuple[int, ...]]]


def _each(step: Step, cursor: Cursor | None, days: int) -> Iterator[tuple[int, ...]]:
    """Run `step` in one transaction after another, until it returns no cursor."""
    before = clock.now() - timedelta(days=days)
    while cursor is not None:
        with db.unit_of_work() as session:
            cursor, counts = step(session, before, cursor)
        yield counts


def _prune_events(
    session: Session, before: datetime, cursor: Cursor
) -> tuple[Cursor | None, tuple[int, ...]]:
    """Delete a batch of events; their rows are locked first, so that no duplicate is added."""
    where = tuple_(col(StripeEvent.received_at), col(StripeEvent.id))
    rows = session.exec(
        select(StripeEvent.received_at, StripeEvent.id, StripeEvent.order_id)
        .where(where > cursor, col(StripeEvent.received_at) < before)
        .order_by(col(StripeEvent.received_at), col(StripeEvent.id))
        .limit(BATCH)
        .with_for_update()
    ).all()
    unsettled = _unsettled(session, {order for *_, order in rows if order})
    over = [event_id for _, event_id, order in rows if order not in unsettled]
    run = session.connection().execute
    repeats = run(delete(OrderCheck).where(col(OrderCheck.event_id).in_(over))).rowcount
    events = run(delete(StripeEvent).where(col(StripeEvent.id).in_(over))).rowcount
    last = rows[-1][:2] if len(rows) == BATCH else None
    return last, (events, repeats)


def _prune_checks(
    session: Session, before: datetime, cursor: Cursor
) -> tuple[Cursor | None, tuple[int, ...]]:
    return _prune_rows(OrderCheck, session, before, cursor)


def _prune_history(
    session: Session, before: datetime, cursor: Cursor
) -> tuple[Cursor | None, tuple[int, ...]]:
    return _prune_rows(HistoryEntry, session, before, cursor)


def _prune_rows(
    table: type[OrderCheck | HistoryEntry], session: Session, before: datetime, cursor: Cursor
) -> tuple[Cursor | None, tuple[int, ...]]:
    """Delete a batch of rows; ids rise with time, so the first recent row is the end."""
    rows = session.exec(
        select(table.id, table.at, table.order_id)
        .where(col(table.id) > cursor)
        .order_by(col(table.id))
        .limit(BATCH)
    ).all()
    old = [row for row in rows if row[1] < before]
    unsettled = _unsettled(session, {order for *_, order in old if order})
    over = [row_id for row_id, _, order in old if order and order not in unsettled]
    deleted = session.connection().execute(delete(table).where(col(table.id).in_(over))).rowcount
    last = rows[-1][0] if len(old) == BATCH else None
    return last, (deleted,)


def _unsettled(session: Session, ids: set[int]) -> set[int | None]:
    """Which of these orders Stripe may still change, or have an unfinished refund."""
    of_these = select(Order.id, Order.status).where(col(Order.id).in_(ids))
    owing = select(Refund.order_id).where(UNFINISHED, col(Refund.order_id).in_(ids))
    unsettled = {
        order_id for order_id, status in session.exec(of_these) if status in OrderStatus.UNDECIDED
    }
    return unsettled | set(session.exec(owing))

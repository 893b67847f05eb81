"""Deletes old events and order checks, and on request old history.

Orders, their items, refunds and disputes stay. An event delivered again after it was deleted is new
to `stripe_events` but not to its order: facts only move forward, so it changes nothing.

Rows are deleted a few hundred at a time, each batch in its own transaction, so that the shop keeps
running; if interrupted, the rest is deleted the next time.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, tuple_
from sqlmodel import Session, SQLModel, col, select

from store.core import clock
from store.core.order_status import OrderStatus
from store.db import engine as db
from store.db.models import UNFINISHED_REFUNDS, HistoryEntry, Order, OrderCheck, Refund, StripeEvent

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
    """
    assert days >= MIN_DAYS
    before = clock.now() - timedelta(days=days)
    deleted = _prune_events(before)
    deleted.repeats += _prune_rows(OrderCheck, before)
    if history_days is not None:
        before = clock.now() - timedelta(days=history_days)
        deleted.history = _prune_rows(HistoryEntry, before)
    return deleted


def _prune_events(before: datetime) -> PruneResult:
    """Delete old events with their repeats; locked first, so that no duplicate is added."""
    deleted, last = PruneResult(), FIRST
    place = tuple_(col(StripeEvent.received_at), col(StripeEvent.id))
    while True:
        with db.unit_of_work() as session:
            rows = session.exec(
                select(StripeEvent.received_at, StripeEvent.id, StripeEvent.order_id)
                .where(place > last, col(StripeEvent.received_at) < before)
                .order_by(col(StripeEvent.received_at), col(StripeEvent.id))
                .limit(BATCH)
                .with_for_update()
            ).all()
            unsettled = _unsettled(session, {order for *_, order in rows if order})
            over = [event_id for _, event_id, order in rows if order not in unsettled]
            deleted.repeats += _delete(session, OrderCheck, col(OrderCheck.event_id).in_(over))
            deleted.events += _delete(session, StripeEvent, col(StripeEvent.id).in_(over))
        if len(rows) < BATCH:
            return deleted
        last = rows[-1][0], rows[-1][1]


def _prune_rows(table: type[OrderCheck | HistoryEntry], before: datetime) -> int:
    """Delete old rows; ids rise with time, so the first recent row is the end."""
    deleted, last = 0, 0
    while True:
        with db.unit_of_work() as session:
            rows = session.exec(
                select(table.id, table.at, table.order_id)
                .where(col(table.id) > last)
                .order_by(col(table.id))
                .limit(BATCH)
            ).all()
            old = [row for row in rows if row[1] < before]
            unsettled = _unsettled(session, {order for *_, order in old if order})
            over = [row_id for row_id, _, order in old if order and order not in unsettled]
            deleted += _delete(session, table, col(table.id).in_(over))
        if len(old) < BATCH:
            return deleted
        last = old[-1][0] or 0


def _delete(session: Session, table: type[SQLModel], condition: ColumnElement[bool]) -> int:
    return session.connection().execute(delete(table).where(condition)).rowcount


def _unsettled(session: Session, ids: set[int]) -> set[int | None]:
    """Which of these orders Stripe may still change, or have an unfinished refund."""
    of_these = select(Order.id, Order.status).where(col(Order.id).in_(ids))
    owing = select(Refund.order_id).where(UNFINISHED_REFUNDS, col(Refund.order_id).in_(ids))
    unsettled = {
        order_id for order_id, status in session.exec(of_these) if status in OrderStatus.UNDECIDED
    }
    return unsettled | set(session.exec(owing))

"""The history of an order: what changed and who reported it, and checks that changed nothing."""

from typing import Literal

from sqlalchemy import update
from sqlmodel import Session, col, func, select

from store.core import clock
from store.db import bulk
from store.db.models import MAX_LISTED, Order, OrderCheck, OrderLog
from store.orders.batch import OrderState

Source = Literal["buyer", "redirect", "webhook", "reconciler", "operator"]

PRIVATE_ACTIONS = ("private note", "refund reason")  # buyers never see these


def log(
    session: Session,
    order: Order | OrderState,
    source: Source,
    action: str,
    detail: str = "",
    *,
    evidence: str = "",
) -> None:
    """Add an entry to the order's history; `evidence` is JSON."""
    entry = {"order_id": order.id, "at": clock.now(), "source": source, "action": action}
    bulk.insert(session, OrderLog, [entry | {"detail": detail, "evidence": evidence}])


def note_repeat(
    session: Session, order: Order | OrderState, source: Source, *, evidence: str = ""
) -> None:
    """Store that a person checked the order and nothing had changed; not part of its history.

    Anybody may reload a page thousands of times, so only the first `MAX_LISTED` checks are listed
    and the others counted. Two transactions at once may list one more than that.
    """
    alike = (col(OrderCheck.order_id) == order.id, col(OrderCheck.source) == source)
    listed = session.exec(select(func.count(), func.max(col(OrderCheck.id))).where(*alike)).one()
    if listed[0] < MAX_LISTED:
        check = OrderCheck(order_id=order.id, at=clock.now(), source=source, evidence=evidence)
        session.add(check)
        return
    counted = {"times": col(OrderCheck.times) + 1, "at": clock.now(), "evidence": evidence}
    session.connection().execute(
        update(OrderCheck).where(col(OrderCheck.id) == listed[1]).values(counted)
    )

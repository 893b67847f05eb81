"""The history of an order: what changed and who reported it, and checks that changed nothing.

An entry's payload is JSON: `changes` (see `Change`), for a fact also its `origin` and `call`. The
sentences are made where they are shown (`reports.history_text`).
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, Protocol

import orjson
from sqlalchemy import update
from sqlmodel import Session, col, func, select

from store.core import clock
from store.db import bulk
from store.db.models import MAX_LISTED, HistoryEntry, OrderCheck

Source = Literal["buyer", "redirect", "webhook", "reconciler", "operator"]
Change = Mapping[str, Any]
"""One change; the first key is its kind, e.g. `{"payment_status": "paid"}` or `{"text": "…"}`.

`{"refund": id, "amount": 1999, "currency": "usd", "status": "pending"}`; amounts are integers in
minor units. `reports.history_text` makes sentences of them.
"""


class HasId(Protocol):
    """An order, as its row or as an `OrderState`."""

    @property
    def id(self) -> int | None: ...


class Action(StrEnum):
    """What an entry is about: one of these, or a new status of the order (`OrderStatus`)."""

    PLACED = "placed"
    NOTED = "noted"  # a fact that did not change the status
    ATTEMPT_FAILED = "attempt failed"
    CANCEL_REQUESTED = "cancel asked"
    REFUND_REQUESTED = "refund asked"
    REFUND_REASON = "refund reason"
    REFUND_REFUSED = "refund refused"
    REFUND_FAILED = "refund failed"
    REFUND_RETRIED = "refund asked again"
    REFUND_CANCELED = "refund called off"
    RESTORED = "restored"
    CHECKED = "asked Stripe"
    EVENT_REFETCHED = "looked again"
    NOTE = "note"
    PRIVATE_NOTE = "private note"


PRIVATE_ACTIONS = (Action.PRIVATE_NOTE, Action.REFUND_REASON)  # buyers never see these


def payload(changes: Sequence[Change], *, origin: str = "", call: str = "") -> str:
    """The JSON of an entry; `call` is JSON about the API call or event that reported it."""
    content: dict[str, Any] = {"changes": changes}
    if origin:
        content["origin"] = origin
    if call:
        content["call"] = orjson.Fragment(call)  # JSON already
    return orjson.dumps(content).decode()


def log(
    session: Session, order: HasId, source: Source, action: Action, *changes: Change, call: str = ""
) -> None:
    """Add an entry to the order's history."""
    entry = {"order_id": order.id, "at": clock.now(), "source": source, "action": action}
    bulk.insert(session, HistoryEntry, [entry | {"payload": payload(changes, call=call)}])


def note_repeat(session: Session, order: HasId, source: Source, *, evidence: str = "") -> None:
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

"""One order as its page shows it: the order, its timeline and how often it was charged.

The timeline also as text for people and as JSON for programs, both cached: a page that refreshes
itself offers them again and again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import orjson
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

NUMBER = re.compile(r"[A-Za-z0-9-]{1,40}")
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

    @property
    def is_waiting(self) -> bool:
        return self.order.is_waiting


def of_buyer(buyer: str, order_number: str) -> OrderDetail:
    """A buyer's order with its timeline. Raises OrderNotFound, for another buyer's as well.

    Cached by a version that is read first: a change during the read is a miss, never stale data.
    """
    version = None
    if is_number(order_number):
        with db.reading() as session:
            keys = {"buyer": buyer, "number": order_number}
            version = session.connection().execute(VERSION, keys).first()
    if version is None:
        raise OrderNotFound
    return _cached(settings.current().database, buyer, order_number, tuple(version))


def is_number(text: str) -> bool:
    """True for the shape of an order number; anything else is not looked up."""
    return NUMBER.fullmatch(text) is not None


@lru_cache(maxsize=1000)
def _cached(
    _database: str, buyer: str, order_number: str, _version: tuple[int | None, ...]
) -> OrderDetail:
    with db.reading() as session:
        return load(session, queries.order_of_buyer(session, buyer, order_number))


def load(session: Session, order: Order, *, for_operator: bool = False) -> OrderDetail:
    """An order with its timeline; the caller checks that the reader may see it.

    Operators' private notes are included only `for_operator`.
    """
    entries = select(HistoryEntry).where(col(HistoryEntry.order_id) == order.id)
    shown = [
        row
        for row in session.exec(entries.order_by(col(HistoryEntry.id)))
        if for_operator or row.action not in history.PRIVATE_ACTIONS
    ]
    order_events = timeline.load_events(session, order.id or 0)
    disputes = select(Dispute).where(col(Dispute.order_id) == order.id)
    view = order_view.view(
        order,
        order_view.items_of(session, [order])[order.id or 0],
        refunds_of(session, order),
        session.exec(disputes).all(),
        is_superseded=any(REPLACED in payload_of(row)["changes"] for row in shown),
    )
    return OrderDetail(
        view,
        tuple(timeline.entries_of(order, shown, order_events)),
        charge_summary.of_order(view, order_events),
    )


def refunds_of(session: Session, order: Order) -> Sequence[Refund]:
    query = select(Refund).where(col(Refund.order_id) == order.id)
    return session.exec(query.order_by(col(Refund.id))).all()


@lru_cache(maxsize=256)
def timeline_text(detail: OrderDetail) -> str:
    """The timeline for a mail or a chat; a star marks entries that changed the order."""
    charges = detail.charges
    lines = [
        f"Order {detail.order.number}: {detail.order.status}, {charges.charges_text}, "
        f"{charges.webhooks_text} ({charges.ignored} without news).",
        *(
            f"{entry.at:%Y-%m-%d %H:%M:%S.%f}"[:-3]
            + f" UTC {'*' if entry.effect == 'changed' else ' '} {entry.title}"
            + (f" ({entry.note})" if entry.note else "")
            for entry in detail.entries
        ),
    ]
    return "\n".join(lines)


@lru_cache(maxsize=256)
def timeline_json(detail: OrderDetail) -> str:
    """The same with all evidence; amounts in minor units, times in UTC."""
    order = detail.order
    document = {
        "order": {
            "number": order.number,
            "status": order.status,
            "currency": order.currency,
            "total_amount": order.total_amount,
            "refunded_amount": order.refunded_amount,
            "checkout_session": order.checkout_session_id,
            "payment_intent": order.payment_intent_id,
            "items": order.items,
            "refunds": order.refunds,
            "disputes": order.disputes,
        },
        "charges": detail.charges,
        "timeline": [
            {
                "at": entry.at,
                "source": entry.source,
                "title": entry.title,
                "effect": entry.effect,
                "late_seconds": entry.late.total_seconds() if entry.late else None,
                "evidence": dict(entry.evidence),
            }
            for entry in detail.entries
        ],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()

"""All orders and all events, for operators: searched, filtered, and a page at a time.

Pages are cut by keyset: the next one begins below the last row of this one, in an index that
has the same order, so that the last page costs what the first does. Nothing is ever counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta, tzinfo
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, collate, tuple_
from sqlalchemy.orm import defer
from sqlmodel import Session, and_, col, or_, select

from store import db, orders, views
from store.errors import OrderNotFound
from store.folding import folded
from store.models import Dispute, Order, OrderLog, Refund, StripeEvent
from store.reports import midnight

PAGE = 50
BATCH = 500
LONGEST = 200  # signs of a search
HIGHEST = "\U0010ffff"
NUMBER_SIGNS = frozenset(orders.ALPHABET + "-")

Row = TypeVar("Row", Order, StripeEvent)


@dataclass(frozen=True)
class Wanted:
    """Which orders: what their number, address or a Stripe id begins with or is, and the rest."""

    text: str = ""
    status: str = ""
    since: date | None = None
    until: date | None = None  # this day included
    zone: tzinfo = UTC

    def conditions(self) -> list[ColumnElement[bool]]:
        found = [_matches(self.text)] if self.text else []
        if self.status:
            found.append(col(Order.status) == self.status)
        if self.since:
            found.append(col(Order.created_at) >= midnight(self.since, self.zone))
        if self.until:
            day_after = self.until + timedelta(days=1)
            found.append(col(Order.created_at) < midnight(day_after, self.zone))
        return found


def wanted(query: Mapping[str, str], zone: tzinfo) -> Wanted:
    """The filter in the query of an address; a value that cannot be read is ignored."""
    status = query.get("status", "")
    return Wanted(
        text=tidy(query.get("q", "")),
        status=status if status in views.STATUS_BADGES else "",
        since=_day(query.get("from", "")),
        until=_day(query.get("until", "")),
        zone=zone,
    )


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 2200 else None


@dataclass(frozen=True)
class Page(Generic[Row]):
    """`older` names the row below which the next page begins; None on the last one."""

    rows: list[Row]
    older: str | None


@dataclass(frozen=True)
class Whole:
    """One order with everything that is known of it, for operators."""

    order: Order
    items: list[views.ItemView]
    log: list[OrderLog]
    refunds: list[Refund]
    disputes: list[Dispute]
    events: list[StripeEvent]


def tidy(text: str) -> str:
    """What somebody typed, without what no database could be asked about."""
    return "".join(sign for sign in text if sign.isprintable()).strip()[:LONGEST]


def _matches(text: str) -> ColumnElement[bool]:
    """The one index a search goes through; it says itself what it is for."""
    if text.startswith("cs_"):
        return col(Order.checkout_session_id) == text
    if text.startswith("pi_"):
        return col(Order.payment_intent_id) == text
    for prefixes, table, column in (
        (("re_", "pyr_"), Refund.order_id, Refund.stripe_refund_id),
        (("du_", "dp_"), Dispute.order_id, Dispute.stripe_dispute_id),
        (("evt_",), StripeEvent.order_id, StripeEvent.id),
    ):
        if text.startswith(prefixes):
            return col(Order.id).in_(select(table).where(col(column) == text))
    by_address = _address_begins(folded(text) or text)
    upper = text.upper()
    return or_(_number_begins(upper), by_address) if set(upper) <= NUMBER_SIGNS else by_address


def _number_begins(text: str) -> ColumnElement[bool]:
    """The range lets every database use its index, whatever its collation makes of hyphens."""
    number = col(Order.number)
    highest = text + "Z" * orders.NUMBER_LENGTH * 2
    return and_(number >= text, number <= highest, number.startswith(text, autoescape=True))


def _address_begins(text: str) -> ColumnElement[bool]:
    """A range by code points, which is how the index is sorted on either database."""
    by_code_point = "C" if db.engine().dialect.name == "postgresql" else "BINARY"
    address = collate(col(Order.email_folded), by_code_point)  # type: ignore[arg-type]
    return and_(address >= text, address < text + HIGHEST)


def found_orders(
    session: Session, wanted: Wanted, before: str = "", limit: int = PAGE
) -> Page[Order]:
    """The orders that are wanted, newest first, below the order whose id is `before`."""
    query = (
        select(Order)
        .where(*wanted.conditions())
        .order_by(col(Order.created_at).desc(), col(Order.id).desc())
        .options(defer(Order.checkout_parameters))  # type: ignore[arg-type]
    )
    if before.isdecimal() and (last := session.get(Order, int(before[:18]))):
        place = tuple_(col(Order.created_at), col(Order.id))
        query = query.where(place < (last.created_at, last.id))
    return _page(list(session.exec(query.limit(limit + 1))), limit)


def _page(rows: list[Row], limit: int) -> Page[Row]:
    more, shown = len(rows) > limit, rows[:limit]
    return Page(shown, str(shown[-1].id) if more else None)


def batches(wanted: Wanted) -> Iterator[tuple[Sequence[Order], Any]]:
    """All of them with their items, a few hundred at a time, each in a short transaction."""
    before: str | None = ""
    while before is not None:
        with db.reading() as session:
            page = found_orders(session, wanted, before, BATCH)
            items = views.items_of(session, page.rows)
        yield page.rows, items
        before = page.older


def whole(session: Session, number: str) -> Whole:
    """One order, its history, and what it is called at Stripe.

    Raises:
        OrderNotFound
    """
    order = session.exec(select(Order).where(col(Order.number) == tidy(number))).first()
    if order is None:
        raise OrderNotFound

    def rows(table: Any) -> list[Any]:
        query = select(table).where(table.order_id == order.id)
        by = StripeEvent.received_at if table is StripeEvent else table.id
        return list(session.exec(query.order_by(col(by))))

    return Whole(
        order,
        list(views.items_of(session, [order])[order.id or 0]),
        *(rows(table) for table in (OrderLog, Refund, Dispute, StripeEvent)),
    )

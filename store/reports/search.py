"""All orders and all events, for operators: searched, filtered, and a page at a time.

Pages are cut by keyset: the next one begins below the last row of this one, in an index that
has the same order, so that the last page costs what the first does. Nothing is ever counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta, tzinfo
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, collate, exists, tuple_
from sqlalchemy.orm import defer
from sqlmodel import Session, and_, col, func, or_, select

from store.core.errors import OrderNotFound
from store.core.folding import folded
from store.db import engine as db
from store.db.models import Dispute, Order, OrderItem, OrderLog, Product, Refund, StripeEvent
from store.orders import service
from store.reports import order_view
from store.reports.order_detail import midnight

PAGE = 50
BATCH = 500
FEW = 1_000  # orders of a product, up to which their ids are read first
LONGEST = 200  # signs of a search
HIGHEST = "\U0010ffff"
NUMBER_SIGNS = frozenset(service.ALPHABET + "-")

Row = TypeVar("Row", Order, StripeEvent)


@dataclass(frozen=True)
class Wanted:
    """Which orders: what their number, address or a Stripe id begins with or is, and the rest."""

    text: str = ""
    status: str = ""
    since: date | None = None
    until: date | None = None  # this day included
    zone: tzinfo = UTC

    def conditions(self, session: Session) -> list[ColumnElement[bool]]:
        found = [_matches(session, self.text)] if self.text else []
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
        status=status if status in order_view.STATUS_BADGES else "",
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
    items: list[order_view.ItemView]
    log: list[OrderLog]
    refunds: list[Refund]
    disputes: list[Dispute]
    events: list[StripeEvent]


def tidy(text: str) -> str:
    """What somebody typed, without what no database could be asked about."""
    return "".join(sign for sign in text if sign.isprintable()).strip()[:LONGEST]


def _matches(session: Session, text: str) -> ColumnElement[bool]:
    """The condition of a search: what the text begins with says which index it goes through.

    Only where no number and no address begins with it, it is looked for in products' names.
    """
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
    named = _address_begins(folded(text) or text)
    if set(text.upper()) <= NUMBER_SIGNS:
        named = or_(_number_begins(text.upper()), named)
    products = _products_called(session, text)
    if not products or session.exec(select(Order.id).where(named).limit(1)).first():
        return named
    return _has_item_of(session, products)


def _products_called(session: Session, text: str) -> list[int]:
    if not folded(text):
        return []
    names = session.exec(select(Product.id, Product.name))
    return [place for place, name in names if place and folded(text) in folded(name)]


def _has_item_of(session: Session, products: list[int]) -> ColumnElement[bool]:
    """Orders with an item of these products.

    Of a few such orders the ids are read first. Of many, a page is soon full when the newest orders
    are read one by one; a database that cannot know which it is would read every item ever sold.
    """
    order_ids = select(OrderItem.order_id).where(col(OrderItem.product_id).in_(products))
    few = session.exec(order_ids.limit(FEW + 1)).all()
    if len(few) <= FEW:
        return col(Order.id).in_(set(few))
    item = select(OrderItem.id).where(col(OrderItem.order_id) == col(Order.id) + 0)
    return exists(item.where(col(OrderItem.product_id).in_(products)))


def _number_begins(text: str) -> ColumnElement[bool]:
    """The range lets every database use its index, whatever its collation makes of hyphens."""
    number = col(Order.number)
    highest = text + "Z" * service.NUMBER_LENGTH * 2
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
        .where(*wanted.conditions(session))
        .order_by(col(Order.created_at).desc(), col(Order.id).desc())
        .options(defer(Order.checkout_parameters))  # type: ignore[arg-type]
    )
    if before.isdecimal() and (last := session.get(Order, int(before[:18]))):
        place = tuple_(col(Order.created_at), col(Order.id))
        query = query.where(place < (last.created_at, last.id))
    return _page(list(session.exec(query.limit(limit + 1))), limit)


def count_orders(session: Session, wanted: Wanted, limit: int) -> int:
    """How many orders are wanted; one more than `limit` where there are more than that."""
    some = select(Order.id).where(*wanted.conditions(session)).limit(limit + 1).subquery()
    return session.exec(select(func.count()).select_from(some)).one()


def _page(rows: list[Row], limit: int) -> Page[Row]:
    more, shown = len(rows) > limit, rows[:limit]
    return Page(shown, str(shown[-1].id) if more else None)


def batches(wanted: Wanted) -> Iterator[tuple[Sequence[Order], Any]]:
    """All of them with their items, a few hundred at a time, each in a short transaction."""
    before: str | None = ""
    while before is not None:
        with db.reading() as session:
            page = found_orders(session, wanted, before, BATCH)
            items = order_view.items_of(session, page.rows)
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
        list(order_view.items_of(session, [order])[order.id or 0]),
        *(rows(table) for table in (OrderLog, Refund, Dispute, StripeEvent)),
    )

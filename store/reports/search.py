"""Orders for operators: searched, filtered, and a page at a time.

Pagination is by keyset: the next page begins below the last row of this one, in an index of the
same order, so the last page costs as much as the first.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta, tzinfo
from typing import Generic, TypeVar

from sqlalchemy import ColumnElement, collate, exists, tuple_
from sqlmodel import Session, and_, col, func, or_, select

from store.core.errors import OrderNotFound
from store.core.text import folded
from store.db import engine as db
from store.db.models import Dispute, Order, OrderItem, Product, Refund, StripeEvent
from store.orders import queries
from store.reports import order_view
from store.reports.sales import midnight

PAGE_SIZE = 50
BATCH_SIZE = 500
MAX_IDS = 1_000  # orders of a product up to which their ids are read first
MAX_QUERY = 200  # characters of a search
MAX_CODEPOINT = "\U0010ffff"
NUMBER_CHARACTERS = frozenset(queries.ALPHABET + "-")

Row = TypeVar("Row")


@dataclass(frozen=True)
class OrderFilter:
    """What orders are searched by; `text` is a number, an email address or its beginning, a Stripe
    id, or part of a product's name.
    """

    text: str = ""
    status: str = ""
    since: date | None = None
    until: date | None = None  # inclusive
    zone: tzinfo = UTC

    def conditions(self, session: Session) -> list[ColumnElement[bool]]:
        conditions = [_matches(session, self.text)] if self.text else []
        if self.status:
            conditions.append(col(Order.status) == self.status)
        if self.since:
            conditions.append(col(Order.created_at) >= midnight(self.since, self.zone))
        if self.until:
            day_after = self.until + timedelta(days=1)
            conditions.append(col(Order.created_at) < midnight(day_after, self.zone))
        return conditions


def parse_filter(query: Mapping[str, str], zone: tzinfo) -> OrderFilter:
    """The filter in the query of a URL; invalid values are ignored."""
    status = query.get("status", "")
    return OrderFilter(
        text=clean_query(query.get("q", "")),
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
    """`older` is the id below which the next page begins; None on the last page."""

    rows: list[Row]
    older: str | None


def clean_query(text: str) -> str:
    """The search text without unprintable characters, which databases reject, and cut to length."""
    return "".join(filter(str.isprintable, text)).strip()[:MAX_QUERY]


def _matches(session: Session, text: str) -> ColumnElement[bool]:
    """Pick the columns from the prefix of the text, so that each search uses one index.

    Product names are searched only where no number and no email address begins with the text.
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
    begin, number = folded(text) or text, text.upper()
    # Ranges, so that every database uses its index: emails by code points as there, and numbers
    # also where the collation sorts hyphens in its own way.
    by_code_point = "C" if db.engine().dialect.name == "postgresql" else "BINARY"
    email = collate(col(Order.email_folded), by_code_point)  # type: ignore[arg-type]
    named = and_(email >= begin, email < begin + MAX_CODEPOINT)
    if set(number) <= NUMBER_CHARACTERS:
        numbers, highest = col(Order.number), number + "Z" * queries.NUMBER_LENGTH * 2
        begins = numbers.startswith(number, autoescape=True)
        named = or_(and_(numbers >= number, numbers <= highest, begins), named)
    products = []
    if part := folded(text):
        names = session.exec(select(Product.id, Product.name))
        products = [key for key, name in names if key and part in folded(name)]
    if not products or session.exec(select(Order.id).where(named).limit(1)).first():
        return named
    return _has_item_of(session, products)


def _has_item_of(session: Session, products: list[int]) -> ColumnElement[bool]:
    """Orders with an item of these products.

    The ids of a few are read first; of many, the newest orders one by one soon fill a page. A
    database that has to guess would read every item ever sold.
    """
    order_ids = select(OrderItem.order_id).where(col(OrderItem.product_id).in_(products))
    first = session.exec(order_ids.limit(MAX_IDS + 1)).all()
    if len(first) <= MAX_IDS:
        return col(Order.id).in_(set(first))
    item = select(OrderItem.id).where(col(OrderItem.order_id) == col(Order.id) + 0)
    return exists(item.where(col(OrderItem.product_id).in_(products)))


def search_orders(
    session: Session, filters: OrderFilter, before: str = "", limit: int = PAGE_SIZE
) -> Page[Order]:
    """The matching orders, newest first, below the order whose id is `before`."""
    query = select(Order).where(*filters.conditions(session)).options(queries.WITHOUT_PARAMETERS)
    if before.isdecimal() and (last := session.get(Order, int(before[:18]))):
        position = tuple_(col(Order.created_at), col(Order.id))
        query = query.where(position < (last.created_at, last.id))
    newest = query.order_by(col(Order.created_at).desc(), col(Order.id).desc())
    rows = list(session.exec(newest.limit(limit + 1)))
    return Page(rows[:limit], str(rows[limit - 1].id) if len(rows) > limit else None)


def count_orders(session: Session, filters: OrderFilter, limit: int) -> int:
    """The number of matching orders, or `limit` + 1 where there are more."""
    matching = select(Order.id).where(*filters.conditions(session)).limit(limit + 1).subquery()
    return session.exec(select(func.count()).select_from(matching)).one()


def order_batches(filters: OrderFilter) -> Iterator[tuple[Sequence[Order], order_view.Items]]:
    """All matching orders with their items, a few hundred per short transaction."""
    before: str | None = ""
    while before is not None:
        with db.reading() as session:
            page = search_orders(session, filters, before, BATCH_SIZE)
            items = order_view.items_of(session, page.rows)
        yield page.rows, items
        before = page.older


def find_order(session: Session, order_number: str) -> Order:
    """The order of this number, whoever placed it. Raises OrderNotFound."""
    query = select(Order).where(col(Order.number) == clean_query(order_number))
    if order := session.exec(query).first():
        return order
    raise OrderNotFound

"""Sales for the back office, by day and product, and how many orders there are of each status."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import select as select_columns
from sqlalchemy import text
from sqlmodel import Session, col, func, select

from store.core import clock, settings
from store.db.models import Order, OrderItem, Product
from store.reports import order_view


def orders_by_status(session: Session) -> dict[str, int]:
    """The number of orders of each status, 0 included."""
    counts = session.exec(select(Order.status, func.count()).group_by(col(Order.status))).all()
    return dict.fromkeys(order_view.STATUS_BADGES, 0) | dict(counts)


class PeriodTotals(NamedTuple):
    """Revenue of a period; `refunded_amount` is the part of it that was refunded since."""

    revenue_amount: int = 0
    orders: int = 0
    refunded_amount: int = 0

    @classmethod
    def sum_of(cls, parts: Iterable["PeriodTotals"]) -> "PeriodTotals":
        return cls(*map(sum, zip(cls(), *parts, strict=True)))

    @property
    def average_amount(self) -> int:
        return round(self.revenue_amount / self.orders) if self.orders else 0

    @property
    def refund_rate(self) -> float:
        return self.refunded_amount / self.revenue_amount if self.revenue_amount else 0.0


@dataclass(frozen=True)
class SalesReport:
    """One currency's sales in a period and in the one before it."""

    currency: str
    now: PeriodTotals
    before: PeriodTotals
    per_day: dict[date, PeriodTotals]
    per_product: dict[str, int]


# The days are one JSON parameter: compiling a list of them takes SQLAlchemy longer than the query.
# With `:first`, PostgreSQL reads only orders from then on; SQLite reads day by day anyway.
TOTALS_BY_DAY = {
    "sqlite": text(
        """
        SELECT key, currency, sum(total_amount), count(*), sum(refunded_amount)
        FROM json_each(:days) JOIN orders
          ON paid_at >= json_extract(value, '$[0]') AND paid_at < json_extract(value, '$[1]')
        GROUP BY key, currency
        """
    ),
    "postgresql": text(
        """
        SELECT place - 1, currency, sum(total_amount), count(*), sum(refunded_amount)
        FROM json_array_elements(CAST(:days AS json)) WITH ORDINALITY AS listed (day, place)
        JOIN orders ON paid_at >= CAST(day ->> 0 AS timestamp) AT TIME ZONE 'UTC'
          AND paid_at < CAST(day ->> 1 AS timestamp) AT TIME ZONE 'UTC'
        WHERE paid_at >= CAST(:first AS timestamp) AT TIME ZONE 'UTC' GROUP BY place, currency
        """
    ),
}


def sales_reports(session: Session, days: int, zone: tzinfo) -> list[SalesReport]:
    """One report per currency over the last `days` days of the reader's calendar, with today.

    Revenue counts paid orders by the day of payment; refunds are separate.
    """
    today = clock.now().astimezone(zone).date()
    calendar = [today - timedelta(days=back) for back in range(2 * days)][::-1]
    totals = _totals_by_day(session, calendar, zone)
    products = _revenue_by_product(session, midnight(calendar[days], zone))
    reports = []
    for currency in sorted({currency for currency, _ in totals} or {settings.current().currency}):
        per_day = {day: totals.get((currency, day), PeriodTotals()) for day in calendar}
        now = {day: per_day.pop(day) for day in calendar[days:]}  # the days before are left
        sums = PeriodTotals.sum_of(now.values()), PeriodTotals.sum_of(per_day.values())
        reports.append(SalesReport(currency, *sums, now, products.get(currency, {})))
    return reports


def midnight(day: date, zone: tzinfo) -> datetime:
    """The start of a day in this time zone, in UTC; a day may last 23 or 25 hours."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _totals_by_day(
    session: Session, calendar: Sequence[date], zone: tzinfo
) -> dict[tuple[str, date], PeriodTotals]:
    begins = [*(midnight(day, zone) for day in calendar), clock.now() + timedelta(days=1)]
    moments = [begin.replace(tzinfo=None).isoformat(" ", "microseconds") for begin in begins]
    days = {"first": moments[0], "days": json.dumps(list(pairwise(moments)))}
    rows = session.connection().execute(TOTALS_BY_DAY[session.get_bind().dialect.name], days)
    return {(currency, calendar[day]): PeriodTotals(*sums) for day, currency, *sums in rows}


def _revenue_by_product(session: Session, since: datetime) -> dict[str, dict[str, int]]:
    """Revenue by currency and today's product name, highest first, at the prices of the orders."""
    # Without `+ 0`, SQLite's planner reads every item ever sold instead of these orders' items.
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    order_id = col(Order.id) + 0 if is_sqlite else col(Order.id)
    amount = func.sum(OrderItem.unit_amount * OrderItem.quantity)
    rows = session.connection().execute(
        select_columns(col(Order.currency), col(Product.name), amount)
        .join(OrderItem, col(OrderItem.order_id) == order_id)
        .join(Product, col(Product.id) == col(OrderItem.product_id))
        .where(col(Order.paid_at) >= since)
        .group_by(col(Order.currency), col(Product.id), col(Product.name))
        .order_by(amount.desc())
    )
    revenue_by_product: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for currency, name, revenue in rows:
        products = revenue_by_product[currency]
        products[name] = products.get(name, 0) + int(revenue)
    return revenue_by_product

"""Read-only figures and tables, for the pages and the command line."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise

from sqlalchemy import select as select_columns
from sqlalchemy import text
from sqlmodel import Session, col, func, select

from store.core import clock, settings
from store.db.models import Dispute, Order, OrderItem, OrderLog, Product, Refund
from store.orders import service
from store.reports import charge_summary, order_view, timeline


@dataclass(frozen=True)
class Story:
    """One order with everything that proves how often it was charged."""

    order: order_view.OrderView
    steps: tuple[timeline.Step, ...]
    tally: charge_summary.Tally


def order_of(session: Session, buyer: str, number: str) -> order_view.OrderView:
    """One order with its history.

    Raises:
        OrderNotFound: there is none of this number, or it is a stranger's.
    """
    return story_of(session, service.owned(session, buyer, number)).order


def story_of(session: Session, order: Order, *, for_operator: bool = False) -> Story:
    """An order with its timeline; whether the reader may see it is the caller's to know.

    Operators' private remarks are in it only `for_operator`.
    """
    about, number = order.id or 0, col(OrderLog.id)
    rows = session.exec(select(OrderLog).where(col(OrderLog.order_id) == about).order_by(number))
    log = [row for row in rows if for_operator or row.action not in service.PRIVATE_ACTIONS]
    shown = order_view.view(
        order,
        order_view.items_of(session, [order])[about],
        [order_view.LogView(row.at, row.source, row.action, row.detail) for row in log],
        session.exec(
            select(Refund).where(col(Refund.order_id) == about).order_by(col(Refund.id))
        ).all(),
        session.exec(select(Dispute).where(col(Dispute.order_id) == about)).all(),
    )
    told = timeline.heard(session, about)
    return Story(
        shown, tuple(timeline.steps_of(order, log, told)), charge_summary.of_order(shown, told)
    )


def orders_by_status(session: Session) -> dict[str, int]:
    """How many orders there are of each status, the empty ones included."""
    counted = session.exec(select(Order.status, func.count()).group_by(col(Order.status))).all()
    return dict.fromkeys(order_view.STATUS_BADGES, 0) | dict(counted)


@dataclass(frozen=True)
class Sums:
    """What came in during a period; `refunded_amount` is what went back of just that."""

    revenue_amount: int = 0
    orders: int = 0
    refunded_amount: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.revenue_amount + other.revenue_amount,
            self.orders + other.orders,
            self.refunded_amount + other.refunded_amount,
        )

    @property
    def average_amount(self) -> int:
        return round(self.revenue_amount / self.orders) if self.orders else 0

    @property
    def refund_rate(self) -> float:
        return self.refunded_amount / self.revenue_amount if self.revenue_amount else 0.0


@dataclass(frozen=True)
class Figures:
    """One currency's business in a period and in the one before it."""

    currency: str
    now: Sums
    before: Sums
    per_day_sums: dict[date, Sums]
    per_product: dict[str, int]

    @property
    def per_day(self) -> dict[date, int]:
        return {day: sums.revenue_amount for day, sums in self.per_day_sums.items()}


# The days travel as one parameter: SQLAlchemy would compile a list of them anew each time, which
# took it longer than all the rest. Told where they begin, PostgreSQL reads only those orders;
# SQLite goes day by day anyway.
SUMS_BY_DAY = {
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


def figures(session: Session, days: int, zone: tzinfo) -> list[Figures]:
    """The last `days` days of the reader's calendar, today included; a currency at a time.

    Revenue is what was paid, by the day on which it was; refunds are told apart.
    """
    today = clock.now().astimezone(zone).date()
    calendar = [today - timedelta(days=back) for back in range(2 * days)][::-1]
    sums = _sums_by_day(session, calendar, zone)
    products = _revenue_by_product(session, midnight(calendar[days], zone))
    return [
        Figures(
            currency,
            sum((sums.get((currency, day), Sums()) for day in calendar[days:]), Sums()),
            sum((sums.get((currency, day), Sums()) for day in calendar[:days]), Sums()),
            {day: sums.get((currency, day), Sums()) for day in calendar[days:]},
            products.get(currency, {}),
        )
        for currency in sorted({currency for currency, _ in sums} or {settings.current().currency})
    ]


def midnight(day: date, zone: tzinfo) -> datetime:
    """When a day begins there, in UTC; days around a change of the clocks last 23 or 25 hours."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _on_sqlite(session: Session) -> bool:
    """The two reckon differently which table to read first, so they are asked differently."""
    return session.get_bind().dialect.name == "sqlite"


def _sums_by_day(
    session: Session, calendar: Sequence[date], zone: tzinfo
) -> dict[tuple[str, date], Sums]:
    begins = [*(midnight(day, zone) for day in calendar), clock.now() + timedelta(days=1)]
    moments = [begin.replace(tzinfo=None).isoformat(" ", "microseconds") for begin in begins]
    days = {"first": moments[0], "days": json.dumps(list(pairwise(moments)))}
    statement = SUMS_BY_DAY[session.get_bind().dialect.name]
    return {
        (currency, calendar[place]): Sums(revenue, count, refunded)
        for place, currency, revenue, count, refunded in session.connection().execute(
            statement, days
        )
    }


def _revenue_by_product(session: Session, since: datetime) -> dict[str, dict[str, int]]:
    """What each product brought at the prices of its orders, under today's name, most first."""
    # SQLite would rather read every item that was ever sold, were it not for the sum.
    order_id = col(Order.id) + 0 if _on_sqlite(session) else col(Order.id)
    amount = func.sum(OrderItem.unit_amount * OrderItem.quantity)
    rows = session.connection().execute(
        select_columns(col(Order.currency), col(Product.name), amount)
        .join(OrderItem, col(OrderItem.order_id) == order_id)
        .join(Product, col(Product.id) == col(OrderItem.product_id))
        .where(col(Order.paid_at) >= since)
        .group_by(col(Order.currency), col(Product.id), col(Product.name))
        .order_by(amount.desc())
    )
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for currency, name, revenue in rows:
        found[currency][name] = found[currency].get(name, 0) + int(revenue)
    return found

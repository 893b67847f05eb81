"""The sales of a period, beside those of the period before."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from store.backoffice import actions
from store.core import clock
from store.db import engine as db
from store.reports import sales
from tests.support.order_rows import change
from tests.support.shop import Shop

KEY = "0123456789abcdef" * 2


def test_sales_are_shown_beside_those_of_the_period_before(shop: Shop) -> None:
    today, week_ago, older = (Shop(shop.stripe, shop.server).a_paid_order() for _ in range(3))
    change(week_ago, paid_at=clock.now() - timedelta(days=7), total_amount=1000)
    change(older, paid_at=clock.now() - timedelta(days=14), total_amount=5)
    actions.refund("Ada", today, 1999, key=KEY, shown_left=3998)

    with db.reading() as session:
        (usd,) = sales.sales_reports(session, 7, UTC)

    assert (usd.currency, usd.now, usd.before) == (
        "usd",
        sales.PeriodTotals(3998, 1, 1999),
        sales.PeriodTotals(1000, 1, 0),
    )
    assert (usd.now.average_amount, usd.now.refund_rate) == (3998, 0.5)
    assert [sums.revenue_amount for sums in usd.per_day.values()] == [0, 0, 0, 0, 0, 0, 3998]
    assert usd.per_product == {"Red T-Shirt": 3998}


def test_currencies_are_never_added_up(shop: Shop) -> None:
    dollars, euros = (Shop(shop.stripe, shop.server).a_paid_order() for _ in range(2))
    change(euros, currency="eur")

    with db.reading() as session:
        reports = sales.sales_reports(session, 7, UTC)

    assert [(each.currency, each.now.revenue_amount) for each in reports] == [
        ("eur", 3998),
        ("usd", 3998),
    ]
    assert dollars != euros


def test_a_day_is_the_readers(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    number = shop.a_paid_order()
    change(number, paid_at=datetime(2026, 3, 28, 23, 30, tzinfo=UTC))
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 3, 30, 12, tzinfo=UTC))

    with db.reading() as session:
        (here,) = sales.sales_reports(session, 7, UTC)
        (there,) = sales.sales_reports(session, 7, ZoneInfo("Europe/Berlin"))  # the clocks change

    assert [day.day for day, sums in here.per_day.items() if sums.orders] == [28]
    assert [day.day for day, sums in there.per_day.items() if sums.orders] == [29]


def test_a_shop_where_nothing_happened_has_figures_too(shop: Shop) -> None:
    with db.reading() as session:
        (usd,) = sales.sales_reports(session, 30, UTC)

    assert (usd.now, usd.now.average_amount, usd.now.refund_rate) == (sales.PeriodTotals(), 0, 0.0)
    assert len(usd.per_day) == 30

"""Overview: what came in during a period, beside the period before, in figures and charts."""

import json
from collections.abc import Sequence
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

import streamlit as st

from store.backoffice.pages_common import reader
from store.core import money
from store.db import engine as db
from store.reports import sales
from store.reports.sales import SalesReport
from store.web import rendering

PERIODS = {f"{days} days": days for days in (7, 30, 90)}
DEFAULT_PERIOD = "30 days"
CHART_HEIGHT = 260
SPARKLINES = Path(__file__).parent / "static" / "sparklines.js"
VALUE = "format(datum.value, '.12~g')"  # of an axis label, in Vega's language


def render() -> None:
    """Everything about the chosen period, a currency at a time."""
    with st.container(horizontal=True, vertical_alignment="center", key="overview-head"):
        st.html("<h1>Overview</h1>")
        period = st.segmented_control(
            "Period",
            list(PERIODS),
            default=DEFAULT_PERIOD,
            key="period",
            bind="query-params",
            required=True,
            label_visibility="collapsed",
        )
    days = PERIODS[period or DEFAULT_PERIOD]
    with db.reading() as session:
        currencies = sales.sales_reports(session, days, reader().zone)
    for figures in currencies:
        if len(currencies) > 1:
            st.subheader(figures.currency.upper())
        metrics(figures, days)
        revenue_charts(figures)


def metrics(figures: SalesReport, days: int) -> None:
    """Each figure beside the period before, or none of them where that had no payment."""
    now, price = figures.now, reader().price
    with st.container(key=f"metrics-{figures.currency}"):
        metric("Revenue", price(now.revenue_amount, figures.currency), figures, "revenue_amount")
        metric("Paid orders", reader().number(now.orders), figures, "orders")
        average = price(now.average_amount, figures.currency) if now.orders else "–"
        metric("Average order", average, figures, "average_amount")
        rate = reader().percent(now.refund_rate, 1) if now.orders else "–"
        metric("Refund rate", rate, figures, "refund_rate")
    st.html(rendering.script(SPARKLINES), unsafe_allow_javascript=True)
    st.caption(rendering.literal(explanation(figures, days)))


def explanation(figures: SalesReport, days: int) -> str:
    refunded, returned = figures.now.refunded_amount, ""
    if refunded:
        returned = f"; {reader().price(refunded, figures.currency)} of it was refunded"
    compared = f"Nothing was paid in the {days} days before, so there is nothing to compare with."
    if figures.before.orders:
        compared = f"The arrows compare with the {days} days before."
    return f"Revenue is what was paid, on the day it was paid by your clock{returned}. {compared}"


def metric(label: str, value: str, figures: SalesReport, name: str) -> None:
    """One figure, an attribute `name` of `PeriodTotals`, with its change and its course."""
    delta, direction = change(figures, name)
    is_good = (direction == "up") != (name == "refund_rate")
    color: Any = "green" if is_good else "red"
    st.metric(
        label,
        rendering.literal(value),
        rendering.literal(delta) if delta else None,
        delta_arrow=direction,
        delta_color="off" if direction == "off" else color,
        border=True,
        chart_data=[getattr(totals, name) for totals in figures.per_day.values()],
        chart_type="area",
    )


def change(figures: SalesReport, name: str) -> tuple[str, Any]:
    """The difference to the period before in words, and the direction of its arrow."""
    now, before = getattr(figures.now, name), getattr(figures.before, name)
    is_average = name in ("average_amount", "refund_rate")
    if not figures.before.orders or (is_average and not figures.now.orders):
        return "", "off"
    if abs(now - before) < 0.0005:
        return "as before", "off"
    size = reader().percent(abs(now - before) / before if before else 0)
    if name == "refund_rate":
        size = f"{reader().number(round(abs(now - before) * 100, 1))} points"
    return size, "up" if now > before else "down"


def revenue_charts(figures: SalesReport) -> None:
    per_day = [(reader().day(day), sums.revenue_amount) for day, sums in figures.per_day.items()]
    per_product = list(figures.per_product.items())
    name = {"field": "name", "type": "ordinal", "sort": None, "title": None}
    days = {"labelAngle": 0, "labelOverlap": "greedy", "labelSeparation": 12, "ticks": False}
    products = {"labelLimit": 150, "ticks": False}
    axes = {"x": name | {"axis": days}, "y": revenue_axis(figures, per_day)}
    chart_and_table(figures, "Revenue per day", per_day, axes)
    axes = {"y": name | {"axis": products}, "x": revenue_axis(figures, per_product)}
    chart_and_table(figures, "Revenue per product", per_product, axes)


def chart_and_table(
    figures: SalesReport, title: str, rows: Sequence[tuple[str, int]], axes: dict[str, Any]
) -> None:
    """A bar chart and, beside it, the same values in words; days without revenue are left out."""
    price, currency = reader().price, figures.currency
    paid = [(name, price(amount, currency)) for name, amount in rows if amount]
    st.subheader(title)
    if not paid:
        st.caption("Nothing was paid in these days.")
        return
    data = [
        {"name": name, "revenue": in_major_units(figures, amount), "text": price(amount, currency)}
        for name, amount in rows
    ]
    tooltip = [{"field": "name", "title": " "}, {"field": "text", "title": "Revenue"}]
    chart, table = st.columns([2, 1], gap="medium")
    chart.vega_lite_chart(
        data,
        {"mark": {"type": "bar", "cornerRadiusEnd": 3}, "encoding": axes | {"tooltip": tooltip}},
        height=CHART_HEIGHT,
        alt=f"{title}. {'; '.join(f'{name}: {text}' for name, text in paid)}.",
    )
    table.dataframe(
        {title.rsplit(" ", 1)[1].capitalize(): dict(paid).keys(), "Revenue": dict(paid).values()},
        hide_index=True,
        height=min(CHART_HEIGHT, 35 * len(paid) + 38),
        column_config={"Revenue": st.column_config.TextColumn(alignment="right")},
        alt=title,
    )


def revenue_axis(figures: SalesReport, rows: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """Round steps to just above the largest value, with labels as the reader writes money."""
    top = max((in_major_units(figures, amount) for _, amount in rows), default=0.0)
    power = 10.0 ** floor(log10(top / 4)) if top > 0 else 1.0
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= top / 4)
    values = [step * count for count in range(ceil(top / step) + 1)]
    labels = {f"{value:g}": reader().short_price(value, figures.currency) for value in values}
    return {
        "field": "revenue",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [0, values[-1]]},
        "axis": {"values": values, "labelExpr": f"{json.dumps(labels)}[{VALUE}]"},
    }


def in_major_units(figures: SalesReport, amount: int) -> float:
    return float(money.to_major_units(amount, figures.currency))

"""The first page of the back office: what came in, beside what came in before."""

from collections.abc import Iterator
from typing import Any

import streamlit as st

from store import clock, db, markup, money, reports
from store.backoffice.pages_common import reader
from store.markup import Reader
from store.reports import Figures

PERIODS = (7, 30, 90)
Block = str | list[dict[str, Any]]  # HTML, or the arguments of bar charts side by side


def render() -> None:
    for block in blocks(st.query_params.get("days", ""), reader()):
        if isinstance(block, str):
            st.html(block)
            continue
        for place, chart in zip(st.columns([2, 1]), block, strict=True):
            place.bar_chart(**chart)


def blocks(said: str, reader: Reader) -> Iterator[Block]:
    """What came in, currency by currency, with two charts that tables tell as well."""
    days = int(said) if said in map(str, PERIODS) else PERIODS[1]
    yield markup.office_piece("periods", periods=PERIODS, days=days)
    with db.reading() as session:
        every = reports.figures(session, days, reader.zone)
    for found in every:
        yield sums(found, days, reader)
        yield charts(found, reader)
        yield tables(found, reader)


def sums(found: Figures, days: int, reader: Reader) -> str:
    """The four figures of a currency, each beside the period before."""
    now, before, currency = found.now, found.before, found.currency
    cards: list[tuple[str, str, str]] = [
        (
            "Revenue",
            reader.price(now.revenue_amount, currency),
            change(now.revenue_amount, before.revenue_amount),
        ),
        ("Paid orders", str(now.orders), change(now.orders, before.orders)),
        (
            "Average order",
            reader.price(now.average_amount, currency),
            change(now.average_amount, before.average_amount),
        ),
        ("Refund rate", f"{now.refund_rate:.1%}", points(now.refund_rate - before.refund_rate)),
    ]
    return markup.office_piece(
        "sums",
        reader,
        cards=cards,
        currency=currency.upper(),
        days=days,
        refunded=reader.price(now.refunded_amount, currency) if now.refunded_amount else "",
    )


def change(now: int, before: int) -> str:
    if now == before:
        return "as before"
    if not before:
        return "nothing before"
    share = (now - before) / before
    return f"{'▲' if share > 0 else '▼'} {abs(share):.0%}"


def points(difference: float) -> str:
    if abs(difference) < 0.0005:
        return "as before"
    return f"{'▲' if difference > 0 else '▼'} {abs(difference) * 100:.1f} points"


def charts(found: Figures, reader: Reader) -> list[dict[str, Any]]:
    """Revenue per day and per product: the arguments of two bar charts, with words for each."""
    unit, code = f"Revenue in {found.currency.upper()}", found.currency

    def major(amounts: Any) -> list[float]:
        return [float(money.major(amount, code)) for amount in amounts]

    def told(pairs: Any) -> str:
        return "; ".join(f"{name}: {reader.price(amount, code)}" for name, amount in pairs)

    days = [(day.isoformat(), amount) for day, amount in found.per_day.items() if amount]
    few = len(found.per_day) <= PERIODS[0]  # then each day has a name, else the axis has dates
    named = [reader.day(day) if few else day for day in found.per_day]
    return [
        {
            "data": {"Day": named, unit: major(found.per_day.values())},
            "x": "Day",
            "y": unit,
            "x_label": "",
            "height": 260,
            "sort": False,
            "alt": f"Revenue per day. {told(days) or 'None yet'}. Every other day: nothing.",
        },
        {
            "data": {
                "Product": list(found.per_product),
                unit: major(found.per_product.values()),
            },
            "x": "Product",
            "y": unit,
            "x_label": "",
            "height": 260,
            "horizontal": True,
            "sort": f"-{unit}",
            "alt": f"Revenue per product. {told(found.per_product.items()) or 'None yet'}.",
        },
    ]


def tables(found: Figures, reader: Reader) -> str:
    """The same as the charts, in figures."""
    days = {day: amount for day, amount in found.per_day.items() if amount}
    return markup.office_piece("tables", reader, found=found, days=days, today=clock.now().date())

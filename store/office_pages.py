"""The pages of the back office as HTML: what each address shows, read afresh each time."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from store import (
    assortment,
    bookkeeping,
    clock,
    db,
    health,
    listing,
    markup,
    money,
    pictures,
    refunds,
    reports,
    settings,
)
from store.errors import StoreError
from store.listing import Wanted
from store.markup import Reader
from store.office import Visit
from store.reports import Figures
from store.views import STATUS_BADGES

Asked = Mapping[str, str]  # the query of the page's address
Block = str | list[dict[str, Any]]  # HTML, or the arguments of bar charts side by side
VIEWS = {
    "figures": "Figures",
    "orders": "Orders",
    "products": "Products",
    "webhooks": "Webhooks",
    "books": "Books",
}
PERIODS = (7, 30, 90)
FILTERS = ("q", "status", "from", "until")


def view_of(asked: Asked) -> str:
    view = "orders" if "order" in asked else asked.get("view", "")
    return view if view in VIEWS else "figures"


def address(asked: Asked, path: str = "/back-office", **more: str) -> str:
    """The address of what is asked for with something changed; what is empty is left out."""
    query = {name: value for name, value in {**asked, **more}.items() if value}
    return f"{path}?{urlencode(query)}" if query else path


def wanted(asked: Asked, reader: Reader) -> Wanted:
    """The filter in an address; what cannot be understood is as good as not said."""
    status = asked.get("status", "")
    return Wanted(
        text=listing.tidy(asked.get("q", "")),
        status=status if status in STATUS_BADGES else "",
        since=_day(asked.get("from", "")),
        until=_day(asked.get("until", "")),
        zone=reader.zone,
    )


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year < 2200 else None


def head(visit: Visit, asked: Asked) -> str:
    return markup.office_piece("head", operator=visit.name, view=view_of(asked), views=VIEWS)


def lights() -> str:
    return markup.office_piece("lights", lights=health.WATCH.lights())


def page(asked: Asked, reader: Reader) -> list[Block]:
    """The view that is asked for, or one sentence where there is none."""
    try:
        if "order" not in asked and view_of(asked) == "figures":
            return list(figures(asked, reader))
        return [PAGES["order" if "order" in asked else view_of(asked)](asked, reader)]
    except StoreError as error:
        return [markup.office_piece("trouble", reader, sentence=str(error))]


def orders(asked: Asked, reader: Reader) -> str:
    asked = {name: value for name, value in asked.items() if name in (*FILTERS, "before")}
    with db.reading() as session:
        found = listing.found_orders(session, wanted(asked, reader), asked.get("before", ""))
    chosen = {name: asked[name] for name in FILTERS if asked.get(name)}
    here = {"view": "orders", **chosen}
    return markup.office_piece(
        "orders",
        reader,
        rows=found.rows,
        chosen=chosen,
        older=address(here, before=found.older) if found.older else "",
        newest=address(here) if asked.get("before") else "",
        export=address(chosen, "/back-office/orders.csv", zone=str(reader.zone)),
    )


def order(asked: Asked, reader: Reader) -> str:
    with db.reading() as session:
        found = listing.whole(session, asked["order"])
    left = refunds.left_amount(found.order, found.refunds)
    currency = found.order.currency
    return markup.office_piece(
        "order",
        reader,
        found=found,
        order=found.order,
        left=left,
        left_major=str(money.major(left, currency)),
        decimals=money.decimals(currency),
        key=secrets.token_hex(16),
    )


def products(asked: Asked, reader: Reader) -> str:
    with db.reading() as session:
        every = assortment.every(session)
    text, shown = listing.tidy(asked.get("q", "")).lower(), asked.get("shown", "")
    fitting = [
        product
        for product in every
        if text in f"{product.name} {product.slug}".lower()
        and shown in ("", "active" if product.active else "inactive")
    ]
    return markup.office_piece(
        "products",
        reader,
        products=fitting,
        images=pictures.listed(),
        text=text,
        shown=shown,
        major=lambda product: str(money.major(product.unit_amount, product.currency)),
        limits=assortment,
        currency=settings.current().currency,
    )


def webhooks(asked: Asked, reader: Reader) -> str:
    outcome = asked.get("outcome", "")
    outcome = outcome if outcome in listing.OUTCOMES else ""
    with db.reading() as session:
        found = listing.found_events(session, outcome, before=listing.tidy(asked.get("before", "")))
        numbers = listing.numbers_of(session, found.rows)
        disputes = listing.disputes(session)
    here = {"view": "webhooks", "outcome": outcome}
    return markup.office_piece(
        "webhooks",
        reader,
        rows=found.rows,
        numbers=numbers,
        disputes=disputes,
        outcome=outcome,
        outcomes=listing.OUTCOMES,
        here=address({**here, "before": asked.get("before", "")}),
        older=address(here, before=found.older) if found.older else "",
        newest=address(here) if asked.get("before") else "",
    )


def books(_asked: Asked, reader: Reader) -> str:
    keeper = bookkeeping.KEEPER
    return markup.office_piece("books", reader, task=keeper.task, audited=keeper.audited)


PAGES: Mapping[str, Callable[[Asked, Reader], str]] = {
    "orders": orders,
    "order": order,
    "products": products,
    "webhooks": webhooks,
    "books": books,
}


def is_changing(asked: Asked) -> bool:
    """True while this page may tell something new from one moment to the next."""
    return view_of(asked) == "books" and bookkeeping.KEEPER.busy


# --- figures -------------------------------------------------------------------------------------


def figures(asked: Asked, reader: Reader) -> Iterator[Block]:
    """What came in, currency by currency, with two charts that tables tell as well."""
    said = asked.get("days", "")
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
    return [
        {
            "data": {"Day": list(found.per_day), unit: major(found.per_day.values())},
            "x": "Day",
            "y": unit,
            "x_label": "",
            "height": 260,
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

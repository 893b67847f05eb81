"""The pages of the back office as HTML: what each address shows, read afresh each time."""

import secrets
from collections.abc import Callable, Mapping
from datetime import date
from urllib.parse import urlencode

from store import (
    assortment,
    bookkeeping,
    db,
    health,
    listing,
    markup,
    money,
    office_figures,
    pictures,
    proof,
    refunds,
    reports,
    settings,
)
from store.errors import StoreError
from store.folding import folded
from store.listing import Wanted
from store.markup import Reader
from store.office import Visit
from store.office_figures import Block
from store.views import STATUS_BADGES

Asked = Mapping[str, str]  # the query of the page's address
VIEWS = {
    "figures": "Figures",
    "orders": "Orders",
    "products": "Products",
    "webhooks": "Webhooks",
    "books": "Books",
}
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
        if view_of(asked) == "figures":
            return list(office_figures.blocks(asked.get("days", ""), reader))
        if "order" in asked:
            return order(asked, reader)
        return [PAGES[view_of(asked)](asked, reader)]
    except StoreError as error:
        return [markup.office_piece("trouble", reader, sentence=error.for_operator)]


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


def order(asked: Asked, reader: Reader) -> list[Block]:
    with db.reading() as session:
        found = listing.whole(session, asked["order"])
        story = reports.story_of(session, found.order)
    left = refunds.left_amount(found.order, found.refunds)
    currency = found.order.currency
    shown = markup.office_piece(
        "order",
        reader,
        found=found,
        order=found.order,
        story=story,
        text=proof.as_text(story),
        data=proof.as_json(story),
        left=left,
        left_major=str(money.major(left, currency)),
        decimals=money.decimals(currency),
        key=secrets.token_hex(16),
    )
    return [markup.piece("tally", reader, tally=story.tally, here=found.order.number), shown]


def products(asked: Asked, reader: Reader) -> str:
    with db.reading() as session:
        every = assortment.every(session)
    text, shown = listing.tidy(asked.get("q", "")), asked.get("shown", "")
    fitting = [
        product
        for product in every
        if folded(text) in folded(f"{product.name} {product.slug}")
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
    with db.reading() as session:
        overdue = refunds.overdue(session)
    return markup.office_piece(
        "books", reader, task=keeper.task, audited=keeper.audited, overdue=overdue
    )


PAGES: Mapping[str, Callable[[Asked, Reader], str]] = {
    "orders": orders,
    "products": products,
    "webhooks": webhooks,
    "books": books,
}


def is_changing(asked: Asked) -> bool:
    """True while this page may tell something new from one moment to the next."""
    return view_of(asked) == "books" and bookkeeping.KEEPER.busy

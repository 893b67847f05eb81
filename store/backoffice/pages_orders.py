"""Orders: the list with its filter, and one order with everything that is known of it."""

import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

import streamlit as st

from store import db, listing, markup, money, proof, refunds, reports
from store.backoffice.pages_common import put, reader
from store.backoffice.sign_in import ADDRESSES

Query = Mapping[str, str]  # of the page's address
FILTERS = ("q", "status", "from", "until")


def render() -> None:
    """The order that the address names, else the list."""
    query = st.query_params.to_dict()
    if "order" in query:
        order(query["order"])
    else:
        orders(query)


def address(query: Query, path: str = ADDRESSES["orders"]) -> str:
    """`path` with a query; empty values are left out."""
    query = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(query)}" if query else path


def orders(query: Query) -> None:
    with db.reading() as session:
        page = listing.found_orders(
            session, listing.wanted(query, reader().zone), query.get("before", "")
        )
    chosen = {name: query[name] for name in FILTERS if query.get(name)}
    put(
        "orders",
        rows=page.rows,
        chosen=chosen,
        older=address({**chosen, "before": page.older}) if page.older else "",
        newest=address(chosen) if query.get("before") else "",
        export=address({**chosen, "zone": str(reader().zone)}, "/back-office/orders.csv"),
    )


def order(order_number: str) -> None:
    with db.reading() as session:
        detail = listing.whole(session, order_number)
        story = reports.story_of(session, detail.order)
    left = refunds.left_amount(detail.order, detail.refunds)
    currency = detail.order.currency
    st.html(markup.piece("tally", reader(), tally=story.tally, here=detail.order.number))
    put(
        "order",
        found=detail,
        order=detail.order,
        story=story,
        text=proof.as_text(story),
        data=proof.as_json(story),
        left=left,
        left_major=str(money.major(left, currency)),
        decimals=money.decimals(currency),
        key=secrets.token_hex(16),
    )

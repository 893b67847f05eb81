"""Orders: the list with its filter, a page at a time, and one order with its actions."""

import secrets
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from store.backoffice import actions, pages_refunds
from store.backoffice.pages_common import OperatorAction, put, reader
from store.core.order_status import PAYABLE_CHECKOUT
from store.db import engine as db
from store.db.models import Order
from store.orders import refunds
from store.reports import order_detail, order_view, search
from store.web import rendering

ANY = "Any"
STATUS_OF_WORD = {badge.word: status for status, badge in order_view.STATUS_BADGES.items()}
COUNTED = 10_000  # orders; counting more of them would take longer than reading a page of them
FIELDS = ("q", "status", "from", "until")  # of the filter; also the names in the address
FILTER = "orders_filter"  # their values, while an order is open

check_with_stripe = OperatorAction(actions.refresh_order)
cancel = OperatorAction(actions.cancel)
add_note = OperatorAction(actions.add_note)


def render() -> None:
    """The order that the address names, else the list."""
    if order_number := st.query_params.get("order"):
        st.button("← All orders", type="tertiary", on_click=show_list)
        order_page(order_number)
    else:
        order_list()


def open_order(order_number: str) -> None:
    st.query_params.from_dict({"order": order_number})


def show_list() -> None:
    """Back to the list as it was filtered before the order was opened."""
    st.query_params.pop("order", None)
    st.session_state.update(st.session_state.pop(FILTER, {}))


def order_list() -> None:
    st.html("<h1>Orders</h1>")
    query = filter_of_address()
    order_filter = search.parse_filter(query, reader().zone)
    with db.reading() as session:
        page = search.search_orders(session, order_filter, st.query_params.get("before", ""))
        count = search.count_orders(session, order_filter, COUNTED)
        items = order_view.items_of(session, page.rows)
    st.session_state[FILTER] = {key: st.session_state[key] for key in FIELDS}
    export = urlencode({**query, "zone": str(reader().zone)})
    put("count", count=count, most=COUNTED, query=export)
    if not page.rows:
        put("no_orders", filtered=bool(query))
        return
    table(page.rows, items)
    with st.container(horizontal=True, key="orders-pages"):
        if "before" in st.query_params:
            st.button("Newest", on_click=turn_page, args=("",))
        if page.older:
            st.button("Older", on_click=turn_page, args=(page.older,))


def filter_of_address() -> dict[str, str]:
    """The fields of the filter, which live in the page's address; empty ones are left out."""
    options: dict[str, Any] = {"bind": "query-params", "on_change": turn_page, "args": ("",)}
    with st.container(horizontal=True, vertical_alignment="bottom", key="orders-filter"):
        text = st.text_input(
            "Number, email, Stripe id or product",
            key="q",
            icon=":material/search:",
            max_chars=search.MAX_QUERY,
            **options,
        )
        words = [ANY, *STATUS_OF_WORD]
        status = st.selectbox("Status", words, key="status", width=190, **options)
        since = st.date_input("From", None, key="from", width=140, **options)
        until = st.date_input("Until", None, key="until", width=140, **options)
    query = {"q": text, "status": STATUS_OF_WORD.get(status or ANY), "from": since, "until": until}
    return {name: str(value) for name, value in query.items() if value}


def turn_page(before: str) -> None:
    """Show the orders below the one whose id is `before`, or the newest ones."""
    if before:
        st.query_params["before"] = before
    else:
        st.query_params.pop("before", None)


def table(orders: Sequence[Order], items: order_view.Items) -> None:
    """Sortable by each column: cells hold numbers and times and show them in the reader's way."""
    import pandas as pd  # noqa: PLC0415 - takes half a second, which a starting shop has not

    local, badges = reader(), [order_view.STATUS_BADGES[order.status] for order in orders]
    columns = {  # what a phone has no room for comes last
        "Order": [order.number for order in orders],
        "Status": [f"{badge.glyph} {badge.word}" for badge in badges],
        "Total": [order.total_amount for order in orders],
        "Refunded": [order.refunded_amount or None for order in orders],
        "Placed": [order.created_at for order in orders],
        "Items": [local.items(items[order.id or 0]) for order in orders],
        "Email": [order.email or "" for order in orders],
    }
    styler = pd.DataFrame(columns).style.format(local.moment, subset=["Placed"])
    for currency in {order.currency for order in orders}:
        rows = [place for place, order in enumerate(orders) if order.currency == currency]
        styler.format(
            lambda amount, currency=currency: local.price(int(amount), currency),
            na_rep="",
            subset=pd.IndexSlice[rows, ["Total", "Refunded"]],
        )
    number = st.column_config.ButtonColumn(
        type="tertiary", alignment="left", key="opened", on_click=open_clicked_order
    )
    state = st.dataframe(
        styler,
        hide_index=True,
        height=35 * len(orders) + 38,
        column_config={"Order": number},
        on_select="rerun",
        selection_mode="single-row",
        key="orders-table",
        placeholder="",
        alt="Orders, newest first",
    )
    if selected := state.selection.rows:
        open_order(orders[selected[0]].number)
        st.rerun()


def open_clicked_order() -> None:
    open_order(st.session_state.opened.label)


def order_page(order_number: str) -> None:
    with db.reading() as session:
        order = search.find_order(session, order_number)
        refund_rows = order_detail.refunds_of(session, order)
        story = order_detail.load(session, order, for_operator=True)
    put("charge_summary", "storefront", charges=story.charges, here=order.number)
    put("order_head", order=order)
    facts, history = st.columns([1.35, 1], gap="large")
    with facts:
        buttons(order, refunds.left_amount(order, refund_rows))
        with st.container(border=True, key="receipt"):
            put("receipt", "storefront", order=story.order)
        for row in refund_rows:
            pages_refunds.refund_row(order, row)
        put("at_stripe", order=order)
    with history, st.container(key="proof"):
        html = rendering.render("storefront", "timeline", reader(), detail=story)
        st.html(html, unsafe_allow_javascript=True)
        with st.form("note", clear_on_submit=True, border=False):
            st.text_input("Add a note", key="note_text", max_chars=actions.MAX_NOTE_LENGTH)
            with st.container(horizontal=True, vertical_alignment="center"):
                st.checkbox("Show to the buyer", key="note_is_public")
                st.form_submit_button("Add", on_click=submit_note, args=(order.number,))


def buttons(order: Order, left: int) -> None:
    """The actions that are possible now, and why a refund is not."""
    with st.container(horizontal=True, vertical_alignment="center", key="order-actions"):
        if left > 0 and order.status != "disputed" and st.button("Refund…", type="primary"):
            pages_refunds.ask_for_refund(order, left, key=secrets.token_hex(16))
        st.button("Check with Stripe", on_click=check_with_stripe, args=(order.number,))
        if order.checkout_status in PAYABLE_CHECKOUT:
            st.button("Cancel this order", on_click=cancel, args=(order.number,))
    put("refund_hint", order=order, left=left)


def submit_note(order_number: str) -> None:
    add_note(order_number, st.session_state.note_text, is_public=st.session_state.note_is_public)

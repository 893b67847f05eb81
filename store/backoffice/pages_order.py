"""The page of one order: its data, timeline and actions."""

import streamlit as st

from store.backoffice import actions, pages_refunds
from store.backoffice.pages_common import (
    operator_action,
    put,
    reader,
)
from store.core.order_status import PAYABLE_CHECKOUT
from store.db import engine as db
from store.orders import refunds
from store.reports import order_detail, search
from store.reports.search import OrderRecord
from store.web import rendering

check_with_stripe = operator_action(actions.refresh_order)
cancel = operator_action(actions.cancel)
add_note = operator_action(actions.add_note)


def render(order_number: str) -> None:
    with db.reading() as session:
        detail = search.order_record(session, order_number)
        story = order_detail.load(session, detail.order, for_operator=True)
    number = detail.order.number
    st.html(
        rendering.render(
            "storefront", "charge_summary", reader(), charges=story.charges, here=number
        )
    )
    put("order_head", order=detail.order)
    pages_refunds.show_dialog(number)
    facts, history = st.columns([1.35, 1], gap="large")
    with facts:
        buttons(detail)
        with st.container(border=True, key="receipt"):
            st.html(rendering.render("storefront", "receipt", reader(), order=story.order))
        for row in detail.refunds:
            pages_refunds.refund_row(detail.order, row)
        put("at_stripe", order=detail.order)
    with history, st.container(key="proof"):
        st.html(rendering.timeline(story, reader()), unsafe_allow_javascript=True)
        note_form(number)


def buttons(detail: OrderRecord) -> None:
    """The actions that are possible now, and why a refund is not."""
    order = detail.order
    left = refunds.left_amount(order, detail.refunds)
    with st.container(horizontal=True, vertical_alignment="center", key="order-actions"):
        if left > 0 and order.status != "disputed":
            args = (order, left)
            st.button("Refund…", type="primary", on_click=pages_refunds.open_dialog, args=args)
        st.button("Check with Stripe", on_click=check_with_stripe, args=(order.number,))
        if order.checkout_status in PAYABLE_CHECKOUT:
            st.button("Cancel this order", on_click=cancel, args=(order.number,))
    put("refund_hint", order=order, left=left)


def note_form(order_number: str) -> None:
    with st.form("note", clear_on_submit=True, border=False):
        st.text_input("Add a note", key="note_text", max_chars=actions.MAX_NOTE_LENGTH)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.checkbox("Show to the buyer", key="note_is_public")
            st.form_submit_button("Add", on_click=submit_note, args=(order_number,))


def submit_note(order_number: str) -> None:
    add_note(order_number, st.session_state.note_text, is_public=st.session_state.note_is_public)

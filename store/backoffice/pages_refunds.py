"""Refunds in the back office: the dialog that makes one, and the state of each."""

import streamlit as st

from store.backoffice import actions
from store.backoffice.pages_common import OperatorAction, put, reader, require_operator, show_next
from store.core import money
from store.core.errors import StoreError
from store.db.models import Order, Refund
from store.web.rendering import literal

retry = OperatorAction(actions.retry_refund)
call_off = OperatorAction(actions.call_off_refund)
REASONS = ("Requested by the buyer", "Damaged or missing", "Duplicate order", "Fraudulent")


@st.dialog("Refund this order")
def ask_for_refund(order: Order, left_amount: int, key: str) -> None:
    """Ask for the amount and the reason; an error is shown below the amount, which is kept.

    `key` is new for each opening. After two clicks, in two tabs or on a rerun, the second request
    finds the first one's refund, because the key is unique in the database. A dialog that shows an
    outdated amount is refused under the order's lock. If the process dies before the refund is
    committed, nothing has happened; after that, the reconciler submits it.
    """
    require_operator()
    local = reader()
    left = local.price(left_amount, order.currency)
    st.text(f"Order {order.number}: {left} can be refunded. Stripe sends it to the buyer.")
    with st.form("refund", border=False):
        amount = st.text_input(
            f"Amount in {order.currency.upper()}",
            money.input_text(left_amount, order.currency, local.language),
            autocomplete="off",
        )
        place = st.empty()
        reason = st.selectbox(
            "Reason (not shown to the buyer)", REASONS, accept_new_options=True, index=0
        )
        confirmed = st.form_submit_button("Refund", type="primary", width="stretch")
    if not confirmed:
        return
    try:
        show_next(refund.run(order, amount, left_amount, key, reason or ""))
    except StoreError as problem:
        place.error(literal(problem.for_operator))
        return
    st.rerun()


@OperatorAction
def refund(operator: str, order: Order, written: str, left: int, key: str, reason: str) -> str:
    amount = actions.refund_amount(written, order.currency, left, reader().language)
    return actions.refund(operator, order.number, amount, key=key, shown_left=left, reason=reason)


def refund_row(order: Order, row: Refund, *, name_order: bool = False) -> None:
    """One refund and its state; one not accepted by Stripe can be submitted again or called off."""
    with st.container(horizontal=True, vertical_alignment="center", key=f"refund-{row.id}"):
        put("refund", order=order, refund=row, name_order=name_order)
        if not row.is_unsent:
            return
        args = (order.number, row.id)
        st.button("Try again now", key=f"retry-{row.id}", on_click=retry, args=args)
        if row.reason != "duplicate":
            st.button("Call off", key=f"call-off-{row.id}", on_click=call_off, args=args)

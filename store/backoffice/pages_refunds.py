"""Refunds in the back office: the dialog that makes one, and the state of each."""

import secrets
from dataclasses import dataclass

import streamlit as st

from store.backoffice import actions
from store.backoffice.pages_common import operator_action, put, reader, require_operator, show_next
from store.core import money
from store.core.errors import StoreError
from store.db.models import Order, Refund
from store.web.rendering import literal

retry = operator_action(actions.retry_refund)
call_off = operator_action(actions.call_off_refund)
DIALOG = "refund_dialog"
REASONS = ("Requested by the buyer", "Damaged or missing", "Duplicate order", "Fraudulent")


@dataclass(frozen=True)
class RefundDialog:
    """One opening of the dialog. Its key makes the refund, so sending it twice refunds once."""

    order_number: str
    currency: str
    left_amount: int  # as shown; where it has changed meanwhile, nothing is refunded
    key: str


def open_dialog(order: Order, left_amount: int) -> None:
    st.session_state[DIALOG] = RefundDialog(
        order.number, order.currency, left_amount, secrets.token_hex(16)
    )


def close_dialog() -> None:
    st.session_state.pop(DIALOG, None)


def show_dialog(order_number: str) -> None:
    dialog = st.session_state.get(DIALOG)
    if dialog and dialog.order_number == order_number:
        ask_for_refund(dialog)


@st.dialog("Refund this order", on_dismiss=close_dialog)
def ask_for_refund(dialog: RefundDialog) -> None:
    """Ask for the amount and the reason; an error is shown below the amount, which is kept.

    After two clicks, in two tabs or on a rerun, the second request finds the first one's refund,
    because the dialog's key is unique in the database. A dialog that shows an outdated amount is
    refused under the order's lock. If the process dies before the refund is committed, nothing has
    happened; after that, the reconciler submits it.
    """
    require_operator()
    local = reader()
    left = local.price(dialog.left_amount, dialog.currency)
    st.text(f"Order {dialog.order_number}: {left} can be refunded. Stripe sends it to the buyer.")
    with st.form("refund", border=False):
        amount = st.text_input(
            f"Amount in {dialog.currency.upper()}",
            money.input_text(dialog.left_amount, dialog.currency, local.language),
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
        show_next(refund.run(dialog, amount, reason or ""))
    except StoreError as problem:
        place.error(literal(problem.for_operator))
        return
    close_dialog()
    st.rerun()


@operator_action
def refund(operator: str, dialog: RefundDialog, amount: str, reason: str) -> str:
    left, language = dialog.left_amount, reader().language
    return actions.refund(
        operator,
        dialog.order_number,
        actions.refund_amount(amount, dialog.currency, left, language),
        key=dialog.key,
        shown_left=left,
        reason=reason,
    )


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

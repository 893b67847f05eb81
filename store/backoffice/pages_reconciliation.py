"""Reconciliation: catch up with Stripe, compare its records with ours, refunds that are stuck."""

from collections.abc import Sized
from typing import Any

import streamlit as st

from store.backoffice.pages_common import (
    OperatorAction,
    link_to_order,
    order_column,
    reader,
    require_operator,
)
from store.backoffice.pages_refunds import refund_row
from store.backoffice.state import BACK_OFFICE
from store.backoffice.tasks import COMPARE, RECONCILE, AuditResult, Pair, Task
from store.core.text import listed
from store.db import engine as db
from store.orders import refunds
from store.reconciliation import audit
from store.reconciliation.restored_orders import MissingOrder
from store.web.rendering import literal

PROGRESS_SECONDS = 1.0
MAX_ROWS = 100
ABOUT = {
    RECONCILE: "Processes everything that Stripe knows and the shop does not: events that never "
    "arrived, orders that changed, refunds that are owed.",
    COMPARE: "Puts every payment, refund and dispute at Stripe beside ours. It changes nothing.",
}


@OperatorAction
def reconcile_now(operator: str) -> str:
    BACK_OFFICE.tasks.reconcile(operator)
    return "Reconciling has begun."


@OperatorAction
def compare_now(operator: str) -> str:
    BACK_OFFICE.tasks.compare(operator)
    return "Comparing with Stripe has begun."


def render() -> None:
    """While a task runs, the upper part of the page refreshes itself."""
    st.html("<h1>Reconciliation</h1>")
    busy = is_busy()
    st.fragment(tasks, run_every=PROGRESS_SECONDS if busy else None)(busy)
    if BACK_OFFICE.tasks.audited:
        audit_result(BACK_OFFICE.tasks.audited)
    with db.reading() as session:
        overdue = refunds.overdue(session)
    if overdue:  # not accepted by Stripe, or waiting for the buyer
        st.subheader("Refunds that are stuck")
    for refund, order in overdue[:MAX_ROWS]:
        refund_row(order, refund, name_order=True)
    note_cut(overdue)


def is_busy() -> bool:
    return BACK_OFFICE.tasks.running is not None or BACK_OFFICE.tasks.runs_elsewhere() is not None


def tasks(polling: bool) -> None:
    """Both tasks side by side, each with its last run or its progress."""
    require_operator()
    busy = is_busy()
    if busy != polling:  # begun by a button of this part, or ended
        BACK_OFFICE.health.expire()
        st.rerun()
    for column, name, label, action in zip(
        st.columns(2, border=True),
        (RECONCILE, COMPARE),
        ("Reconcile now", COMPARE),
        (reconcile_now, compare_now),
        strict=True,
    ):
        with column:
            st.subheader(name)
            st.caption(ABOUT[name])
            kind: Any = "primary" if name == RECONCILE else "secondary"
            st.button(label, key=name, type=kind, disabled=busy, on_click=action)
            running = BACK_OFFICE.tasks.running
            is_running = running and running.name == name
            if task := running if is_running else BACK_OFFICE.tasks.last.get(name):
                run_of(task)
    if not BACK_OFFICE.tasks.running and (since := BACK_OFFICE.tasks.runs_elsewhere()):
        status = st.status("A run is in progress in another process of this shop", expanded=True)
        status.text(f"Since {reader().moment(since, seconds=True)}")


def run_of(task: Task) -> None:
    """What a run does or did, since when, for how long, and who wanted it."""
    digits = 1 if task.ended_at and task.seconds < 10 else 0
    label = f"{'Done' if task.good else 'Failed'} in {task.seconds:.{digits}f} s"
    state: Any = "complete" if task.good else "error"
    if not task.ended_at:
        label, state = f"Working for {task.seconds:.0f} s", "running"
    status = st.status(label, state=state, expanded=True)
    status.text(task.result if task.ended_at else task.progress())
    status.caption(literal(f"{reader().moment(task.began_at, seconds=True)}, by {task.operator}"))


def audit_result(result: AuditResult) -> None:
    if result.agrees:
        st.success("Stripe and the shop agree on every payment, refund and dispute.")
    else:
        st.error("Stripe and the shop differ. Reconcile, then compare again.")
    with st.container(horizontal=True):
        figure("Payments", result.payments)
        for pair in result.refunds or [Pair(0, 0)]:
            currency = f" in {pair.currency.upper()}" if len(result.refunds) > 1 else ""
            figure(f"Refunded{currency}", pair)
        figure("Disputes", result.disputes)
    note = f"{result.orders:,} orders were compared; not every order was paid."
    if result.strangers:
        note += f" {result.strangers:,} orders at Stripe belong to another shop."
    st.caption(note)
    if result.unreadable:
        names = listed(result.unreadable, 20)
        st.warning(literal(f"Stripe lists objects that cannot be read: {names}"))
    if result.missing:
        st.subheader("At Stripe and missing here")
        rows = [missing_order(order) for order in result.missing[:MAX_ROWS]]
        st.dataframe(rows, alt="Orders that are missing here")
        note_cut(result.missing)
    if result.differing:
        st.subheader("Orders that differ")
        rows = [differing_order(entry) for entry in result.differing[:MAX_ROWS]]
        columns = {"Order": order_column()}
        st.dataframe(rows, column_config=columns, alt="Orders that differ")
        note_cut(result.differing)


def note_cut(rows: Sized) -> None:
    """Say below a list that it is not shown whole."""
    if len(rows) > MAX_ROWS:
        st.caption(f"The first {MAX_ROWS} of {len(rows):,}.")


def figure(label: str, pair: Pair) -> None:
    stripes, ours, difference = (
        reader().price(amount, pair.currency) if pair.currency else f"{amount:,}"
        for amount in (pair.stripes, pair.ours, pair.difference)
    )
    st.metric(
        label,
        literal(f"{stripes} {'≠' if pair.difference else '='} {ours}"),
        literal(f"Stripe {stripes} · ours {ours} · difference {difference}"),
        delta_color="red" if pair.difference else "green",
        delta_arrow="off",
        border=True,
    )


def missing_order(order: MissingOrder) -> dict[str, str]:
    known = order.amount is not None and order.currency
    return {
        "Order": order.number,
        "Created": str(order.created_at),
        "State": order.status,
        "Amount": reader().price(order.amount, order.currency) if known else "unknown",
    }


def differing_order(entry: audit.OrderComparison) -> dict[str, str]:
    amounts = {
        "Ours: paid": entry.ours.total.paid_amount,
        "Ours: refunded": entry.ours.total.refunded_amount,
        "Ours: owed": entry.ours.total.owed_amount,
        "Stripe: paid": entry.stripes.total.paid_amount,
        "Stripe: refunded": entry.stripes.total.refunded_amount,
        "Difference": entry.difference_amount,
    }
    prices = {label: reader().price(amount, entry.currency) for label, amount in amounts.items()}
    return {"Order": link_to_order(entry.number), **prices, "Disputes": disputes_of(entry)}


def disputes_of(entry: audit.OrderComparison) -> str:
    ours, stripes = entry.ours.disputes, entry.stripes.disputes
    if ours == stripes:
        return "agree"
    return ", ".join(
        f"{dispute}: Stripe {stripes.get(dispute, 'none')}, ours {ours.get(dispute, 'none')}"
        for dispute in sorted(ours.keys() | stripes.keys())
        if ours.get(dispute) != stripes.get(dispute)
    )

"""Reconciliation: catch up with Stripe, compare its payments with ours, refunds that are stuck."""

import streamlit as st

from store import db, refunds
from store.backoffice.pages_common import put, require_operator
from store.backoffice.tasks import TASKS

PROGRESS_SECONDS = 1.0


def render() -> None:
    """While a task runs, this part of the page refreshes itself."""
    busy = TASKS.busy
    st.fragment(state, run_every=PROGRESS_SECONDS if busy else None)(busy)


def state(polling: bool) -> None:
    require_operator()
    if polling and not TASKS.busy:
        st.rerun()
    with db.reading() as session:
        overdue = refunds.overdue(session)
    put("books", task=TASKS.task, audited=TASKS.audited, overdue=overdue)

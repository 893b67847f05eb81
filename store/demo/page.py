"""The page `/rehearsal`: faults for a presenter to cause, and what came of them.

The work is done beside the page, which only watches it.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from store import markup
from store.demo import runner
from store.demo.runner import Rehearsal

REFRESH_SECONDS = 0.5
MayRehearse = Callable[[], bool]


def show(buyer: str, store_url: str, may_rehearse: MayRehearse) -> None:
    """The page of one buyer; `may_rehearse` is asked again by each click."""
    rehearsal = runner.rehearsal_of(buyer)
    st.html(markup.style("rehearsal.css"))
    if not may_rehearse():
        st.html(markup.rehearsal_piece("closed"))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(markup.rehearsal_piece("head"))
        with st.popover("Three-minute demo"):
            st.html(markup.rehearsal_piece("script"))
    if st.session_state.get("resetting"):
        confirm_reset(rehearsal, may_rehearse)
    busy = rehearsal.progress is not None
    interval = REFRESH_SECONDS if busy else None
    st.fragment(results, run_every=interval)(rehearsal, store_url, may_rehearse, busy)


def results(
    rehearsal: Rehearsal, store_url: str, may_rehearse: MayRehearse, was_busy: bool
) -> None:
    """The buttons and the table of results; refreshes itself while work goes on."""
    if was_busy and rehearsal.progress is None:
        st.rerun()

    def button(name: str, **look: Any) -> None:
        if st.button(name, disabled=was_busy, **look):
            if may_rehearse():
                rehearsal.start(name, store_url)
            st.rerun()  # without permission any more, the whole page says so

    with st.container(horizontal=True, vertical_alignment="center", key="rehearse"):
        button(runner.RUN_ALL, type="primary")
        button(runner.SAMPLE_ORDERS)
        if st.button(runner.RESET, disabled=was_busy):
            st.session_state.resetting = may_rehearse()
            st.rerun()
        if progress := rehearsal.progress:
            st.progress(progress.fraction, text=str(progress))
        elif rehearsal.summary:
            piece = markup.rehearsal_piece
            st.html(piece("summary", sentence=rehearsal.summary, good=rehearsal.good))
    up = runner.webhooks_are_up()
    st.html(markup.rehearsal_piece("totals", totals=rehearsal.totals, webhooks_up=up))
    with st.container(key="scenarios", gap=None):
        for place, row in enumerate(rehearsal.rows):
            with st.container(horizontal=True, key=f"scenario-{place}"):
                button(row.scenario.name, width="stretch")
                st.html(markup.rehearsal_piece("row", row=row))


def close_dialog() -> None:
    st.session_state.pop("resetting", None)


@st.dialog("Start a fresh demo?", on_dismiss=close_dialog)
def confirm_reset(rehearsal: Rehearsal, may_rehearse: MayRehearse) -> None:
    st.text(runner.reset_warning())
    with st.container(horizontal=True):
        confirmed = st.button("Delete every order", type="primary")
        if confirmed and may_rehearse():
            rehearsal.start_reset()
        if confirmed or st.button("Keep them"):
            close_dialog()
            st.rerun()

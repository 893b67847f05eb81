"""The page `/rehearsal`: the three-minute script beside the fault scenarios and their results.

A background thread does the work; the page only shows its progress.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from store.core import settings
from store.core.errors import StoreError
from store.demo import reset, runner
from store.demo.clients import EmulatorClient, WebhookClient
from store.demo.runner import Rehearsal
from store.demo.script import STEPS
from store.web import rendering

REFRESH_SECONDS = 0.5
MayRehearse = Callable[[], bool]
render = partial(rendering.render, "rehearsal")


def show(buyer: str, store_url: str, may_rehearse: MayRehearse) -> None:
    """The page of one visitor; `may_rehearse` is called again by each click."""
    rehearsal = runner.REHEARSALS.of(buyer)
    if not may_rehearse():
        st.html(render("not_allowed"))
        return
    if st.session_state.get("resetting"):
        confirm_reset(rehearsal, may_rehearse)
    busy = rehearsal.progress is not None
    interval = REFRESH_SECONDS if busy else None
    with st.container(key="rehearsal", gap=None):
        script_panel(rehearsal)
        st.fragment(results, run_every=interval)(rehearsal, store_url, may_rehearse, busy)


def script_panel(rehearsal: Rehearsal) -> None:
    """The steps of the script and its clock, which ticks in the browser."""
    script = rehearsal.script

    def button(label: str, key: str, act: Callable[[], None], **options: Any) -> None:
        st.button(label, key=key, on_click=partial(rehearsal.move_script, act), **options)

    with st.container(border=True, key="script"):
        clock = render("clock", seconds=script.seconds, running=script.is_running)
        st.html(clock, unsafe_allow_javascript=True)
        st.html(render("script", steps=STEPS, step=script.step, seconds=script.seconds))
        with st.container(horizontal=True, key="moves"):
            at_end = script.step == len(STEPS)
            button("Back", "back", script.back, shortcut="Left", disabled=script.step == 0)
            label = "Finish" if script.step >= len(STEPS) - 1 else "Next"
            button(label, "next", script.next, shortcut="Right", type="primary", disabled=at_end)
            label = "Stop the clock" if script.is_running else "Start the clock"
            button(label, "toggle-clock", script.toggle_clock, shortcut="S", type="tertiary")
            button("Start over", "reset-script", script.reset, shortcut="0", type="tertiary")


def results(
    rehearsal: Rehearsal, store_url: str, may_rehearse: MayRehearse, was_busy: bool
) -> None:
    """The buttons and the table of results; refreshes itself while work goes on."""
    if was_busy and rehearsal.progress is None:
        st.rerun()

    def button(name: str, **options: Any) -> None:
        # By its key it stays the same button when the script's next step turns it green.
        if st.button(name, key=f"run {name}", disabled=was_busy, **options):
            if may_rehearse():
                rehearsal.start(name, store_url)
            st.rerun()  # without permission any more, the whole page says so

    with st.container(key="results", gap=None):
        with st.container(horizontal=True, key="rehearse"):
            button(runner.RUN_ALL, type="primary")
            button(runner.SAMPLE_ORDERS)
            if st.button(runner.RESET, disabled=was_busy):
                st.session_state.resetting = may_rehearse()
                st.rerun()
        st.html(render("status", rehearsal=rehearsal, webhooks_up=webhooks_are_up()))
        with st.container(key="scenarios", gap=None):
            st.html(render("columns"))
            for place, row in enumerate(rehearsal.rows):
                scenario = row.scenario
                kind = "primary" if scenario.name in rehearsal.script.scenarios else "secondary"
                with st.container(horizontal=True, key=f"scenario-{place}"):
                    button(scenario.name, width="stretch", help=scenario.about, type=kind)
                    st.html(render("row", row=row))


def webhooks_are_up() -> bool:
    try:
        return bool(WebhookClient.connect(EmulatorClient.current()))
    except StoreError:
        return False


def show_first_visit_hint() -> None:
    """Three things to try, for a visitor without orders; nothing beside real Stripe."""
    if settings.current().offline:
        st.html(render("three_things"))


def close_dialog() -> None:
    st.session_state.pop("resetting", None)


@st.dialog("Start a fresh demo?", on_dismiss=close_dialog)
def confirm_reset(rehearsal: Rehearsal, may_rehearse: MayRehearse) -> None:
    st.text(reset.warning())
    with st.container(horizontal=True):
        confirmed = st.button("Delete every order", type="primary")
        if confirmed and may_rehearse():
            rehearsal.start_reset()
        if confirmed or st.button("Keep them"):
            close_dialog()
            st.rerun()

"""Webhooks: the events that arrived, what became of each, and one event in detail."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

import orjson
import streamlit as st

from store.backoffice import actions
from store.backoffice.pages_common import OperatorAction, link_to_order, order_column, put, reader
from store.core.errors import StoreError, StripeNotFound
from store.db import engine as db
from store.orders import stripe_facts
from store.reports import event_search, search
from store.reports.event_search import OUTCOMES, EventFilter, EventRow
from store.stripe_api import requests, transport
from store.web import rendering

EVENT = "event"  # in the address: the event that is shown
SEARCH, TYPE, OUTCOME = "event_search", "event_type", "event_outcome"
OLDER_PAGES, PAYLOAD = "event_pages", "event_payload"
PAYLOAD_SECONDS = 8.0  # to wait for Stripe while the page is drawn
MAX_PAYLOAD_BYTES = 200_000
COLORS = {  # of the theme, in light and dark; chips of a table are blank in forced colors
    "green": ("#1d7a58", "#74cfae"),
    "gray": ("#5c6065", "#aaa79f"),
    "orange": ("#8f5208", "#efb064"),
    "red": ("#a5312a", "#f08a7c"),
}
LEGEND = "  \n".join(f"**{outcome.label}**: {outcome.explanation}" for outcome in OUTCOMES.values())
GONE = (
    "Stripe has no event of this id any more: it keeps events for 30 days. What the shop "
    "recorded stands beside this."
)

Payload = tuple[Any, str]  # an event as Stripe has it, or None and why it cannot be shown

fetch_again = OperatorAction(actions.refetch_event)


def render() -> None:
    st.html("<h1>Webhooks</h1>")
    event_filter = filters()
    older_pages: list[str] = st.session_state.setdefault(OLDER_PAGES, [])
    with db.reading() as session:
        start = older_pages[-1] if older_pages else ""
        page = event_search.find_events(session, event_filter, start)
    if page.rows:
        event_table(page.rows)
        if page.older or older_pages:
            pager(page.older, older_pages)
    elif event_filter == EventFilter():
        st.info("No events yet. Stripe sends the first ones when somebody pays.")
    else:
        st.info("No event fits. Search for another id, or show all outcomes and types.")
    if event_id := search.clean_query(st.query_params.get(EVENT, "")):
        event_panel(event_id)
    elif page.rows:
        st.caption("Select an event to see its payload, its deliveries and its order.")
    disputes()


def filters() -> EventFilter:
    """What is searched for; each change begins at the newest events again."""
    with db.reading() as session:
        types = event_search.event_types(session)
    restart = partial(st.session_state.pop, OLDER_PAGES, None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Event id, Stripe id or order number", key=SEARCH, type="search", on_change=restart
        )
        kind = st.selectbox(
            "Type", types, index=None, placeholder="All types", key=TYPE, on_change=restart
        )
    outcome = st.pills(
        "Outcome",
        list(OUTCOMES),
        format_func=lambda name: OUTCOMES[name].label,
        key=OUTCOME,
        help=LEGEND,
        on_change=restart,
    )
    if outcome:
        st.caption(OUTCOMES[outcome].explanation)
    return EventFilter(search.clean_query(text), outcome or "", kind or "")


def event_table(events: Sequence[EventRow]) -> None:
    """The events; the selected one is named in the address, so that it survives a reload."""
    ids = [row.event.id for row in events]
    key = f"events_{hash(tuple(ids))}"  # of this process, as the session is
    selected = st.query_params.get(EVENT)
    rows = [
        {
            "Received": event.received_at,
            "Outcome": OUTCOMES[event.outcome].label,
            "Type": event.type,
            "Order": link_to_order(order_number) if order_number else None,
            "Deliveries": event.deliveries,
            "Event": event.id,
        }
        for event, order_number, _ in events
    ]
    st.dataframe(
        colored(rows),
        key=key,
        on_select=partial(select, key, ids),
        selection_mode="single-row",
        selection_default={"selection": {"rows": [ids.index(selected)] if selected in ids else []}},
        column_config={
            "Received": time_column(),
            "Outcome": st.column_config.TextColumn(help=LEGEND),
            "Order": order_column(),
            "Deliveries": st.column_config.NumberColumn(
                help="How often Stripe sent it. Each event takes effect once."
            ),
        },
        placeholder="",
        height=36 * (min(len(ids), 9) + 1),
        alt="Events, newest first",
    )


def time_column() -> Any:
    return st.column_config.DatetimeColumn(format="localized", timezone=str(reader().zone))


def colored(rows: list[dict[str, Any]]) -> Any:
    from pandas import DataFrame  # noqa: PLC0415 - Streamlit loads it for the first table only

    dark = st.context.theme.type == "dark"
    color_of = {outcome.label: COLORS[outcome.color][dark] for outcome in OUTCOMES.values()}
    style = DataFrame(rows).style
    return style.map(lambda label: f"color: {color_of[label]}", subset=["Outcome"])


def select(key: str, ids: Sequence[str]) -> None:
    rows = st.session_state[key].selection.rows
    if rows and rows[0] < len(ids):
        st.query_params[EVENT] = ids[rows[0]]
    else:
        st.query_params.pop(EVENT, None)


def pager(older: str | None, older_pages: list[str]) -> None:
    with st.container(horizontal=True):
        if st.button("Newer", disabled=not older_pages):
            older_pages.pop()
            st.rerun()
        if st.button("Older", disabled=not older) and older:
            older_pages.append(older)
            st.rerun()


def event_panel(event_id: str) -> None:
    with db.reading() as session:
        row = event_search.event_detail(session, event_id)
    with st.container(border=True, key="event"):
        if row is None:
            st.warning("The shop has recorded no event of this id.")
            return
        outcome = OUTCOMES[row.event.outcome]
        st.subheader(rendering.literal(row.event.type))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(rendering.literal(outcome.label), color=outcome.color)
            st.caption(outcome.explanation)
        recorded, payload_side = st.columns([1, 1.3], gap="medium")
        with payload_side:
            document, sentence = payload_of(event_id)
            if document is None:
                st.info(rendering.literal(sentence))
            else:
                st.json(document, expanded=2)
                st.caption("Fetched from Stripe for this page. The shop does not store payloads.")
        with recorded:
            show_recorded(row, document or {})


def show_recorded(row: EventRow, document: stripe_facts.Document) -> None:
    """What the shop recorded, where it leads, and the one thing that can be done."""
    event, order_number, repeated_at = row
    st.code(event.id, language=None)
    rows = {
        "Created at Stripe": reader().moment(event.created_at, seconds=True),
        "Received": reader().moment(event.received_at, seconds=True),
        "Deliveries": deliveries(event.deliveries, repeated_at),
        "Signature": "verified each time: what fails the check is refused and not recorded"
        if event.deliveries
        else "none: the shop fetched it from Stripe itself",
    }
    if pending := document.get("pending_webhooks"):
        rows["At Stripe"] = f"{pending} webhook endpoint has not accepted it yet"
    st.markdown("\n".join(f"- {label}: {rendering.literal(text)}" for label, text in rows.items()))
    if document and not order_number:
        with db.reading() as session:
            order_number = event_search.order_of_payload(session, document)
    payment = None
    with suppress(ValueError):
        payment = event_search.payment_of(document)[1]
    put("event_links", order_number=order_number, event_id=event.id, payment=payment)
    st.button(
        "Fetch again from Stripe",
        icon=":material/refresh:",
        on_click=refetch,
        args=(event.id,),
        help="Fetches the event and processes it as if Stripe had delivered it now.",
    )


def deliveries(count: int, repeated_at: Sequence[datetime]) -> str:
    """How often and when Stripe delivered the event; the first twenty repeats have a time."""
    if not count:
        return "none: the reconciler found it in Stripe's list of events"
    if count == 1:
        return "one"
    times = ", ".join(reader().moment(at, seconds=True) for at in repeated_at)
    more = count - 1 - len(repeated_at)
    return f"{count:,}; again {times}" + (f" and {more:,} times more" if more > 0 else "")


def refetch(event_id: str) -> None:
    st.session_state.pop(PAYLOAD, None)
    fetch_again(event_id)


def payload_of(event_id: str) -> Payload:
    """The payload, fetched when the event is selected: the shop does not store payloads."""
    fetched: dict[str, Payload] = st.session_state.get(PAYLOAD, {})
    if event_id not in fetched:
        with st.spinner("Fetching the payload from Stripe …"):
            fetched = st.session_state[PAYLOAD] = {event_id: fetch(event_id)}
    return fetched[event_id]


def fetch(event_id: str) -> Payload:
    try:
        with transport.time_limit(PAYLOAD_SECONDS, retry=False):
            document = event_search.without_secrets(requests.event(event_id))
    except StripeNotFound:
        return None, GONE
    except StoreError as error:
        return None, error.for_operator
    if len(orjson.dumps(document)) > MAX_PAYLOAD_BYTES:
        return None, "This payload is too large to be shown here."
    return document, ""


def disputes() -> None:
    with db.reading() as session:
        rows = event_search.disputes(session)
    st.subheader("Disputes")
    if not rows:
        st.caption("No bank has disputed a payment.")
        return
    table = [
        {
            "Opened": dispute.created_at,
            "Order": link_to_order(order.number),
            "State": dispute.status.replace("_", " "),
            "Amount": reader().price(dispute.amount, order.currency),
            "Dispute": dispute.stripe_dispute_id,
        }
        for dispute, order in rows
    ]
    columns = {"Opened": time_column(), "Order": order_column()}
    st.dataframe(table, column_config=columns, alt="Disputes, newest first")

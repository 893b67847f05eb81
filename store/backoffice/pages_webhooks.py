"""Webhooks: the events that arrived and what each came to, and the disputes."""

from urllib.parse import urlencode

import streamlit as st

from store import db, listing
from store.backoffice.pages_common import put
from store.backoffice.sign_in import ADDRESSES


def render() -> None:
    query = st.query_params
    outcome, before = query.get("outcome", ""), listing.tidy(query.get("before", ""))
    outcome = outcome if outcome in listing.OUTCOMES else ""
    with db.reading() as session:
        page = listing.found_events(session, outcome, before=before)
        numbers = listing.numbers_of(session, page.rows)
        disputes = listing.disputes(session)
    put(
        "webhooks",
        rows=page.rows,
        numbers=numbers,
        disputes=disputes,
        outcome=outcome,
        outcomes=listing.OUTCOMES,
        here=address(outcome, before),
        older=address(outcome, page.older) if page.older else "",
        newest=address(outcome) if before else "",
    )


def address(outcome: str, before: str = "") -> str:
    given = {"outcome": outcome, "before": before}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"{ADDRESSES['webhooks']}?{query}"

"""The pages of the back office: one for each section, with what stands above all of them."""

from collections.abc import Callable, Mapping
from functools import partial

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from store.backoffice import (
    pages_orders,
    pages_overview,
    pages_products,
    pages_reconciliation,
    pages_webhooks,
)
from store.backoffice.pages_common import put, require_operator, show_message
from store.backoffice.sign_in import ADDRESSES
from store.backoffice.state import BACK_OFFICE
from store.core import shop_profile
from store.core.errors import StoreError

HEALTH_SECONDS = 5.0  # how often the health line is refreshed


SECTIONS: dict[str, Callable[[], None]] = {  # by their titles
    "Overview": pages_overview.render,
    "Orders": pages_orders.render,
    "Products": pages_products.render,
    "Webhooks": pages_webhooks.render,
    "Reconciliation": pages_reconciliation.render,
}


def pages() -> list[StreamlitPage]:
    """For `st.navigation`: a page for each section, at an address of its own."""
    made: dict[str, StreamlitPage] = {}
    for title in SECTIONS:
        made[title] = st.Page(
            partial(show, title, made),
            title=f"{title} · Back office · {shop_profile.current().name}",
            url_path=address_of(title).removeprefix("/"),
        )
    return list(made.values())


def address_of(title: str) -> str:
    return ADDRESSES["" if title == "Overview" else title.lower()]


def show(current: str, pages: Mapping[str, StreamlitPage]) -> None:
    """One section for an operator who is signed in; an error is one sentence on the page."""
    operator = require_operator()
    with st.container(key="backoffice-head", horizontal=True, vertical_alignment="center"):
        with st.container(key="sections", horizontal=True, width="content"):
            for title, page in pages.items():
                if title == current:  # Streamlit's link does not say that its page is this one
                    put("current_section", fits=True, title=title, address=address_of(title))
                else:
                    st.page_link(page, label=title, width="content")
        put("signed_in", fits=True, operator=operator.name)
    with st.container(key="health"):
        st.fragment(health_line, run_every=HEALTH_SECONDS)()
    show_message()
    try:
        SECTIONS[current]()
    except StoreError as error:
        put("notice", "storefront", sentence=error.for_operator, tone="warning")


def health_line() -> None:
    require_operator()
    put("health", checks=BACK_OFFICE.health.checks())

"""The pages of the back office: one for each section, with what stands above all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from store.backoffice.pages_common import STYLE, put, require_operator, show_message
from store.backoffice.sign_in import ADDRESSES
from store.backoffice.state import BACK_OFFICE
from store.core import shop_profile
from store.core.errors import StoreError
from store.web import rendering

HEALTH_SECONDS = 5.0  # how often the health line is refreshed


@dataclass(frozen=True)
class Section:
    title: str
    key: str
    render: Callable[[], None]


SECTIONS = (
    Section("Overview", "", pages_overview.render),
    Section("Orders", "orders", pages_orders.render),
    Section("Products", "products", pages_products.render),
    Section("Webhooks", "webhooks", pages_webhooks.render),
    Section("Reconciliation", "reconciliation", pages_reconciliation.render),
)


def pages() -> list[StreamlitPage]:
    """For `st.navigation`: a page for each section, at an address of its own."""
    made: list[StreamlitPage] = []
    made += [
        st.Page(
            partial(show, section, made),
            title=f"{section.title} · Back office · {shop_profile.current().name}",
            url_path=ADDRESSES[section.key].removeprefix("/"),
        )
        for section in SECTIONS
    ]
    return made


def show(section: Section, pages: Sequence[StreamlitPage]) -> None:
    """One section for an operator who is signed in; an error is one sentence on the page."""
    operator = require_operator()
    st.html(rendering.style(STYLE))
    with st.container(key="backoffice-head", horizontal=True, vertical_alignment="center"):
        navigation(section, pages)
        st.html(
            rendering.render("back_office", "signed_in", operator=operator.name), width="content"
        )
    with st.container(key="health"):
        st.fragment(health_line, run_every=HEALTH_SECONDS)()
    show_message()
    try:
        section.render()
    except StoreError as error:
        put("notice", "storefront", sentence=error.for_operator, tone="warning")


def navigation(current: Section, pages: Sequence[StreamlitPage]) -> None:
    """Links to the sections. Streamlit's link does not say that its page is the current one."""
    with st.container(key="sections", horizontal=True, width="content"):
        for section, page in zip(SECTIONS, pages, strict=True):
            if section == current:
                address = ADDRESSES[section.key]
                link = rendering.render(
                    "back_office", "current_section", title=section.title, address=address
                )
                st.html(link, width="content")
            else:
                st.page_link(page, label=section.title, width="content")


def health_line() -> None:
    require_operator()
    put("health", checks=BACK_OFFICE.health.checks())

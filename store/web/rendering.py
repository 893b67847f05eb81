"""HTML from the Jinja templates, and the links and scripts in it.

A template holds macros. Every value is escaped, so a product called `<script>` is shown by that
name.
"""

import json
import re
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.environment import TemplateModule

from store.core import settings, shop_profile
from store.reports import cart, order_detail, order_view
from store.web import index_page, stripe_mode, texts
from store.web.formatting import LocaleFormatter


class Html(str):
    """HTML for `st.html`, which looks up any other text as a file name at each rerun."""

    def _repr_html_(self) -> str:
        return str(self)


def render(template: str, macro: str, reader: LocaleFormatter | None = None, **values: Any) -> Html:
    """The HTML of one macro; `reader` writes its amounts and times.

    The storefront's macros are cached by their values, which its pages never change.
    """
    if template == "storefront":
        year = datetime.now(reader.zone if reader else UTC).year  # dates show it unless current
        with suppress(TypeError):  # a value without a hash
            return _cached(macro, reader, (year, shop_profile.current()), **values)
    return Html(getattr(_macros(template, reader), macro)(**values))


@lru_cache(maxsize=2048)
def _cached(macro: str, reader: LocaleFormatter | None, _context: Any, **values: Any) -> Html:
    return Html(getattr(_macros("storefront", reader), macro)(**values))


@lru_cache(maxsize=64)
def _macros(template: str, reader: LocaleFormatter | None) -> TemplateModule:
    """The macros for one reader; building them takes longer than calling one."""
    return _environment().get_template(f"{template}.html").make_module({"reader": reader})


@lru_cache
def _environment() -> Environment:
    store = settings.ROOT / "store"
    loader = FileSystemLoader([store / "web" / "templates", store / "backoffice" / "templates"])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.globals.update(
        profile=shop_profile.current,
        mode_badge=stripe_mode.mode_badge,
        badges=order_view.STATUS_BADGES,
        quantity_error=cart.quantity_error,
        texts=texts,
        styles=index_page.styles,
        timeline_text=order_detail.timeline_text,
        timeline_json=order_detail.timeline_json,
        dashboard_link=dashboard_link,
        go_link=go_link,
        order_link=order_link,
    )
    return environment


@lru_cache
def script(file: Path) -> Html:
    """A script as an element of the page."""
    return Html(f"<script>{file.read_text('utf-8')}</script>")


def order_link(order_number: str) -> str:
    return f"/order?number={quote(order_number, safe='')}"


def go_link(order_number: str) -> str:
    return f"/go/{quote(order_number, safe='')}"


def dashboard_link(object_id: str, section: str = "payments") -> str:
    """An object's page on Stripe's dashboard, or on the emulator's."""
    base = settings.current().api_base or "https://dashboard.stripe.com/test"
    return f"{base}/{section}/{quote(object_id, safe='')}"


def redirect_script(order_number: str) -> str:
    """A script that opens this order's Checkout; the token makes each one new to Streamlit."""
    address = json.dumps(go_link(order_number))
    return f"<script>window.location.assign({address}) // {secrets.token_hex(4)}</script>"


def literal(text: str) -> str:
    """Text for Streamlit's Markdown, shown as it is."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)

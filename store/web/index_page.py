"""The HTML that a browser is given for each page: Streamlit's, with the shop's head and first HTML.

Streamlit's own shows nothing until its scripts run, asks the server twice for its configuration
and loads a megabyte of fonts.
"""

import re
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse

from store.core import settings, shop_profile
from store.web import streamlit_internals
from store.web.buyer_cookie import set_buyer_cookie

STATIC = settings.ROOT / "store" / "web" / "static"
STYLES = (STATIC / "fonts.css", STATIC / "storefront.css", STATIC / "first_page.css")
SCRIPTS = (STATIC / "boot.js", STATIC / "storefront.js")
FONTS = ("shop-sans", "shop-serif")  # used by every page
NO_SCRIPT = "<noscript><p>This shop needs JavaScript: allow it, then reload.</p></noscript>"
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Referrer-Policy": "same-origin",  # order numbers stay in the shop
    "X-Content-Type-Options": "nosniff",
}


def render(
    request: Request, headers: Mapping[str, str] = {}, html: str = "", style: Path | None = None
) -> HTMLResponse:
    """Streamlit's page, with `html` to read until its scripts have loaded, and the buyer's cookie.

    `style` is a style sheet that not every page has.
    """
    before, after = _halves(streamlit_internals.INDEX_HTML, style)
    page = HTMLResponse(f"{before}{html}{after}", headers={**HEADERS, **headers})
    set_buyer_cookie(request, page)
    return page


@cache
def _halves(index_html: Path, style: Path | None) -> tuple[str, str]:
    before, after = streamlit_internals.split_page(index_html, head(), NO_SCRIPT)
    # In the body, because Streamlit appends its own styles to the head.
    return f"{before}<style>{styles(style)}</style>", after


@cache
def styles(more: Path | None = None) -> str:
    """The style sheets of every page and `more`, without comments."""
    text = "\n".join(file.read_text("utf-8") for file in (*STYLES, more) if file)
    return re.sub(r"/\*.*?\*/\s*", "", text, flags=re.DOTALL)


def head() -> str:
    scripts = "\n".join(file.read_text("utf-8") for file in SCRIPTS)
    fonts = "".join(
        f'<link rel="preload" as="font" type="font/woff2" crossorigin href="/fonts/{file.name}">'
        for name in FONTS
        for file in (STATIC / "fonts").glob(f"{name}.*.woff2")
    )
    return f"""<title>{escape(shop_profile.current().name)}</title>
{fonts}<script>{scripts}</script>"""

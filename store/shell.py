"""Streamlit's own page under the shop's name: the first thing that a browser is given."""

import re
from collections.abc import Mapping
from pathlib import Path

from starlette.responses import HTMLResponse

from store import settings

SCRIPT = (settings.ROOT / ".streamlit" / "storefront.js").read_text("utf-8")
HEAD = f"""<title>{settings.SHOP}</title>
<script>{SCRIPT}</script>
<script>window.__streamlit = {{ BACKEND_BASE_URL: window.location.origin + "/" }}</script>
<style>html {{ color-scheme: light dark; background: light-dark(#fbf9f4, #15181a) }}</style>"""
NO_SCRIPT = "<noscript><p>This shop needs JavaScript: allow it, then reload.</p></noscript>"
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "frame-ancestors 'self'",
    "Referrer-Policy": "same-origin",  # order numbers stay in the shop
    "X-Content-Type-Options": "nosniff",
}


class Shell:
    """Streamlit's page, told at once where its server is.

    Left alone, it first tries `/order/_stcore/…`, which costs a returning buyer a tenth of a
    second, and shows "Streamlit" and a white page until then.
    """

    def __init__(self, frontend: Path) -> None:
        self.frontend = frontend

    def page(self, headers: Mapping[str, str] = {}, *, said: str = "") -> HTMLResponse:
        """`said` is shown until Streamlit has loaded; another page must not keep it."""
        page = self.frontend.read_text(encoding="utf-8")
        page = page.replace("<title>Streamlit</title>", HEAD)
        page = re.sub(r"<noscript>.*?</noscript>", NO_SCRIPT, page, flags=re.DOTALL)
        page = re.sub(r'<link rel="service-desc"[^>]*>', "", page)  # of a route that is closed
        page = page.replace("<body>", f"<body>{said}")
        kept = {"Cache-Control": "no-store"} if said else {}
        return HTMLResponse(page, headers={**HEADERS, **kept, **headers})

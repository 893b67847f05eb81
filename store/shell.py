"""The shop's own addresses: Streamlit's page under the shop's name, and the way to Stripe."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from store import desk, door, settings
from store.markup import SHOP

PATHS = ("", "order", "rehearsal")  # where our pages are; the back office has its own door
SCRIPT = (settings.ROOT / ".streamlit" / "storefront.js").read_text("utf-8")
HEAD = f"""
<script>{SCRIPT}</script>
<script>window.__streamlit = {{ BACKEND_BASE_URL: window.location.origin + "/" }}</script>
<style>html {{ color-scheme: light dark; background: light-dark(#fbf9f4, #15181a) }}</style>"""
PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "Referrer-Policy": "same-origin",  # order numbers stay in the shop
    "X-Content-Type-Options": "nosniff",
}


class Shell:
    """Streamlit's own page, under the shop's name and told at once where its server is.

    Left alone, it first tries `/order/_stcore/…`, which costs a returning buyer a tenth of a
    second, and shows "Streamlit" and a white page until then.
    """

    def __init__(self, frontend: Path) -> None:
        self.frontend = frontend

    def open(self, request: Request) -> Response:
        if tidy := door.tidied(request):
            return RedirectResponse(tidy, 303)
        door.RETURNING.notice(request)
        page = self.frontend.read_text(encoding="utf-8")
        page = page.replace("<title>Streamlit</title>", f"<title>{SHOP}</title>{HEAD}")
        return HTMLResponse(page, headers=PAGE_HEADERS)


def routes(frontend: Path) -> list[BaseRoute]:
    shell = Shell(frontend)
    return [
        *(Route(f"/{path}", shell.open) for path in PATHS),
        Route("/go/{number}", door.go, methods=["GET"]),
        *desk.routes(shell.open),
    ]

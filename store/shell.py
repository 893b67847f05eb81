"""The shop's own addresses: Streamlit's page under the shop's name, and the way to Stripe."""

from concurrent.futures import Future, wait
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from store import db, desk, door, markup, reports, settings
from store.cookies import buyer_of
from store.errors import StoreError
from store.markup import SHOP

PATHS = ("", "order", "rehearsal")  # where our pages are; the back office has its own door
SCRIPT = (settings.ROOT / ".streamlit" / "storefront.js").read_text("utf-8")
HEAD = f"""
<script>{SCRIPT}</script>
<script>window.__streamlit = {{ BACKEND_BASE_URL: window.location.origin + "/" }}</script>
<style>html {{ color-scheme: light dark; background: light-dark(#fbf9f4, #15181a) }}</style>"""
EARLY_SECONDS = 0.3  # how long a page is held back, so that it can say what came of a payment
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
        page = self.frontend.read_text(encoding="utf-8")
        page = page.replace("<title>Streamlit</title>", f"<title>{SHOP}</title>{HEAD}")
        asked = door.RETURNING.notice(request)
        if asked and (said := outcome(request, asked)):
            page = page.replace("<body>", f"<body>{said}")
            return HTMLResponse(page, headers=PAGE_HEADERS | {"Cache-Control": "no-store"})
        return HTMLResponse(page, headers=PAGE_HEADERS)


def outcome(request: Request, asked: Future[None]) -> str:
    """What came of the order of whoever is back from Stripe, where that can be said at once.

    Streamlit needs a second to load before it can say anything, which is long for somebody who
    has just paid. As the page does, this says what the database holds, to whose order it is.
    """
    wait([asked], EARLY_SECONDS)
    try:
        with db.reading() as session:
            number = request.query_params["number"]
            order = reports.order_of(session, buyer_of(request) or "", number)
    except StoreError:
        return ""
    if order.is_waiting:
        return ""
    said = markup.piece("outcome", shop=SHOP, order=order, sentence=markup.sentence_of(order))
    return markup.style("storefront.css") + said


def routes(frontend: Path) -> list[BaseRoute]:
    shell = Shell(frontend)
    return [
        *(Route(f"/{path}", shell.open) for path in PATHS),
        Route("/go/{number}", door.go, methods=["GET"]),
        *desk.routes(shell.open),
    ]

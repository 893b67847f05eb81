"""The server around the storefront's pages: the page that loads them, and what runs beside them."""

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from store import db, door, errors, reconcile, settings
from store.markup import SHOP

log = logging.getLogger(__name__)

SCRIPT = (settings.ROOT / ".streamlit" / "storefront.js").read_text("utf-8")
HEAD = f"""
<script>{SCRIPT}</script>
<script>window.__streamlit = {{ BACKEND_BASE_URL: window.location.origin + "/" }}</script>
<style>html {{ color-scheme: light dark; background: light-dark(#fbf9f4, #15181a) }}</style>"""


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
        return HTMLResponse(page, headers=door.PAGE_HEADERS)


def mode() -> dict[str, Any]:
    """Whether any of this could be real money (it never is): a badge, what it means, and whether
    troubles can be rehearsed.
    """
    if settings.current().offline:
        hint = "No Stripe account, no network, no money."
        return {"mode": "Offline emulator", "hint": hint, "rehearsal": True}
    known = door.ACCOUNT.id
    badge = f"Stripe test mode acct …{known[-4:]}" if known else "Stripe test mode"
    return {"mode": badge, "hint": "Test cards only. No money moves.", "rehearsal": False}


@asynccontextmanager
async def lifespan(_app: object) -> AsyncIterator[None]:
    """Where only this process runs, it still brings the schema up to date and settles orders."""
    stop = threading.Event()
    for work in (keep_books, door.ACCOUNT.learn):
        threading.Thread(target=work, args=(stop,), name=work.__name__, daemon=True).start()
    yield
    stop.set()


def keep_books(stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            db.migrate()
        except errors.StoreError as error:
            log.warning("%s Trying again.", error)
            stop.wait(3)
        else:
            reconcile.run_forever(stop)
            return


def middleware() -> list[Middleware]:
    named = settings.current().allowed_hosts
    hosts = [*named, "localhost", "127.0.0.1"]  # health checks come from this machine
    trusted = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)] if named else []
    return [*trusted, Middleware(door.BuyerCookie)]

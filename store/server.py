"""The server around the storefront's pages: what it opens with, and what then runs beside it.

A server that is starting answers before the database's library, Stripe's and the pages are
loaded: that goes on beside it, while the first browser still fetches Streamlit's own scripts.
Whoever asks for one of the shop's addresses or draws a page meanwhile waits for it. So the heavy
modules are imported inside functions here, and nowhere else.
"""
# ruff: noqa: PLC0415

import logging
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from store import settings
from store.cookies import BuyerCookie
from store.errors import StoreError

log = logging.getLogger(__name__)

STREAMLITS = "/_stcore/"  # health checks and the pages' own connections
FOUND = "store.route"


def load() -> None:
    """Load what the pages need; returns once that is done.

    Every thread begins with the same module, so that one loads and the others wait. Where two
    begin at different ends of modules that import each other, as SQLAlchemy's do, they get halves.
    """
    from store import shell  # noqa: F401


class Pages(BaseRoute):
    """The shop's own addresses, behind one route that is there before they are."""

    def __init__(self, frontend: Path) -> None:
        self.frontend = frontend

    @cached_property
    def routes(self) -> Sequence[BaseRoute]:
        from store import shell

        return shell.routes(self.frontend)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if not scope["path"].startswith(STREAMLITS):
            for route in self.routes:
                match, inside = route.matches(scope)
                if match is Match.FULL:
                    return match, {**inside, FOUND: route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope[FOUND].handle(scope, receive, send)


def around(frontend: Path) -> dict[str, Any]:
    """What `st.App` is given; `frontend` is Streamlit's own page."""
    pages = Pages(frontend)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        """Where only this process runs, it still migrates the database and settles orders."""
        stop = threading.Event()
        threading.Thread(target=run_beside, args=(stop,), daemon=True).start()
        yield
        stop.set()

    return {
        "routes": [pages],
        "middleware": middleware(),
        "lifespan": lifespan,
        "exception_handlers": {Exception: request_failed},
    }


def run_beside(stop: threading.Event) -> None:
    load()
    from store import door

    for work in (keep_books, door.ACCOUNT.learn):
        threading.Thread(target=work, args=(stop,), name=work.__name__, daemon=True).start()


def keep_books(stop: threading.Event) -> None:
    from store import db, reconcile

    while not stop.is_set():
        try:
            db.migrate()
        except StoreError as error:
            log.warning("%s Trying again.", error)
            stop.wait(3)
        else:
            reconcile.run_forever(stop)
            return


async def request_failed(_request: Request, error: Exception) -> Response:
    from store import door

    return door.plain_page(door.incident(error), 500)


def middleware() -> list[Middleware]:
    named = settings.current().allowed_hosts
    hosts = [*named, "localhost", "127.0.0.1"]  # health checks come from this machine
    trusted = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)] if named else []
    return [*trusted, Middleware(BuyerCookie)]

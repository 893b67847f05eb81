"""The server around the storefront's pages: what it opens with, and what then runs beside it.

A server that is starting gives its first page before the database's library, Stripe's and the
pages' own are loaded: that goes on while the browser still fetches Streamlit's scripts. Whoever
draws a page meanwhile, or asks for an address that needs them, waits for it. So the heavy modules
are imported inside functions here, and nowhere else.
"""
# ruff: noqa: PLC0415

import logging
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cached_property, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import Receive, Scope, Send

from store.core import logs, settings, shop_profile
from store.core.errors import StoreError
from store.web import connections
from store.web.buyer_cookie import BuyerCookie, buyer_of
from store.web.guard import ClientAddress, OwnHost, OwnPages, UsedRoutes
from store.web.hosts import AllowedHosts
from store.web.index_page import WEB, Shell
from store.web.limits import Threads, WebSocketLimits
from store.web.static_files import CompressedFiles, StreamlitAssets

log = logging.getLogger(__name__)

PAGES = ("order", "rehearsal")  # where our pages are; the back office has its own door
ICON = "/favicon.png"  # where Streamlit's page looks for it
BEYOND = ("/go/", "/back-office", "/images/")
FOUND = "store.route"
LOADED = threading.Event()


def load() -> None:
    """Load what the pages need; returns once that is done.

    Every thread begins with the same module, so that one loads and the others wait. Where two
    begin at different ends of modules that import each other, as SQLAlchemy's do, they get halves.
    """
    from store.backoffice import pages, routes  # noqa: F401
    from store.storefront import first_page  # noqa: F401

    LOADED.set()


def open_page(shell: Shell, request: Request) -> Response:
    """One of our pages, with what can be read of it at once.

    While the server is still starting, only what comes with the address can make it wait.
    """
    if not request.url.query and not LOADED.is_set():
        return shell.page()
    load()
    from store.storefront import checkout_redirect, first_page

    if tidy := checkout_redirect.canonical_cart_url(request):
        return RedirectResponse(tidy, 303)
    personal = {"Cache-Control": "no-store"} if "session_id" in request.query_params else {}
    return shell.page(personal, said=first_page.body(request))


class Beyond(BaseRoute):
    """The addresses that need the libraries, behind one route that is there before they are."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell

    @cached_property
    def routes(self) -> Sequence[BaseRoute]:
        load()
        from store.backoffice import routes
        from store.storefront import checkout_redirect

        threads = Threads(16, waiting=64)
        go = threads.shared_endpoint(checkout_redirect.go, buyer_of, each=2, each_waiting=62)
        return [Route("/go/{number}", go, methods=["GET"]), *routes.routes(self.shell)]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["path"].startswith(BEYOND):
            for route in self.routes:
                match, inside = route.matches(scope)
                if match is Match.FULL:
                    return match, {**inside, FOUND: route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope[FOUND].handle(scope, receive, send)


def icon(_request: Request) -> Response:
    """Told of one for each page, Streamlit would load a library of numbers to look at it."""
    mark = shop_profile.current().mark
    return FileResponse(mark, headers={"Cache-Control": "public, max-age=3600"})


def routes(frontend: Path) -> list[BaseRoute]:
    shell = Shell(frontend)
    page = Threads(16, waiting=256).endpoint(partial(open_page, shell))
    # Streamlit compresses the answers of all routes but this one.
    start = Route("/", page, middleware=[Middleware(GZipMiddleware, minimum_size=1000)])
    pages = [start, *(Route(f"/{path}", page) for path in PAGES)]
    fonts = Mount("/fonts", CompressedFiles(directory=WEB / "fonts"))
    return [*pages, Route(ICON, icon), fonts, Beyond(shell)]


def around(frontend: Path) -> dict[str, Any]:
    """What `st.App` is given; `frontend` is Streamlit's own page.

    A setting that is wrong ends the process here, with one sentence and exit code 2.
    """
    if fault := settings.fault():
        sys.stderr.write(f"{fault}\n")
        raise SystemExit(2)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        """Where only this process runs, it still migrates the database and settles orders."""
        logs.configure()
        connections.limit()
        stop = threading.Event()
        threading.Thread(target=run_beside, args=(stop,), daemon=True).start()
        yield
        stop.set()

    return {
        "routes": routes(frontend),
        "middleware": [
            *middleware(),
            Middleware(StreamlitAssets, folder=frontend.parent / "static"),
        ],
        "lifespan": lifespan,
        "exception_handlers": {Exception: request_failed},
    }


def run_beside(stop: threading.Event) -> None:
    load()
    from store.web import stripe_mode

    for work in (keep_books, stripe_mode.STRIPE_ACCOUNT.fetch_forever):
        threading.Thread(target=work, args=(stop,), name=work.__name__, daemon=True).start()


def keep_books(stop: threading.Event) -> None:
    from store.catalog import seeding
    from store.reconciliation import reconciler

    while not stop.is_set():
        try:
            seeding.migrate()
        except StoreError as error:
            log.warning("%s Trying again.", error.for_operator)
            stop.wait(3)
        else:
            reconciler.run_forever(stop)
            return


async def request_failed(_request: Request, error: Exception) -> Response:
    from store.web import responses

    return responses.plain_page(responses.log_unexpected(error), 500)


def not_found() -> Response:
    """What stands at an address that is none of the shop's."""
    load()
    from store.web import responses

    return responses.plain_page("There is no such page here.", HTTPStatus.NOT_FOUND)


def is_operator(scope: Scope) -> bool:
    """True for a request from a page of the shop by an operator who is signed in now."""
    load()
    from store.backoffice import sign_in
    from store.backoffice.state import BACK_OFFICE

    request = Request(scope)
    try:
        sign_in.require_same_origin(request)
        BACK_OFFICE.sessions.session(sign_in.operator_cookie(request))
    except StoreError:
        return False
    return True


def middleware() -> list[Middleware]:
    named = settings.current().allowed_hosts
    hosts = [*named, *settings.ALWAYS_ALLOWED]
    trusted = [Middleware(AllowedHosts, patterns=hosts)] if named else []
    first = [Middleware(ClientAddress), Middleware(OwnHost), *trusted, Middleware(WebSocketLimits)]
    own = [
        Middleware(UsedRoutes, render=not_found, may_upload=is_operator),
        Middleware(OwnPages, render=not_found),
    ]
    return [*first, *own, Middleware(BuyerCookie)]

"""The ASGI server around the storefront's page, and the threads beside it.

A starting server answers its first page before SQLAlchemy, Stripe's SDK and the pages are
imported; a background thread imports them while the browser fetches Streamlit's scripts, and a
request that needs them waits. So they are imported inside functions here, and only here. Measured
with `bench startup`: the first page after 0.65 s instead of 1.19 s.
"""
# ruff: noqa: PLC0415

import logging
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from http import HTTPStatus
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import Receive, Scope, Send

from store.core import logs, settings, shop_profile
from store.core.errors import StoreError
from store.web import connection_limits, index_page, streamlit_internals
from store.web.buyer_cookie import buyer_of
from store.web.middleware import ClientAddress, OwnAddresses, OwnHost
from store.web.request_limits import WebSocketLimits, in_threads
from store.web.static_files import CompressedFiles, StreamlitAssets

log = logging.getLogger(__name__)

PAGES = ("order", "rehearsal")  # beside "/"; the back office has routes of its own
STYLES = {"/rehearsal": index_page.STATIC / "rehearsal.css"}  # beside those of every page
ICON = "/favicon.png"  # the address in Streamlit's page
LAZY_PREFIXES = ("/go/", "/back-office", "/images/")
LAZY_ROUTE = "store.route"
LOADED = threading.Event()


def import_heavy_modules() -> None:
    """Import what the pages need, in every thread in the same order.

    SQLAlchemy's modules import each other: from two sides at once they may be half-initialised.
    """
    from store.backoffice import pages, routes  # noqa: F401
    from store.storefront import first_page  # noqa: F401

    LOADED.set()


def open_page(request: Request) -> Response:
    """One of our pages with its first HTML, or without it while the server is still importing."""
    style = STYLES.get(request.url.path)
    if not request.url.query and not LOADED.is_set():
        return index_page.render(request, style=style)
    import_heavy_modules()
    from store.storefront import checkout_redirect, first_page

    if url := checkout_redirect.canonical_cart_url(request):
        return RedirectResponse(url, 303)
    headers = {"Cache-Control": "no-store"} if "session_id" in request.query_params else {}
    return index_page.render(request, headers, first_page.body(request), style)


class LazyRoutes(BaseRoute):
    """The routes that need the heavy modules, built at the first request for one of them."""

    @cached_property
    def routes(self) -> Sequence[BaseRoute]:
        import_heavy_modules()
        from store.backoffice import routes
        from store.storefront import checkout_redirect

        go = in_threads(checkout_redirect.go, threads=16, waiting=64, visitor_of=buyer_of, each=2)
        return [Route("/go/{number}", go, methods=["GET"]), *routes.routes()]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["path"].startswith(LAZY_PREFIXES):
            for route in self.routes:
                match, inside = route.matches(scope)
                if match is Match.FULL:
                    return match, {**inside, LAZY_ROUTE: route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope[LAZY_ROUTE].handle(scope, receive, send)


def icon(_request: Request) -> Response:
    """The favicon, served by us: with `page_icon` Streamlit imports NumPy and Pillow."""
    return FileResponse(
        shop_profile.current().mark, headers={"Cache-Control": "public, max-age=3600"}
    )


def routes() -> list[BaseRoute]:
    page = in_threads(open_page, threads=16, waiting=256)
    # Streamlit compresses the responses of all other routes.
    start = Route("/", page, middleware=[Middleware(GZipMiddleware, minimum_size=1000)])
    pages = [start, *(Route(f"/{path}", page) for path in PAGES)]
    fonts = Mount("/fonts", CompressedFiles(directory=index_page.STATIC / "fonts"))
    return [*pages, Route(ICON, icon), fonts, LazyRoutes()]


def app_options() -> dict[str, Any]:
    """The arguments of `st.App`. An invalid setting or another Streamlit ends the process (2)."""
    streamlit_internals.require_checked_version()
    if fault := settings.fault():
        sys.stderr.write(f"{fault}\n")
        raise SystemExit(2)

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        """Migrate the database and settle orders also where only this process runs."""
        logs.configure()
        connection_limits.limit()
        stop = threading.Event()
        threading.Thread(target=start_background_threads, args=(stop,), daemon=True).start()
        yield
        stop.set()

    return {
        "routes": routes(),
        "middleware": [*middleware(), Middleware(StreamlitAssets)],
        "lifespan": lifespan,
        "exception_handlers": EXCEPTION_HANDLERS,
    }


def start_background_threads(stop: threading.Event) -> None:
    import_heavy_modules()
    from store.web import stripe_mode

    for work in (migrate_and_reconcile, stripe_mode.STRIPE_ACCOUNT.fetch_forever):
        threading.Thread(target=work, args=(stop,), name=work.__name__, daemon=True).start()


def migrate_and_reconcile(stop: threading.Event) -> None:
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

    if isinstance(error, StoreError):
        return responses.plain_page(responses.error_text(error), error.status)
    return responses.plain_page(responses.log_unexpected(error), 500)


EXCEPTION_HANDLERS = {StoreError: request_failed, Exception: request_failed}


def not_found() -> Response:
    import_heavy_modules()
    from store.web import responses

    return responses.plain_page("There is no such page here.", HTTPStatus.NOT_FOUND)


def is_operator(scope: Scope) -> bool:
    """True for a request from the shop's own page by an operator with a valid session."""
    import_heavy_modules()
    from store.backoffice import sign_in

    request = Request(scope)
    return sign_in.is_same_origin(request) and sign_in.is_operator(request)


def middleware() -> list[Middleware]:
    allowed = settings.current().allowed_hosts
    return [
        Middleware(ClientAddress),
        Middleware(OwnHost, patterns=[*allowed, *settings.ALWAYS_ALLOWED] if allowed else ["*"]),
        Middleware(WebSocketLimits),
        Middleware(OwnAddresses, render=not_found, may_upload=is_operator),
    ]

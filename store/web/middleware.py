"""ASGI middleware that checks each request and WebSocket before a page sees it.

Not Starlette's `BaseHTTPMiddleware`, which neither sees WebSockets nor streams.
"""

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from store.core import addresses
from store.web import request_origin
from store.web.streamlit_internals import ALL_ROUTES, UPLOADS, USED_ROUTES

log = logging.getLogger(__name__)

# Set for the page's script on a WebSocket's handshake, and removed from what clients send.
ADDRESS_HEADER = "x-shop-address"
LOCAL_HEADER = "x-shop-local"
INTERNAL = (ADDRESS_HEADER.encode(), LOCAL_HEADER.encode())
MALFORMED_HOST = "This address is not valid."
FOREIGN_HOST = "This shop does not answer to this host name.\n"
FOREIGN_PAGE = (
    "Refused a WebSocket: its Origin %.100r is not its Host %.100r. Where a proxy in front of the "
    "shop changes the Host, set STORE_URL to the shop's public address."
)


class ClientAddress:
    """Sets each request's client to the address behind a trusted proxy.

    uvicorn does the same before, but compares addresses as text: on a dual-stack socket a trusted
    proxy is `::ffff:127.0.0.1`, and all its visitors would be one client.
    """

    def __init__(self, app: ASGIApp) -> None:
        trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
        self.app: ASGIApp = ProxyHeadersMiddleware(app, trusted)  # type: ignore[arg-type,assignment]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if client := scope.get("client"):
            address = addresses.ip_address(client[0])
            scope = {**scope, "client": (str(address or client[0]), client[1])}
        await self.app(scope, receive, send)


@dataclass
class OwnHost:
    """Refuses a foreign or malformed Host header, and a WebSocket opened by another site's page.

    `patterns` are those of ALLOWED_HOSTS, as in Django. Adds two headers to a WebSocket's handshake
    for the page's script: the visited address, and whether the client runs on this computer.
    """

    app: ASGIApp
    patterns: Sequence[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not addresses.host_allowed(headers.get("host", ""), self.patterns):
            await PlainTextResponse(FOREIGN_HOST, HTTPStatus.BAD_REQUEST)(scope, receive, send)
            return
        address = request_origin.visited_address(scope)
        if address is None and "host" in headers:  # HTTP/1.0 health checks send none
            log.warning("Refused a request: its Host header is malformed.")
            await PlainTextResponse(MALFORMED_HOST, HTTPStatus.BAD_REQUEST)(scope, receive, send)
            return
        sent = [(name, value) for name, value in scope["headers"] if name not in INTERNAL]
        if scope["type"] == "websocket":
            if not may_connect(scope, headers):
                log.warning(FOREIGN_PAGE, headers.get("origin", ""), headers.get("host", ""))
                await PlainTextResponse("", HTTPStatus.FORBIDDEN)(scope, receive, send)
                return
            local = b"yes" if request_origin.is_local(scope) else b""
            sent += zip(INTERNAL, ((address or "").encode(), local), strict=True)
        await self.app({**scope, "headers": sent}, receive, send)


def may_connect(scope: Scope, headers: Headers) -> bool:
    """True for the shop's own Origin, and without an Origin only where no cookie is sent either."""
    if "origin" in headers:
        return request_origin.own_origin(scope) is not None
    return "cookie" not in headers


READING = ("GET", "HEAD", "OPTIONS")


@dataclass
class OwnAddresses:
    """Answers `render()`, the "not found" page, at every address that the shop does not use.

    These are Streamlit's routes that no page uses, and whatever it answers with its index page:
    each page of the shop has a Content-Security-Policy, so HTML without one is that index page.

    Uploaded files stay in memory, so only requests for which `may_upload` is true (operators') may
    upload or delete one. Streamlit limits the size and checks its XSRF token.
    """

    app: ASGIApp
    render: Callable[[], Response]
    may_upload: Callable[[Scope], bool]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        replaced = False

        async def replace() -> None:
            nonlocal replaced
            replaced = True
            response = await run_in_threadpool(self.render)
            await response(scope, receive, send)

        async def send_own(message: Message) -> None:
            if message["type"] == "http.response.start" and is_foreign(message):
                await replace()
            elif not replaced:
                await send(message)

        closed = is_closed(scope["path"], scope["method"])
        if closed and not (is_upload(scope) and await run_in_threadpool(self.may_upload, scope)):
            await replace()
        else:
            await self.app(scope, receive, send_own)


def is_upload(scope: Scope) -> bool:
    return scope["method"] in ("PUT", "DELETE") and scope["path"].startswith(UPLOADS)


def is_closed(path: str, method: str) -> bool:
    """True for a route of Streamlit's, or a method of it, that the shop does not use."""
    if not any(path == route or path.startswith(f"{route}/") for route in ALL_ROUTES):
        return False
    return method not in READING or not path.startswith(USED_ROUTES)


def is_foreign(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    is_html = headers.get("content-type", "").startswith("text/html")
    return is_html and "content-security-policy" not in headers

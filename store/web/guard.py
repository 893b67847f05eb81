"""What every request passes before any page sees it, and every answer before it leaves.

Pure ASGI middleware: Starlette's `BaseHTTPMiddleware` would neither see WebSockets nor stream.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from store.core import addresses
from store.web import handshake

log = logging.getLogger(__name__)

# Set for the page's script on a WebSocket's handshake, and removed from what clients send.
ADDRESS_HEADER = "x-shop-address"
LOCAL_HEADER = "x-shop-local"
INTERNAL = (ADDRESS_HEADER.encode(), LOCAL_HEADER.encode())
POLICY_VIOLATION = 1008
FOREIGN_PAGE = (
    "Refused a WebSocket: its Origin %.100r is not its Host %.100r. Where a proxy in front of the "
    "shop changes the Host, set STORE_URL to the shop's public address."
)


class ClientAddress:
    """Gives each request the address of the client, not of the socket or of a trusted proxy.

    uvicorn does this before, but compares addresses as text: on a socket for IPv4 and IPv6 a
    trusted proxy is `::ffff:127.0.0.1`, and all its visitors would be one client.
    """

    def __init__(self, app: ASGIApp) -> None:
        trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")
        self.app: ASGIApp = ProxyHeadersMiddleware(app, trusted)  # type: ignore[arg-type,assignment]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if client := scope.get("client"):
            address = addresses.ip_address(client[0])
            scope = {**scope, "client": (str(address or client[0]), client[1])}
        await self.app(scope, receive, send)


class OwnHost:
    """Refuses a malformed Host header, and a WebSocket that a page of another site opens.

    The page's script later reads from two headers what only the handshake can tell: the address
    it was visited at, and whether the client runs on this computer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        address = handshake.visited_address(scope)
        if address is None and "host" in headers:  # HTTP/1.0 health checks send none
            log.warning("Refused a request: its Host header is malformed.")
            await refuse(scope, receive, send)
            return
        kept = [(name, value) for name, value in scope["headers"] if name not in INTERNAL]
        if scope["type"] == "websocket":
            if not may_connect(scope, headers):
                log.warning(FOREIGN_PAGE, headers.get("origin", ""), headers.get("host", ""))
                await refuse(scope, receive, send)
                return
            local = b"yes" if handshake.is_local(scope) else b""
            kept += zip(INTERNAL, ((address or "").encode(), local), strict=True)
        await self.app({**scope, "headers": kept}, receive, send)


def may_connect(scope: Scope, headers: Headers) -> bool:
    """A browser always names the page's origin; what sends none must not bring cookies either."""
    if "origin" in headers:
        return handshake.own_origin(scope) is not None
    return "cookie" not in headers


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """400, or for a WebSocket the closing code that becomes a 403 of the handshake."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        return
    response = PlainTextResponse("This address is not valid.", HTTPStatus.BAD_REQUEST)
    await response(scope, receive, send)


# Streamlit's own routes (1.67): what an ordinary page needs, and what else there is.
USED_ROUTES = ("/_stcore/health", "/_stcore/host-config", "/_stcore/stream", "/media/", "/static/")
FRAMEWORK_ROUTES = (
    *("/_stcore", "/media", "/static", "/component", "/app", "/auth", "/oauth2callback"),
    *("/healthz", "/stream", "/vendor", "/svg"),
)
READING = ("GET", "HEAD", "OPTIONS")
UPLOADS = "/_stcore/upload_file/"


@dataclass
class UsedRoutes:
    """Closes the framework's routes that no page of the shop uses.

    An upload stays in memory, so only those may upload a file, or delete one, of whom `may_upload`
    is true: operators, for pictures. Streamlit limits its size (`server.maxUploadSize`) and checks
    its XSRF token. `render` is the "not found" page.
    """

    app: ASGIApp
    render: Callable[[], Response]
    may_upload: Callable[[Scope], bool]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_closed(scope["path"], scope["method"]):
            if is_upload(scope) and await run_in_threadpool(self.may_upload, scope):
                await self.app(scope, receive, send)
                return
            response = await run_in_threadpool(self.render)
            await response(scope, receive, send)
            return
        await self.app(scope, receive, send)


def is_upload(scope: Scope) -> bool:
    return scope["method"] in ("PUT", "DELETE") and scope["path"].startswith(UPLOADS)


def is_closed(path: str, method: str) -> bool:
    """True for a route of Streamlit's that the shop does not use, or not in this way."""
    if not any(path == route or path.startswith(f"{route}/") for route in FRAMEWORK_ROUTES):
        return False
    return method not in READING or not path.startswith(USED_ROUTES)


@dataclass
class OwnPages:
    """Replaces HTML that is not the shop's by its "not found" page, `render`.

    Streamlit answers any unknown path with its index page and 200. Every page of the shop names
    its own Content-Security-Policy, so HTML without one is that index page.
    """

    app: ASGIApp
    render: Callable[[], Response]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        replaced = False

        async def send_own(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and is_foreign(message):
                replaced = True
                response = await run_in_threadpool(self.render)
                await response(scope, receive, send)
            elif not replaced:
                await send(message)

        await self.app(scope, receive, send_own)


def is_foreign(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    is_html = headers.get("content-type", "").startswith("text/html")
    return is_html and "content-security-policy" not in headers

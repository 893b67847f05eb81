"""Who a browser is: the private cookie it is given when it first opens a page.

A browser keeps cookies per host and not per port, so each name carries the port of the address
it was set at: two shops on one host would otherwise replace each other's cookies.

This is all that stands before the pages from a server's first moment, so it loads next to nothing.
"""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store.core import addresses
from store.web import buyer_ids
from store.web.handshake import over_https


class BuyerCookie:
    """Gives every browser its private random name when it first opens a page.

    The answer to a page carries the cookie, so the page's own connection back already brings it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not opens_a_page(scope):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        name = cookie_name(buyer_ids.COOKIE, request.headers.get("host", ""))
        if buyer_ids.is_cookie(request.cookies.get(name, "")):
            await self.app(scope, receive, send)
            return
        value = buyer_cookie(request.cookies, request.headers.get("host", ""))
        header = cookie_header(scope, name, value or buyer_ids.new_cookie())

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookie = (b"set-cookie", header.encode())
                # A list of its own: one that answers share would give everybody this name.
                message = {**message, "headers": [*message["headers"], cookie]}
            await send(message)

        await self.app(scope, receive, send_with_cookie)


def opens_a_page(scope: Scope) -> bool:
    """True for what a person opens; scripts, pictures and health checks need no name."""
    headers = Headers(scope=scope)
    if scope["method"] != "GET":
        return False
    if destination := headers.get("sec-fetch-dest"):
        return destination in ("document", "iframe")
    return "text/html" in headers.get("accept", "")


def cookie_header(scope: Scope, name: str, value: str) -> str:
    return (
        f"{name}={value}; Path=/; Max-Age={buyer_ids.COOKIE_SECONDS}; "
        f"HttpOnly; SameSite=Lax{'; Secure' if over_https(scope) else ''}"
    )


def cookie_name(base: str, host_header: str) -> str:
    """`base` at the default ports, else with the port: `store_buyer_8501`."""
    host = addresses.Host.parse(host_header)
    if host is None or host.port in (None, *addresses.DEFAULT_PORTS.values()):
        return base
    return f"{base}_{host.port}"


def buyer_cookie(cookies: Mapping[str, str], host_header: str) -> str | None:
    """This shop's valid buyer cookie.

    Where there is none, the one without a port counts: earlier versions set it at every port, and
    its orders must stay its buyer's. The next page sets it again under this shop's name.
    """
    for name in (cookie_name(buyer_ids.COOKIE, host_header), buyer_ids.COOKIE):
        if buyer_ids.is_cookie(cookies.get(name, "")):
            return cookies[name]
    return None


def buyer_of(request: Request) -> str | None:
    """Who asks, as the database knows them; None without a cookie that could be ours."""
    cookie = buyer_cookie(request.cookies, request.headers.get("host", ""))
    return buyer_ids.digest(cookie) if cookie else None

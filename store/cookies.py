"""Who a browser is: the private cookie it is given when it first opens a page.

This is all that stands before the pages from a server's first moment, so it loads next to nothing.
"""

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store import buyers


class BuyerCookie:
    """Gives every browser its private random name when it first opens a page.

    The answer to a page carries the cookie, so the page's own connection back already brings it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not opens_a_page(scope) or buyer_of(Request(scope)):
            await self.app(scope, receive, send)
            return

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookie = (b"set-cookie", cookie_header(scope).encode())
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


def over_https(scope: Scope) -> bool:
    return "https" in (scope["scheme"], Headers(scope=scope).get("x-forwarded-proto"))


def cookie_header(scope: Scope) -> str:
    return (
        f"{buyers.COOKIE}={buyers.new_cookie()}; Path=/; Max-Age={buyers.COOKIE_SECONDS}; "
        f"HttpOnly; SameSite=Lax{'; Secure' if over_https(scope) else ''}"
    )


def buyer_of(request: Request) -> str | None:
    """Who asks, as the database knows them; None without a cookie that could be ours."""
    cookie = request.cookies.get(buyers.COOKIE, "")
    return buyers.digest(cookie) if buyers.is_cookie(cookie) else None

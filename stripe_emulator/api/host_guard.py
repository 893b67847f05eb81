"""The door of the server: who is let in, and what goes to the API and not to the pages.

A foreign name that was made to point at 127.0.0.1 (DNS rebinding) would make a visited page the
same site as this server; its requests give themselves away by their Host header.
"""

from email.utils import formatdate
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stripe_emulator.account.account import Account
from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.ids import new_id

WORDS = (
    "The emulator answers to localhost, 127.0.0.1 and [::1] only, not to this host name. Start it "
    "with --allow-host NAME to let it answer to NAME as well."
)


API_PATHS = ("/v1/", "/v2/")


class HostGuard:
    """Refuses (403) requests to a host name that is not allowed, and sends `/v1/…` to the API.

    HEAD is answered as GET, without its body.

    The API is not a route: a path may hold what a route's pattern does not match, a line break
    for example, and shall be answered in Stripe's words all the same. Every answer carries Stripe's
    time as its Date; the server's own date header has to be off.
    """

    def __init__(self, app: ASGIApp, api: ASGIApp, account: Account) -> None:
        self.app = app
        self.api = api
        self.account = account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; what is no request passes."""
        app = self.app
        if scope["type"] != "lifespan":
            if not self.account.config.is_allowed(_name(Headers(scope=scope).get("host", ""))):
                app = JSONResponse(InvalidRequest(WORDS).body(new_id("request")), 403)
            elif scope["path"].startswith(API_PATHS):
                app = self.api
            if scope.get("method") == "HEAD":  # the server leaves the body out
                scope = {**scope, "method": "GET"}

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Date"] = formatdate(
                    self.account.wall_clock(), usegmt=True
                )
            await send(message)

        await app(scope, receive, dated)


def _name(host: str) -> str | None:
    """The name in a Host header, which may carry a port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None

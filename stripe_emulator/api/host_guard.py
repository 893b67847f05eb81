"""A check of the Host header of every request, and the split between the API and the pages.

With DNS rebinding a foreign name points at 127.0.0.1, so that a visited page and this server would
be the same site. The Host header of such requests carries the foreign name.
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

    The API is not a route, because a path may hold what no route pattern matches, such as a line
    break, and must still get a response in Stripe's words. Every response carries Stripe's time as
    its Date, so the server's own date header has to be off.
    """

    def __init__(self, app: ASGIApp, api: ASGIApp, account: Account) -> None:
        self.app = app
        self.api = api
        self.account = account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request; other scopes pass unchecked."""
        app = self.app
        if scope["type"] != "lifespan":
            if not self.account.config.is_allowed(_name(Headers(scope=scope).get("host", ""))):
                app = JSONResponse(InvalidRequest(WORDS).body(new_id("request")), 403)
            elif scope["path"].startswith(API_PATHS):
                app = self.api
            if scope.get("method") == "HEAD":  # the server omits the body
                scope = {**scope, "method": "GET"}

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Date"] = formatdate(
                    self.account.wall_clock(), usegmt=True
                )
            await send(message)

        await app(scope, receive, dated)


def _name(host: str) -> str | None:
    """Return the name in a Host header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None

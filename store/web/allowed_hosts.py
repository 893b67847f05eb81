"""The host names that the shop answers to: Django's ALLOWED_HOSTS as ASGI middleware."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from store.core import addresses

SENTENCE = "This shop does not answer to this host name.\n"


class AllowedHosts:
    """Answers 400 to any request or WebSocket whose Host header names none of `patterns`."""

    def __init__(self, app: ASGIApp, patterns: Sequence[str]) -> None:
        self.app = app
        self.patterns = patterns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            host = Headers(scope=scope).get("host", "")
            if not addresses.host_allowed(host, self.patterns):
                await PlainTextResponse(SENTENCE, 400)(scope, receive, send)
                return
        await self.app(scope, receive, send)

"""Limits per visitor, so that one cannot slow down the storefront for the others.

A message over the limit is not lost: the server reads the connection more slowly. One address is
the first of `request_origin.client_networks`. How many pages and redirects to Stripe may run and
wait at once stands where their routes are: `storefront.server`.
"""

from asyncio import sleep
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from time import monotonic
from weakref import WeakValueDictionary

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store.web.request_origin import client_networks

MESSAGES_PER_SECOND, MESSAGES_AT_ONCE = 15, 60
BYTES_PER_MESSAGE = 16 * 1024
CONNECTS_PER_SECOND, CONNECTS_AT_ONCE = 30, 300
MAX_CONNECTIONS = 500
MAX_ADDRESSES = 10_000  # kept in memory
Handler = Callable[[Request], Response]
Endpoint = Callable[[Request], Awaitable[Response]]
TRY_AGAIN_LATER = 1013  # of WebSocket's close codes
BUSY = "Too many visitors at once. You have not been charged. Reload in a moment."


class TokenBucket:
    """Allows `at_once` uses at first, then `per_second`."""

    def __init__(self, per_second: float, at_once: float) -> None:
        self.per_second, self.at_once = per_second, at_once
        self.tokens, self.at = at_once, monotonic()

    def take(self, tokens: float = 1) -> float:
        """Use some tokens; returns the seconds to wait until that is allowed."""
        now = monotonic()
        self.tokens = min(self.at_once, self.tokens + (now - self.at) * self.per_second) - tokens
        self.at = now
        return max(0.0, -self.tokens / self.per_second)


class Visitor(TokenBucket):
    """One address: how fast it may open WebSockets, and how many are open."""

    connections = 0


class WebSocketLimits:
    """ASGI middleware that limits each WebSocket, and all WebSockets of one address."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.visitors: OrderedDict[str, Visitor] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        host = scope["client"][0] if scope.get("client") else ""
        visitor = self.visitor(client_networks(host)[0])
        if visitor.connections >= MAX_CONNECTIONS:
            await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
            return
        visitor.connections += 1
        try:
            await sleep(visitor.take())
            await self.app(scope, paced(receive), send)
        finally:
            visitor.connections -= 1

    def visitor(self, network: str) -> Visitor:
        visitor = self.visitors.pop(network, None) or Visitor(CONNECTS_PER_SECOND, CONNECTS_AT_ONCE)
        self.visitors[network] = visitor
        if len(self.visitors) > MAX_ADDRESSES:
            idle = next((name for name, v in self.visitors.items() if not v.connections), None)
            if idle is not None:
                del self.visitors[idle]
        return visitor


def paced(receive: Receive) -> Receive:
    """Receive messages no faster than one connection may send them."""
    bucket = TokenBucket(MESSAGES_PER_SECOND, MESSAGES_AT_ONCE)

    async def receive_paced() -> Message:
        message = await receive()
        if message["type"] == "websocket.receive":
            content = message.get("bytes") or message.get("text") or b""
            if seconds := bucket.take(1 + len(content) // BYTES_PER_MESSAGE):
                await sleep(seconds)
        return message

    return receive_paced


def in_threads(
    handle: Handler,
    *,
    threads: int,
    waiting: int,
    visitor_of: Callable[[Request], str | None] = lambda _request: None,
    each: int = 0,
) -> Endpoint:
    """`handle` in threads of its own, because it may wait for Stripe.

    In Starlette's shared threads, scripts and images would wait for it. At most `each` run at a
    time for one visitor, or one whose requests to Stripe hang would occupy all threads. Answers 503
    once `waiting` requests, of all visitors or of one, wait for a thread.
    """
    limiter, visitors = CapacityLimiter(threads), WeakValueDictionary[str, CapacityLimiter]()

    async def endpoint(request: Request) -> Response:
        own = visitors.setdefault(visitor_of(request) or "", CapacityLimiter(each or threads))
        if max(one.statistics().tasks_waiting for one in (limiter, own)) >= waiting:
            return PlainTextResponse(BUSY, 503, headers={"Retry-After": "5"})
        async with own:
            return await to_thread.run_sync(handle, request, limiter=limiter)

    return endpoint

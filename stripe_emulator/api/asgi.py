"""The API over HTTP: `/v1/…`, and the faults of the connection itself (hang, cut, slow)."""

import asyncio
import contextlib
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stripe_emulator.api import idempotency, versions
from stripe_emulator.api.pipeline import ApiRequest, ApiResponse, RequestPipeline, rejection
from stripe_emulator.base.errors import InvalidRequest, StripeError
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import Fault

MAX_BODY_BYTES = 1_000_000


class Api:
    """An ASGI application that responds as api.stripe.com does."""

    def __init__(self, pipeline: RequestPipeline) -> None:
        self.pipeline = pipeline
        self._in_flight: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            api_request = await _read_request(request)
        except StripeError as error:
            await _respond(rejection(error, new_id("request")), scope, receive, send)
            return
        key = api_request.idempotency_key if api_request.method == "POST" else None
        if key is None:
            await self._serve(api_request, request, send)
        elif key in self._in_flight:
            refusal = idempotency.in_use(key)
            response = await run_in_threadpool(self.pipeline.reject, api_request, refusal)
            await _respond(response, scope, receive, send)
        else:
            self._in_flight.add(key)
            try:
                await self._serve(api_request, request, send)
            finally:
                self._in_flight.discard(key)

    async def _serve(self, api_request: ApiRequest, request: Request, send: Send) -> None:
        response = await run_in_threadpool(self.pipeline.handle, api_request)
        if response.fault and await _apply_wire_fault(response.fault, request):
            return
        await _respond(response, request.scope, request.receive, send)


async def _read_request(request: Request) -> ApiRequest:
    """Return a request, read up to a size that no Stripe call needs. Raises InvalidRequest beyond
    it."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise InvalidRequest("The request body is too large.")
    headers = request.headers
    return ApiRequest(
        method=request.method,
        path=request.scope["path"],
        query=request.scope["query_string"],
        body=bytes(body),
        content_type=headers.get("content-type", ""),
        authorization=headers.get("authorization"),
        idempotency_key=headers.get("idempotency-key") or None,
        account=headers.get("stripe-account") or headers.get("stripe-context"),
        version=headers.get("stripe-version") or versions.of_client(headers.get("user-agent", "")),
        address=f"{request.url.scheme}://{headers.get('host', '')}",
    )


async def _apply_wire_fault(fault: Fault, request: Request) -> bool:
    """Delay, hang or cut the connection; returns True when no response can be sent any more."""
    if fault.kind == "slow":
        await asyncio.sleep(float(fault.value) / 1000)
    if fault.kind == "hang":
        await _hang(float(fault.value), request)
    if fault.kind in ("hang", "cut"):
        await _cut(request)
        return True
    return False


async def _hang(seconds: float, request: Request) -> None:
    """Send nothing until the time is over or the client has disconnected."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(gone(), seconds)


async def _cut(request: Request) -> None:
    """Close the connection without a response. Uvicorn keeps the transport beside `receive`."""
    cycle: Any = getattr(request.receive, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is not None:
        transport.abort()
        await request.receive()  # lets the server notice the disconnect


async def _respond(response: ApiResponse, scope: Scope, receive: Receive, send: Send) -> None:
    asgi_response = Response(response.body, response.status, response.headers, "application/json")
    await asgi_response(scope, receive, send)

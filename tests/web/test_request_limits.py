"""The limits of what one visitor may ask of the storefront's server."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Message, Scope
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from store.web import request_limits
from tests.support import event_loops, loopback
from tests.support.ports import free_port
from tests.support.server_thread import ServerThread
from tests.support.waiting import wait_until


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for message in websocket.iter_bytes():
        await websocket.send_bytes(message)


STRIPE_ANSWERS = threading.Event()


def slow(_request: Request) -> PlainTextResponse:
    STRIPE_ANSWERS.wait(30)
    return PlainTextResponse("Stripe has answered.")


def quick(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("a picture")


@pytest.fixture
def port() -> Iterator[int]:
    """A server with a WebSocket, a way to Stripe that hangs, and a picture."""
    STRIPE_ANSWERS.clear()
    port = free_port()
    go = request_limits.in_threads(slow, threads=2, waiting=4)
    own = request_limits.in_threads(
        slow,
        threads=4,
        waiting=4,
        visitor_of=lambda request: request.query_params["visitor"],
        each=2,
    )
    app = Starlette(
        routes=[
            WebSocketRoute("/echo", echo),
            Route("/go", go),
            Route("/own", own),
            Route("/picture", quick),
        ],
        middleware=[Middleware(request_limits.WebSocketLimits)],
    )
    server = ServerThread(app, port=port, ws="websockets-sansio", log_level="error")
    yield port
    server.stop()


def opened(port: int) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{port}/echo", proxy=None)


def answered(socket: ClientConnection, count: int, content: bytes = b"rerun") -> float:
    """Send messages at once; the seconds until all are answered."""
    started = time.monotonic()
    for _ in range(count):
        socket.send(content)
    for _ in range(count):
        socket.recv()
    return time.monotonic() - started


def is_accepted(port: int) -> bool:
    try:
        with opened(port):
            return True
    except InvalidStatus:
        return False


@pytest.mark.scenario("Q4")
def test_a_flooding_socket_is_read_slowly_and_loses_nothing(port: int) -> None:
    with opened(port) as flood:
        over = request_limits.MESSAGES_PER_SECOND

        assert answered(flood, request_limits.MESSAGES_AT_ONCE + over) == pytest.approx(1, abs=0.5)


@pytest.mark.scenario("Q4")
def test_beside_a_flooding_socket_others_are_answered_at_once(port: int) -> None:
    with opened(port) as flood, opened(port) as other, ThreadPoolExecutor() as pool:
        flooding = pool.submit(answered, flood, request_limits.MESSAGES_AT_ONCE + 30)
        time.sleep(0.5)

        assert answered(other, 1) < 0.3
        flooding.result()


@pytest.mark.scenario("Q4")
def test_a_large_message_counts_as_many(port: int) -> None:
    with opened(port) as socket:
        answered(
            socket, 1, bytes(request_limits.MESSAGES_AT_ONCE * request_limits.BYTES_PER_MESSAGE)
        )

        assert answered(socket, 5) > 0.2


@pytest.mark.scenario("Q4")
def test_an_address_has_so_many_sockets_and_a_closed_one_is_free_again(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_limits, "MAX_CONNECTIONS", 2)

    with opened(port), opened(port), pytest.raises(InvalidStatus), opened(port):
        pass
    wait_until(lambda: is_accepted(port), 5)


def test_new_sockets_of_one_address_are_accepted_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(request_limits, "sleep", sleep)
    monkeypatch.setattr(request_limits, "monotonic", lambda: 1000.0)  # no time passes
    app = request_limits.WebSocketLimits(nothing)

    for _ in range(request_limits.CONNECTS_AT_ONCE + request_limits.CONNECTS_PER_SECOND):
        event_loops.run(app(websocket("203.0.113.5"), never, ignored))
    event_loops.run(app(websocket("203.0.113.6"), never, ignored))

    assert not any(slept[: request_limits.CONNECTS_AT_ONCE])
    assert slept[-2:] == [pytest.approx(1), 0]


def test_only_so_many_addresses_are_remembered_and_none_that_is_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_limits, "MAX_ADDRESSES", 3)
    app = request_limits.WebSocketLimits(nothing)
    app.visitor("connected").connections = 1

    for number in range(10):
        app.visitor(f"203.0.113.{number}")

    assert list(app.visitors) == ["connected", "203.0.113.8", "203.0.113.9"]


@pytest.mark.scenario("Q2")
def test_hanging_redirects_do_not_delay_other_requests(port: int) -> None:
    address = f"http://127.0.0.1:{port}"
    with ThreadPoolExecutor(32) as pool, loopback.Client(timeout=60) as client:
        ways = [pool.submit(client.get, f"{address}/go") for _ in range(32)]
        try:
            turned_away = [way.result() for way in islice(as_completed(ways), 26)]
            picture = client.get(f"{address}/picture")
            hanging = sum(not way.done() for way in ways)
        finally:
            STRIPE_ANSWERS.set()
        statuses = sorted(way.result().status_code for way in ways)

    assert (picture.text, hanging) == ("a picture", 6)  # two at work, four waiting
    assert {(a.status_code, a.headers["Retry-After"]) for a in turned_away} == {(503, "5")}
    assert statuses == [200] * 6 + [503] * 26


@pytest.mark.scenario("Q2")
def test_one_visitors_hanging_redirects_leave_threads_for_others(port: int) -> None:
    address = f"http://127.0.0.1:{port}/own?visitor="
    with ThreadPoolExecutor(34) as pool, loopback.Client(timeout=60) as client:
        ways = [pool.submit(client.get, f"{address}one") for _ in range(32)]
        try:
            turned_away = [way.result() for way in islice(as_completed(ways), 26)]
            others = [pool.submit(client.get, f"{address}{name}") for name in ("two", "three")]
            time.sleep(0.3)  # both are at work, or would be turned away by now
            hanging = sum(not way.done() for way in (*ways, *others))
        finally:
            STRIPE_ANSWERS.set()
        statuses = {other.result().status_code for other in others}

    assert {answer.status_code for answer in turned_away} == {503}
    assert (hanging, statuses) == (8, {200})  # two at work and four waiting, and the others


def websocket(host: str | None) -> Scope:
    return {"type": "websocket", "client": (host, 50_000) if host else None}


async def nothing(*_args: Any) -> None:
    """An app that ends at once."""


async def never() -> Message:
    raise AssertionError("nothing is received here")


async def ignored(_message: Message) -> None:
    """Where nobody reads what is sent."""

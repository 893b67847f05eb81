"""The open WebSockets of the Stripe CLI: events out, acknowledgements and responses in.

The dispatcher's threads send through `Sockets`; each connection has its own coroutine, which
records what the CLI sends. A delivery succeeds when the CLI acknowledges it; if the CLI also
forwards it, the response it reports replaces the acknowledgement.
"""

import asyncio
import contextlib
import json
import threading
import time

from fastapi import APIRouter, WebSocket
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect

from stripe_emulator.account.account import Account
from stripe_emulator.base.models import LoggedRequest, StripeObject
from stripe_emulator.storage.transaction import CLI_SESSION
from stripe_emulator.stripe_cli import frames, sessions
from stripe_emulator.webhooks import deliveries
from stripe_emulator.webhooks.dispatcher import WebhookDispatcher
from stripe_emulator.webhooks.http_client import KEPT_BYTES, HttpResult

PROTOCOL = "stripecli-devproxy-v1"
UNKNOWN = {"error": {"message": "Unknown WebSocket ID."}}
"""The only text to which the CLI reacts with a new session."""
ACKNOWLEDGED = "Acknowledged by the Stripe CLI."
router = APIRouter()


class Connection:
    """One WebSocket. `send` may be called from any thread."""

    def __init__(self, session: StripeObject) -> None:
        self.session = session
        self.acknowledged: dict[int, threading.Event] = {}
        self.sent_at: dict[int, float] = {}
        self._loop = asyncio.get_running_loop()
        self._outgoing: asyncio.Queue[frames.Frame | None] = asyncio.Queue()

    def send(self, frame: frames.Frame | None) -> None:
        """Queue a frame; None closes the connection."""
        with contextlib.suppress(RuntimeError):  # the server has stopped
            self._loop.call_soon_threadsafe(self._outgoing.put_nowait, frame)

    async def next_frame(self) -> frames.Frame | None:
        """Return the next frame to send."""
        return await self._outgoing.get()


class Sockets:
    """Every open connection, by the id of its session; a newer one replaces an older one."""

    def __init__(self, account: Account, dispatcher: WebhookDispatcher) -> None:
        self.account = account
        self._open: dict[str, Connection] = {}
        account.on_request = self.log
        dispatcher.cli_connected = self._open.__contains__
        dispatcher.send_by_cli = self.deliver

    def open(self, connection: Connection) -> None:
        """Register a connection, then make its waiting deliveries due."""
        session_id = str(connection.session["id"])
        self._open[session_id] = connection
        with self.account.writing() as tx:
            sessions.connect(tx, session_id)
        self.account.on_commit()

    def close(self, connection: Connection) -> None:
        """Remove a connection and release the threads that wait for it."""
        session_id = str(connection.session["id"])
        if self._open.get(session_id) is connection:
            del self._open[session_id]
            with self.account.writing() as tx:
                sessions.disconnect(tx, session_id)
        for waiting in list(connection.acknowledged.values()):
            waiting.set()

    def close_all(self) -> None:
        """Close every connection, so that each CLI reconnects."""
        for connection in list(self._open.values()):
            connection.send(None)

    def deliver(
        self, prepared: deliveries.PreparedDelivery, payload: bytes, signature: str
    ) -> None:
        """Send one event and wait for its acknowledgement, at most as long as for an endpoint."""
        connection = self._open.get(prepared.endpoint_id)
        if connection is None:
            return
        acknowledged = connection.acknowledged[prepared.delivery_id] = threading.Event()
        connection.sent_at[prepared.delivery_id] = time.perf_counter()
        connection.send(frames.event(prepared.delivery_id, payload, signature))
        acknowledged.wait(self.account.config.delivery_timeout_seconds)
        connection.acknowledged.pop(prepared.delivery_id, None)

    def log(self, logged: LoggedRequest) -> None:
        """Send a request to every `stripe logs tail` whose filters it passes."""
        for connection in list(self._open.values()):
            session = connection.session
            if "request_logs" in session["features"] and frames.passes_filters(
                logged, session["filters"]
            ):
                connection.send(frames.request_log(logged))

    def receive(self, connection: Connection, text: str) -> None:
        """Record what the CLI reports: that it received an event, or the response to a forwarded
        one."""
        try:
            frame = json.loads(text)
            delivery_id = frames.delivery_of(frame)
        except (ValueError, AttributeError):
            return
        if delivery_id is None:
            return
        seconds = time.perf_counter() - connection.sent_at.get(delivery_id, time.perf_counter())
        if frame.get("type") == "event_ack":
            self._record(connection, delivery_id, HttpResult(200, ACKNOWLEDGED, seconds))
            waiting = connection.acknowledged.get(delivery_id)
            if waiting:
                waiting.set()
        elif frame.get("type") == "webhook_response":
            connection.sent_at.pop(delivery_id, None)
            status, body = frame.get("status"), str(frame.get("body", ""))[:KEPT_BYTES]
            result = HttpResult(status if isinstance(status, int) else None, body, seconds)
            self._record(connection, delivery_id, result)

    def _record(self, connection: Connection, delivery_id: int, result: HttpResult) -> None:
        with self.account.writing() as tx:
            deliveries.record_cli_report(tx, delivery_id, connection.session["id"], result)


@router.websocket(sessions.PATH)
async def subscribe(socket: WebSocket) -> None:
    """Serve one connection of the CLI until either side closes it."""
    sockets: Sockets = socket.app.state.emulator.sockets
    session = await run_in_threadpool(_session, sockets, socket.headers.get("websocket-id", ""))
    if session is None:
        await socket.send_denial_response(JSONResponse(UNKNOWN, 404))
        return
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(PROTOCOL if PROTOCOL in offered else None)
    connection = Connection(session)
    await run_in_threadpool(sockets.open, connection)
    sending = asyncio.create_task(_send(socket, connection))
    try:
        while True:
            text = await socket.receive_text()
            await run_in_threadpool(sockets.receive, connection, text)
    except (WebSocketDisconnect, KeyError, RuntimeError):
        pass  # closed, or bytes were sent, which the CLI never does
    finally:
        sending.cancel()
        await run_in_threadpool(sockets.close, connection)


async def _send(socket: WebSocket, connection: Connection) -> None:
    while (frame := await connection.next_frame()) is not None:
        await socket.send_text(json.dumps(frame))
    await socket.close()


def _session(sockets: Sockets, session_id: str) -> StripeObject | None:
    with sockets.account.reading() as tx:
        session = tx.find(session_id, CLI_SESSION)
    return session if session and session["status"] != "ended" else None

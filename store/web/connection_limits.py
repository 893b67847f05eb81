"""Limits on open connections: a time limit for a request's headers, and a maximum number.

uvicorn has no time limit for a request's headers; its keep-alive timer ends with the first byte.
The application is called only once they are complete, so the limit has to be in uvicorn's
protocol classes. `limit` changes them for this process, however the server is started: `uvicorn
webhook_server:app`, `python -m store` or Streamlit. Call it where the application is imported,
before the server listens. Checked with uvicorn 0.54.0; tests check the attributes used here.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

log = logging.getLogger(__name__)

HEADER_SECONDS = 10.0  # incomplete headers are given up after this, or at most twice this
MAX_CONNECTIONS = 900  # of one process; of 1,024 file descriptors some are left for files
PROTOCOLS = (
    ("uvicorn.protocols.http.httptools_impl", "HttpToolsProtocol"),
    ("uvicorn.protocols.http.h11_impl", "H11Protocol"),
)


def limit() -> None:
    """Watch every HTTP connection of this process; calling it twice has no effect."""
    for module, name in PROTOCOLS:
        with suppress(ImportError):  # httptools is an extra
            protocol = getattr(import_module(module), name)
            if not hasattr(protocol, "watched"):
                protocol.watched = True
                protocol.connection_made = _watching(protocol.connection_made)


def _watching(connection_made: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def watched(protocol: Any, transport: Any) -> None:
        connection_made(protocol, transport)
        protocol.connected_at = protocol.loop.time()
        if len(protocol.connections) > MAX_CONNECTIONS:
            _make_room(protocol)
        protocol.loop.call_later(HEADER_SECONDS, _check, protocol, True, None)

    return watched


def _make_room(newest: Any) -> None:
    """Close the oldest connection on which no request is under way; else the newest one."""
    waiting = [
        other
        for other in newest.connections
        if isinstance(other, type(newest)) and other is not newest and _is_idle(other)
    ]
    victim = min(waiting, key=lambda other: float(other.connected_at), default=newest)
    log.warning("More than %d connections: an idle one is closed.", MAX_CONNECTIONS)
    victim.transport.abort()


def _check(protocol: Any, was_waiting: bool, last_request: Any) -> None:
    """Close a connection that waits for the same headers as at the last check."""
    transport = protocol.transport
    if transport.is_closing() or transport.get_protocol() is not protocol:  # now a WebSocket
        return
    # While the keep-alive timer runs, no header has come, and uvicorn closes the connection.
    waits = _is_idle(protocol) and protocol.timeout_keep_alive_task is None
    if waits and was_waiting and last_request is protocol.cycle:
        transport.abort()
    else:
        protocol.loop.call_later(HEADER_SECONDS, _check, protocol, waits, protocol.cycle)


def _is_idle(protocol: Any) -> bool:
    return protocol.cycle is None or bool(protocol.cycle.response_complete)

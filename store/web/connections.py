"""Connections that wait: closed where a request's head does not come, and no more than can be held.

uvicorn has no time limit for the head of a request; its keep-alive timer ends with the first byte.
An application is called only once the head is complete, so the limit has to stand in uvicorn's
protocol classes. `limit` changes them for this process, whoever starts the server: `uvicorn
webhook_server:app`, `python -m store` or Streamlit. Call it where the application is imported,
before the server listens. Looked up in uvicorn 0.54.0; tests hold the attributes used here.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

log = logging.getLogger(__name__)

HEAD_SECONDS = 10.0  # a head that is not complete after this, or at most twice this, never comes
MOST = 900  # connections of one process; a soft limit of 1,024 descriptors leaves some for files
PROTOCOLS = (
    ("uvicorn.protocols.http.httptools_impl", "HttpToolsProtocol"),
    ("uvicorn.protocols.http.h11_impl", "H11Protocol"),
)


def limit() -> None:
    """Let every HTTP connection of this process be watched; harmless when done before."""
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
        if len(protocol.connections) > MOST:
            _make_room(protocol)
        _look_later(protocol, (True, None))

    return watched


def _make_room(newest: Any) -> None:
    """Close the oldest connection on which no request is under way; else the newest one."""
    waiting = [
        known
        for known in newest.connections
        if isinstance(known, type(newest)) and known is not newest and _is_idle(known)
    ]
    victim = min(waiting, key=lambda known: float(known.connected_at), default=newest)
    log.warning("More than %d connections: one that waits is closed.", MOST)
    victim.transport.abort()


Seen = tuple[bool, Any]
"""Whether a connection was waiting for a request's head, and the request it had had before."""


def _look_later(protocol: Any, seen: Seen) -> None:
    protocol.loop.call_later(HEAD_SECONDS, _look, protocol, seen)


def _look(protocol: Any, seen: Seen) -> None:
    """Close a connection that waits for the same head as at the last look."""
    transport = protocol.transport
    if transport.is_closing() or transport.get_protocol() is not protocol:  # now a WebSocket
        return
    # While the keep-alive timer runs, nothing of a head has come, and uvicorn closes in time.
    waits = _is_idle(protocol) and protocol.timeout_keep_alive_task is None
    if waits and seen[0] and seen[1] is protocol.cycle:
        transport.abort()
    else:
        _look_later(protocol, (waits, protocol.cycle))


def _is_idle(protocol: Any) -> bool:
    return protocol.cycle is None or bool(protocol.cycle.response_complete)

"""A webhook endpoint for tests: it stores what arrives and answers as the test wants."""

import http.server
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import stripe

from tests.support.waiting import wait_until

SECRET = "whsec_for_tests"


@dataclass(frozen=True)
class Arrived:
    """One delivery, as bytes and as what they say."""

    body: bytes
    signature: str
    event: dict[str, Any]
    at: float

    @property
    def type(self) -> str:
        """Of the event."""
        return str(self.event["type"])

    def genuine(self, secret: str = SECRET) -> bool:
        """Whether the SDK accepts it."""
        try:
            stripe.Webhook.construct_event(self.body, self.signature, secret)
        except stripe.SignatureVerificationError:
            return False
        return True


class Server(http.server.ThreadingHTTPServer):
    """Takes many connections at once."""

    daemon_threads = True
    request_queue_size = 128


class Receiver:
    """An HTTP server on a free port. `answer` may be swapped: event → (status, seconds to wait)."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.answer: Callable[[dict[str, Any]], tuple[int, float]] = lambda _: (200, 0)
        self._lock = threading.Lock()
        self._server = Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, seconds = receiver._take(body, self.headers["Stripe-Signature"])
                time.sleep(seconds)
                try:
                    self.send_response(status)
                    if 300 <= status < 400:
                        self.send_header("Location", receiver.url)
                    self.end_headers()
                    self.wfile.write(b"thanks")
                except OSError:
                    pass  # the emulator gave up waiting

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler

    def _take(self, body: bytes, signature: str) -> tuple[int, float]:
        event = json.loads(body)
        with self._lock:
            self.arrived.append(Arrived(body, signature, event, time.time()))
        return self.answer(event)

    def of(self, event_type: str) -> list[Arrived]:
        """What arrived of one type."""
        return [arrived for arrived in list(self.arrived) if arrived.type == event_type]

    def wait_for(self, event_type: str, count: int = 1, seconds: float = 5) -> list[Arrived]:
        """Wait until so many of a type are there; fails when they do not come."""
        wait_until(
            lambda: len(self.of(event_type)) >= count,
            seconds,
            said=lambda: f"{len(self.of(event_type))} of {count} {event_type} arrived",
            pause_seconds=0.01,
        )
        return self.of(event_type)

    def clear(self) -> None:
        """Forget what arrived and answer 200 again."""
        self.arrived.clear()
        self.answer = lambda _: (200, 0)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

"""One HTTP POST to a webhook endpoint, with the standard library."""

import http.client
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

KEPT_BYTES = 4096
HEADERS = {
    "Accept": "*/*",
    "Cache-Control": "no-cache",
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": "Stripe/1.0 (emulator; +https://stripe.com/docs/webhooks)",
}


@dataclass(frozen=True)
class HttpResult:
    """The response of an endpoint; `status` is None if there was none."""

    status: int | None
    body: str
    seconds: float
    final: bool = False
    """Whether there is no point in a retry."""

    @property
    def ok(self) -> bool:
        """Return whether the status is 2xx. Redirects are failures: they are not followed."""
        return self.status is not None and 200 <= self.status < 300


NOT_ALLOWED = (
    "Not sent: this emulator delivers to this machine only. Start it with --allow-host {host} to "
    "let it deliver to {host}."
)


def not_allowed(url: str) -> HttpResult:
    """Return the result for an address that may not be called."""
    return HttpResult(None, NOT_ALLOWED.format(host=urlsplit(url).hostname), 0.0, final=True)


def post(url: str, payload: bytes, signature: str, timeout_seconds: float) -> HttpResult:
    """Send one event. Never raises: a network error is a result too."""
    started = time.perf_counter()
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=timeout_seconds)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, payload, {**HEADERS, "Stripe-Signature": signature})
        response = connection.getresponse()
        body = response.read(KEPT_BYTES).decode(errors="replace")
        return HttpResult(response.status, body, time.perf_counter() - started)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        reason = f"{type(problem).__name__}: {problem}"[:500]
        return HttpResult(None, reason, time.perf_counter() - started)
    finally:
        connection.close()

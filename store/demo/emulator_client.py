"""HTTP client for the emulator: the Stripe objects it holds, and its controls.

Does not use the shop's own Stripe client, so that a fault there cannot hide itself from the
rehearsal.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

from store.core import settings
from store.demo.errors import EmulatorUnreachable, NotApplicable

TIMEOUT_SECONDS = 20
HEALTH_TIMEOUT_SECONDS = 2
POLL_SECONDS = 0.02
COMPLETED = "checkout.session.completed"
# Without a proxy: the emulator and the webhook server are on this computer.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))
Document = dict[str, Any]


def send(request: urllib.request.Request, seconds: float = TIMEOUT_SECONDS) -> tuple[int, bytes]:
    """The status and body of the response, errors included.

    Raises:
        OSError, HTTPException: no response.
    """
    try:
        with LOCAL.open(request, timeout=seconds) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def is_up(url: str) -> bool:
    """True where a health check at `url` answers 200."""
    try:
        return send(urllib.request.Request(url), HEALTH_TIMEOUT_SECONDS)[0] == 200  # noqa: S310
    except (OSError, ValueError, http.client.HTTPException):
        return False


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll until `condition` is true; False if it was not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


class EmulatorClient:
    """The emulator at the address where the shop finds Stripe."""

    def __init__(self, base: str, key: str) -> None:
        self.base, self.key = base, key

    @classmethod
    def current(cls) -> "EmulatorClient":
        return cls(settings.current().api_base or "", settings.current().api_key)

    def _request(
        self, method: str, path: str, body: bytes | None = None, kind: str = "json"
    ) -> Any:
        content = "application/json" if kind == "json" else "application/x-www-form-urlencoded"
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": content}
        request = urllib.request.Request(self.base + path, body, headers, method=method)  # noqa: S310
        try:
            status, text = send(request)
            document = json.loads(text)
        except (OSError, http.client.HTTPException, ValueError):
            raise EmulatorUnreachable from None
        if status != 200:
            path = path.partition("?")[0]
            raise NotApplicable(f"The emulator refused {method} {path} ({status}).")
        return document

    def control(self, method: str, path: str, **body: Any) -> Any:
        data = json.dumps(body).encode() if method == "POST" else None
        return self._request(method, f"/emulator/{path}", data)

    def get(self, path: str, **query: str | int) -> Document:
        document: Document = self._request("GET", f"/v1/{path}?{urlencode(query)}")
        return document

    def post(self, path: str, **form: str | int) -> Document:
        document: Document = self._request("POST", f"/v1/{path}", urlencode(form).encode(), "form")
        return document

    def list_all(self, path: str, **query: str | int) -> Iterator[Document]:
        """Every item of a list, newest first, page after page."""
        while True:
            page = self.get(path, limit=100, **query)
            yield from page["data"]
            if not page["has_more"]:
                return
            query["starting_after"] = page["data"][-1]["id"]

    # --- Stripe objects --------------------------------------------------------------------------

    def is_up(self) -> bool:
        return is_up(f"{self.base}/emulator/health")

    def webhook_url(self) -> str | None:
        """The URL of the first enabled webhook endpoint: our webhook server's."""
        endpoints = self.get("webhook_endpoints", limit=16)["data"]
        return next((str(e["url"]) for e in endpoints if e["status"] == "enabled"), None)

    def session(self, session_id: str) -> Document:
        return self.get(f"checkout/sessions/{quote(session_id)}")

    def completed_event(self, session_id: str) -> Document:
        """The `checkout.session.completed` event of a session."""
        for event in self.list_all("events", type=COMPLETED):
            if event["data"]["object"]["id"] == session_id:
                return event
        raise NotApplicable("Stripe has no event for this payment.")

    # --- controls --------------------------------------------------------------------------------

    def pay(self, session_id: str, card: str, email: str) -> str:
        """Pay as on the pay page; like Stripe this waits for the webhook's first response."""
        path = f"sessions/{quote(session_id)}/pay"
        payment = self.control("POST", path, number=card, email=email)
        return str(payment["outcome"])

    def inject_fault(
        self, target: str, kind: str, match: str, *, times: int = 1, value: str = ""
    ) -> int:
        """Let the next `times` matching requests or deliveries fail; the fault's id."""
        fault = {"target": target, "kind": kind, "match": match, "times": times, "value": value}
        return int(self.control("POST", "troubles", **fault)["id"])

    def clear_fault(self, fault: int) -> None:
        """Remove a fault that has not been used up, so that it meets nobody else."""
        self.control("DELETE", f"troubles/{fault}")

    def deliveries(self, event_id: str) -> list[Document]:
        """The deliveries of an event with their attempts, newest first."""
        deliveries: list[Document] = self.control("GET", f"deliveries?event={quote(event_id)}")
        return deliveries

    def attempts(self, event_id: str) -> list[Document]:
        return [a for delivery in self.deliveries(event_id) for a in delivery["attempts"]]

    def resend(self, event_id: str) -> Document:
        """Deliver an event once more; the attempt that got a response."""
        earlier = {delivery["id"] for delivery in self.deliveries(event_id)}
        self.control("POST", f"events/{quote(event_id)}/resend")
        attempts: list[Document] = []

        def is_delivered() -> bool:
            new = [d for d in self.deliveries(event_id) if d["id"] not in earlier]
            attempts[:] = [attempt for delivery in new for attempt in delivery["attempts"]]
            return bool(attempts)

        if not wait_until(is_delivered, TIMEOUT_SECONDS):
            raise NotApplicable("The emulator did not deliver the event in time.")
        return attempts[0]

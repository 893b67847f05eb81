"""The emulator that stands in for Stripe, over HTTP: what Stripe has, and the emulator's controls.

Stripe's book is read here without the shop's own gateway, so that a fault there cannot hide
itself from the rehearsal.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

from store import settings
from store.rehearsal.errors import EmulatorSilent, Untried

TIMEOUT_SECONDS = 20
PAUSE_SECONDS = 0.02
COMPLETED = "checkout.session.completed"
# Never through a proxy: the emulator and the webhook process are on this computer.
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))
Document = dict[str, Any]


def send(request: urllib.request.Request, seconds: float = TIMEOUT_SECONDS) -> tuple[int, bytes]:
    """The status and body of the answer, whatever the status is.

    Raises:
        OSError, HTTPException: no answer.
    """
    try:
        with LOCAL.open(request, timeout=seconds) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()


def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds; False where it did not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    return True


class StandIn:
    """The emulator at the address where the shop finds Stripe."""

    def __init__(self, base: str, key: str) -> None:
        self.base, self.key = base, key

    @classmethod
    def current(cls) -> "StandIn":
        return cls(settings.current().api_base or "", settings.current().api_key)

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "json") -> Any:
        content = "application/json" if kind == "json" else "application/x-www-form-urlencoded"
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": content}
        request = urllib.request.Request(self.base + path, body, headers, method=method)  # noqa: S310
        try:
            status, answer = send(request)
            found = json.loads(answer)
        except (OSError, http.client.HTTPException, ValueError):
            raise EmulatorSilent from None
        if status != 200:
            raise Untried(f"The emulator refused {method} {path.partition('?')[0]} ({status}).")
        return found

    def control(self, method: str, path: str, **body: Any) -> Any:
        said = json.dumps(body).encode() if method == "POST" else None
        return self._ask(method, f"/emulator/{path}", said)

    def get(self, path: str, **query: str | int) -> Document:
        found: Document = self._ask("GET", f"/v1/{path}?{urlencode(query)}")
        return found

    def post(self, path: str, **form: str | int) -> Document:
        found: Document = self._ask("POST", f"/v1/{path}", urlencode(form).encode(), "form")
        return found

    def every(self, path: str, **query: str | int) -> Iterator[Document]:
        """Every item of a list, newest first, page after page."""
        while True:
            page = self.get(path, limit=100, **query)
            yield from page["data"]
            if not page["has_more"]:
                return
            query["starting_after"] = page["data"][-1]["id"]

    # --- what Stripe has -------------------------------------------------------------------------

    def is_there(self) -> bool:
        request = urllib.request.Request(f"{self.base}/emulator/health")  # noqa: S310
        try:
            return send(request, 2)[0] == 200
        except (OSError, ValueError, http.client.HTTPException):
            return False

    def webhook_address(self) -> str | None:
        """Where Stripe sends its events, which is the door of our webhook process."""
        listed = self.get("webhook_endpoints", limit=16)["data"]
        return next((str(e["url"]) for e in listed if e["status"] == "enabled"), None)

    def session(self, session_id: str) -> Document:
        return self.get(f"checkout/sessions/{quote(session_id)}")

    def completed(self, session_id: str) -> Document:
        """The event that tells of a session's payment."""
        for event in self.every("events", type=COMPLETED):
            if event["data"]["object"]["id"] == session_id:
                return event
        raise Untried("Stripe has no event for this payment.")

    # --- what the controls do --------------------------------------------------------------------

    def pay(self, session_id: str, card: str = "4242424242424242") -> str:
        """Pay as on the pay page; like Stripe this waits for the webhook's first answer."""
        paid = self.control("POST", f"sessions/{quote(session_id)}/pay", number=card)
        return str(paid["outcome"])

    def cause(self, target: str, kind: str, match: str, *, times: int = 1, value: str = "") -> int:
        """Let the next such requests or deliveries go wrong; the trouble's id."""
        asked = {"target": target, "kind": kind, "match": match, "times": times, "value": value}
        return int(self.control("POST", "troubles", **asked)["id"])

    def calm(self, trouble: int) -> None:
        """Take what is left of a trouble back, so that it meets nobody else."""
        self.control("DELETE", f"troubles/{trouble}")

    def deliveries(self, event_id: str) -> list[Document]:
        """The deliveries of an event with their attempts, newest first."""
        found: list[Document] = self.control("GET", f"deliveries?event={quote(event_id)}")
        return found

    def resend(self, event_id: str) -> Document:
        """Deliver an event once more; the attempt that was answered."""
        known = {delivery["id"] for delivery in self.deliveries(event_id)}
        self.control("POST", f"events/{quote(event_id)}/resend")
        answered: list[Document] = []

        def is_answered() -> bool:
            fresh = [d for d in self.deliveries(event_id) if d["id"] not in known]
            answered[:] = [attempt for delivery in fresh for attempt in delivery["attempts"]]
            return bool(answered)

        if not until(is_answered, TIMEOUT_SECONDS):
            raise Untried("The emulator did not deliver the event in time.")
        return answered[0]

"""HTTP client for the emulator: the Stripe objects it holds, and its controls.

Does not use the shop's own Stripe client, so that a fault there cannot hide itself from the
rehearsal.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import requests

from store.core import settings
from store.demo.errors import EmulatorUnreachable, NotApplicable

TIMEOUT_SECONDS = 20
HEALTH_TIMEOUT_SECONDS = 2
POLL_SECONDS = 0.02
COMPLETED = "checkout.session.completed"
Document = dict[str, Any]
Result = TypeVar("Result")


def send(method: str, url: str, **options: Any) -> requests.Response:
    """The response, also one that reports an error; raises `RequestException` if there is none."""
    with requests.Session() as session:
        session.trust_env = False  # no proxy: both servers are on this computer
        return session.request(method, url, **{"timeout": TIMEOUT_SECONDS, **options})


def is_up(url: str) -> bool:
    """True where a health check at `url` answers 200."""
    try:
        return send("GET", url, timeout=HEALTH_TIMEOUT_SECONDS).status_code == 200
    except requests.RequestException:
        return False


def wait_until(condition: Callable[[], Result], seconds: float) -> Result:
    """Poll until the result of `condition` is true or the time is over; returns its last result."""
    deadline = time.monotonic() + seconds
    while not (result := condition()) and time.monotonic() <= deadline:
        time.sleep(POLL_SECONDS)
    return result


@dataclass(frozen=True)
class EmulatorClient:
    """The emulator at the address `base`, where the shop finds Stripe."""

    base: str
    key: str

    @classmethod
    def current(cls) -> "EmulatorClient":
        return cls(settings.current().api_base or "", settings.current().api_key)

    def _request(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        try:
            response = send(method, self.base + path, headers=headers, **options)
            document = response.json()
        except requests.RequestException:
            raise EmulatorUnreachable from None
        if response.status_code != 200:
            raise NotApplicable(f"The emulator refused {method} {path} ({response.status_code}).")
        return document

    def control(self, method: str, path: str, **values: Any) -> Any:
        options = {"json" if method == "POST" else "params": values}
        return self._request(method, f"/emulator/{path}", **options)

    def get(self, path: str, **query: str | int) -> Document:
        return dict(self._request("GET", f"/v1/{path}", params=query))

    def post(self, path: str, **form: str | int) -> Document:
        return dict(self._request("POST", f"/v1/{path}", data=form))

    def list_all(self, path: str, **query: str | int) -> Iterator[Document]:
        """Every item of a list, newest first, page after page."""
        while True:
            page = self.get(path, limit=100, **query)
            yield from page["data"]
            if not page["has_more"]:
                return
            query["starting_after"] = page["data"][-1]["id"]

    def is_up(self) -> bool:
        return is_up(f"{self.base}/emulator/health")

    def webhook_url(self) -> str | None:
        """The URL of the first enabled webhook endpoint: our webhook server's."""
        endpoints = self.get("webhook_endpoints", limit=16)["data"]
        return next((str(e["url"]) for e in endpoints if e["status"] == "enabled"), None)

    def session(self, session_id: str) -> Document:
        return self.get(f"checkout/sessions/{session_id}")

    def event_of(self, object_id: str, kind: str = COMPLETED) -> Document:
        """The event of this type about this object."""
        for event in self.list_all("events", type=kind):
            if event["data"]["object"]["id"] == object_id:
                return event
        raise NotApplicable("Stripe has no event for this payment.")

    def pay(self, session_id: str, card: str, email: str) -> None:
        """Pay as on the pay page; like Stripe this waits for the webhook's first response."""
        self.control("POST", f"sessions/{session_id}/pay", number=card, email=email)

    @contextmanager
    def fault(self, target: str, kind: str, match: str, **more: str | int) -> Iterator[None]:
        """Let the next matching request or delivery fail, or the next `times`, until the end.

        A fault that has not been used up is removed then, so that it meets nobody else.
        """
        fault = {"target": target, "kind": kind, "match": match, **more}
        name = self.control("POST", "troubles", **fault)["id"]
        try:
            yield
        finally:
            self.control("DELETE", f"troubles/{name}")

    def deliveries(self, event_id: str) -> list[Document]:
        """The deliveries of an event with their attempts, newest first."""
        return list(self.control("GET", "deliveries", event=event_id))

    def attempts(self, event_id: str, *, besides: Collection[str] = ()) -> list[Document]:
        """The attempts to deliver an event, without those of the deliveries `besides`."""
        deliveries = [d for d in self.deliveries(event_id) if d["id"] not in besides]
        return [attempt for delivery in deliveries for attempt in delivery["attempts"]]

    def resend(self, event_id: str) -> Document:
        """Deliver an event once more; the attempt that got a response."""
        earlier = {delivery["id"] for delivery in self.deliveries(event_id)}
        self.control("POST", f"events/{event_id}/resend")
        attempts = wait_until(lambda: self.attempts(event_id, besides=earlier), TIMEOUT_SECONDS)
        if not attempts:
            raise NotApplicable("The emulator did not deliver the event in time.")
        return attempts[0]

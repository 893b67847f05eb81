"""HTTP clients of the rehearsal, for the emulator and our webhook server, and their errors.

Does not use the shop's own Stripe client, so that a fault there cannot hide itself from the
rehearsal.
"""

import hmac
import json
import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urljoin

from store.core import local_http, settings
from store.core.errors import StoreError

TIMEOUT_SECONDS = 20
POLL_SECONDS = 0.02
COMPLETED = "checkout.session.completed"
PID_FILE = "WEBHOOK_SERVER_PID_FILE"  # an environment variable: set by `python -m store`
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has only one way to end a process
STOP_SECONDS, START_SECONDS = 5, 40
OUTCOME_TEXTS = {
    "applied": "accepted",
    "no_change": "nothing new",
    "duplicate": "ignored",
    "livemode": "ignored",
}
Document = dict[str, Any]
Result = TypeVar("Result")


class NotApplicable(StoreError):
    """This scenario cannot run here and now; that is no failure of the shop."""

    status = HTTPStatus.CONFLICT


class NotWithRealStripe(NotApplicable):
    sentence = (
        "The rehearsal needs the emulator. This shop talks to Stripe's test mode, so there is "
        "nothing to break here."
    )


class EmulatorUnreachable(NotApplicable):
    sentence = "The emulator does not answer. Start everything with: python -m store"


class NoWebhookServer(NotApplicable):
    sentence = "No webhook server is running here. Start everything with: python -m store"


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

    def _request(self, method: str, path: str, values: Document) -> Any:
        is_json = path.startswith("/emulator/")
        kind = "application/json" if is_json else "application/x-www-form-urlencoded"
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": kind}
        form, url = urlencode(values), f"{self.base}{path}"
        body = (json.dumps(values) if is_json else form).encode() if method == "POST" else None
        if body is None:
            url += f"?{form}"
        try:
            response = local_http.send(
                method, url, timeout=TIMEOUT_SECONDS, body=body, headers=headers
            )
            document = json.loads(response.body)
        except (local_http.NoResponse, ValueError):
            raise EmulatorUnreachable from None
        if response.status != 200:
            raise NotApplicable(f"The emulator refused {method} {path} ({response.status}).")
        return document

    def control(self, method: str, path: str, **values: Any) -> Any:
        """The emulator's own interface: JSON by POST, else a query."""
        return self._request(method, f"/emulator/{path}", values)

    def get(self, path: str, **query: str | int) -> Document:
        return dict(self._request("GET", f"/v1/{path}", query))

    def post(self, path: str, **form: str | int) -> Document:
        return dict(self._request("POST", f"/v1/{path}", form))

    def list_all(self, path: str, **query: str | int) -> Iterator[Document]:
        """Every item of a list, newest first, page after page."""
        while True:
            page = self.get(path, limit=100, **query)
            yield from page["data"]
            if not page["has_more"]:
                return
            query["starting_after"] = page["data"][-1]["id"]

    def is_up(self) -> bool:
        return local_http.is_up(f"{self.base}/emulator/health")

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

    def attempts(self, event_id: str, *, besides: Collection[str] = ()) -> list[Document]:
        """The attempts of an event's deliveries, newest first, without the deliveries `besides`."""
        deliveries = self.control("GET", "deliveries", event=event_id)
        return [a for each in deliveries if each["id"] not in besides for a in each["attempts"]]

    def resend(self, event_id: str) -> Document:
        """Deliver an event once more; the attempt that got a response."""
        earlier = {each["id"] for each in self.control("GET", "deliveries", event=event_id)}
        self.control("POST", f"events/{event_id}/resend")
        attempts = wait_until(lambda: self.attempts(event_id, besides=earlier), TIMEOUT_SECONDS)
        if not attempts:
            raise NotApplicable("The emulator did not deliver the event in time.")
        return attempts[0]


@dataclass(frozen=True)
class WebhookResponse:
    """What the webhook server answered; `outcome` is empty where it refused."""

    status: int = 0
    outcome: str = ""

    @classmethod
    def parse(cls, status: int | None, body: str | bytes) -> "WebhookResponse":
        try:
            outcome = json.loads(body)["outcome"]
        except (ValueError, TypeError, KeyError):
            outcome = ""
        return cls(status or 0, str(outcome))

    @property
    def text(self) -> str:
        if self.status == 200:
            return OUTCOME_TEXTS.get(self.outcome, self.outcome.replace("_", " "))
        return f"refused with {self.status}" if self.status else "not answered"


@dataclass(frozen=True)
class WebhookClient:
    """The webhook server at the URL where the emulator delivers."""

    url: str

    @classmethod
    def connect(cls, stripe: EmulatorClient) -> "WebhookClient":
        """Raises `NoWebhookServer` if the emulator has no endpoint, or nothing listens there."""
        client = cls(stripe.webhook_url() or "")
        if not settings.current().webhook_secrets or not client.is_ready():
            raise NoWebhookServer
        return client

    def is_ready(self) -> bool:
        """True while the process accepts webhooks."""
        return local_http.is_up(urljoin(self.url, "/readyz"))

    def post(self, event: Document, *, secret: str = "", age_seconds: int = 0) -> WebhookResponse:
        """Sign an event as Stripe does (scheme v1) and post it.

        `age_seconds` dates the signature back; `secret` defaults to the shop's own.
        """
        body = json.dumps(event).encode()
        timestamp = int(time.time()) - age_seconds
        key = (secret or settings.current().webhook_secrets[0]).encode()
        signature = hmac.new(key, b"%d." % timestamp + body, "sha256").hexdigest()
        headers = {
            "Content-Type": "application/json",
            "Stripe-Signature": f"t={timestamp},v1={signature}",
        }
        try:
            response = local_http.send(
                "POST", self.url, timeout=TIMEOUT_SECONDS, body=body, headers=headers
            )
        except local_http.NoResponse:
            return WebhookResponse()
        return WebhookResponse.parse(*response)

    def stop(self) -> None:
        """End the process as `kill -9` does, if there is a supervisor, which starts it again.

        The PID file goes first: by that the supervisor knows that the end was intended.
        """
        pid_file = Path(os.environ.get(PID_FILE, ""))
        try:
            pid = int(pid_file.read_text("ascii"))
            pid_file.unlink()
            os.kill(pid, KILL)
        except (OSError, ValueError):
            raise NotApplicable(
                "Only python -m store starts a stopped webhook server again, and this shop was "
                "not started by it."
            ) from None
        if not wait_until(lambda: not self.is_ready(), STOP_SECONDS):
            raise NotApplicable("The webhook server did not stop.")

"""The webhook server as the emulator meets it: send it events, check its health, stop it."""

import hmac
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import requests

from store.core import settings
from store.demo.emulator_client import Document, EmulatorClient, is_up, send, wait_until
from store.demo.errors import NotApplicable, NoWebhookServer

PID_FILE = "WEBHOOK_SERVER_PID_FILE"  # an environment variable: set by `python -m store`
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has only one way to end a process
STOP_SECONDS, START_SECONDS = 5, 40
OUTCOME_TEXTS = {
    "applied": "accepted",
    "no_change": "nothing new",
    "duplicate": "ignored",
    "unknown_order": "kept, its order is unknown",
    "ignored": "ignored",
    "livemode": "ignored",
    "review": "marked for review",
}


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
            return OUTCOME_TEXTS.get(self.outcome, self.outcome)
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
        return is_up(urljoin(self.url, "/readyz"))

    def post(self, event: Document, *, secret: str = "", age_seconds: int = 0) -> WebhookResponse:
        """Sign an event as Stripe does (scheme v1) and post it.

        `age_seconds` dates the signature back; `secret` defaults to the shop's own.
        """
        body = json.dumps(event).encode()
        timestamp = int(time.time()) - age_seconds
        key = (secret or settings.current().webhook_secrets[0]).encode()
        signature = hmac.new(key, b"%d." % timestamp + body, "sha256").hexdigest()
        headers = {"Stripe-Signature": f"t={timestamp},v1={signature}"}
        try:
            response = send("POST", self.url, data=body, headers=headers)
        except requests.RequestException:
            return WebhookResponse()
        return WebhookResponse.parse(response.status_code, response.content)

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

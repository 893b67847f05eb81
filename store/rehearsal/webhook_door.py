"""Our own webhook process, seen from outside: sign and post to it, look at its light, stop it."""

import hmac
import http.client
import json
import os
import signal
import time
import urllib.request
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from store import settings
from store.rehearsal.errors import NoWebhooks, Untried
from store.rehearsal.stand_in import StandIn, send, until

PID_FILE = "SIDECAR_PID_FILE"  # an environment variable: set by `python -m store`
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows knows only one way to end a process
DOWN_SECONDS, UP_SECONDS = 5, 40
OUTCOMES = {
    "applied": "accepted",
    "known": "looked at, nothing new",
    "duplicate": "ignored",
    "orphan": "kept as an orphan",
    "ignored": "ignored",
    "livemode": "ignored",
    "review": "marked for review",
}


@dataclass(frozen=True)
class Answer:
    """What the webhook door answered; `outcome` is empty where it refused."""

    status: int
    outcome: str

    @classmethod
    def of(cls, status: int | None, body: str | bytes) -> "Answer":
        try:
            found = json.loads(body)
        except ValueError:
            found = {}
        outcome = found.get("outcome", "") if isinstance(found, dict) else ""
        return cls(status or 0, str(outcome))

    @property
    def words(self) -> str:
        if self.status == 200:
            return OUTCOMES.get(self.outcome, self.outcome)
        return f"refused with {self.status}" if self.status else "not answered"


@dataclass(frozen=True)
class WebhookDoor:
    """The door at the address where the emulator delivers."""

    address: str

    @classmethod
    def of(cls, stripe: StandIn) -> "WebhookDoor":
        """
        Raises:
            NoWebhooks: the emulator delivers to nobody, or nobody is there.
        """
        address = stripe.webhook_address()
        if address is None or not settings.current().webhook_secrets:
            raise NoWebhooks
        door = cls(address)
        if not door.is_open():
            raise NoWebhooks
        return door

    def is_open(self) -> bool:
        """True while the process takes webhooks."""
        parts = urlsplit(self.address)
        request = urllib.request.Request(f"{parts.scheme}://{parts.netloc}/readyz")  # noqa: S310
        try:
            return send(request, 2)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def post(self, event: Any, *, secret: str | None = None, age_seconds: int = 0) -> Answer:
        """Sign an event as Stripe does (scheme v1), with any secret, so long ago, and post it."""
        body = json.dumps(event).encode()
        moment = int(time.time()) - age_seconds
        key = (secret or settings.current().webhook_secrets[0]).encode()
        mark = hmac.new(key, b"%d." % moment + body, sha256).hexdigest()
        headers = {"Content-Type": "application/json", "Stripe-Signature": f"t={moment},v1={mark}"}
        request = urllib.request.Request(self.address, body, headers)  # noqa: S310
        try:
            return Answer.of(*send(request))
        except (OSError, http.client.HTTPException):
            return Answer(0, "")

    def stop(self) -> None:
        """End the process as `kill -9` does; whoever keeps it running starts it again.

        The file that names the process goes first: that tells the launcher that it was asked for.

        Raises:
            Untried: nobody would start it again.
        """
        named = os.environ.get(PID_FILE)
        try:
            pid = int(Path(named or "").read_text("ascii"))
            Path(named or "").unlink()
            os.kill(pid, KILL)
        except (OSError, ValueError):
            raise Untried(
                "Only python -m store starts a stopped webhook process again, and this shop was "
                "not started by it."
            ) from None
        if not until(lambda: not self.is_open(), DOWN_SECONDS):
            raise Untried("The webhook process did not stop.")

"""How many webhooks were refused for their signature, so that a wrong secret is seen."""

from dataclasses import dataclass
from datetime import datetime

from store.core import clock


@dataclass
class RefusedSignatures:
    """Counted since this process started; `reason` is the last one."""

    count: int = 0
    since: datetime | None = None
    reason: str = ""
    unanswered: int = 0

    def refused(self, reason: str) -> None:
        self.count += 1
        self.unanswered += 1
        self.reason = reason
        if self.unanswered == 1:
            self.since = clock.now()

    def accepted(self) -> None:
        self.unanswered = 0

    def hint(self) -> str:
        """`ok`, or what to do where none has been accepted since the first was refused."""
        if not self.unanswered or self.since is None:
            return "ok"
        return (
            f"{self.unanswered} refused since {self.since:%Y-%m-%d %H:%M:%S} UTC and none accepted "
            f"since; the last one: {self.reason} If Stripe sent them, STRIPE_WEBHOOK_SECRET is not "
            "the signing secret of this endpoint."
        )

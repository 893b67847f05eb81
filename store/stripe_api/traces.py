"""What each answer of Stripe tells besides its content: how it was asked, and what time it is."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from store.core import clock

CLOCK_SECONDS = 60  # Stripe's signatures allow for five minutes
COMPARED_FOR = timedelta(hours=1)  # somebody may set the clock right meanwhile
# The last request of this thread or task, as JSON: what a history shows of it.
TRACE: ContextVar[str] = ContextVar("TRACE", default="")


@dataclass
class StripesClock:
    """How far this machine's clock was ahead of Stripe's at the last answer, to the second."""

    ahead: timedelta | None = None
    read_at: datetime | None = None

    def read(self, date: str) -> None:
        with suppress(ValueError, TypeError):
            now = clock.now()
            self.ahead, self.read_at = now - parsedate_to_datetime(date), now

    @property
    def is_old(self) -> bool:
        """True where it was not compared for half the time that a comparison counts."""
        return self.read_at is None or abs(clock.now() - self.read_at) > COMPARED_FOR / 2

    @property
    def offset(self) -> timedelta:
        """What to subtract from this machine's time to get Stripe's.

        Zero while both agree to a minute, and where they have not been compared for an hour.
        """
        if self.ahead is None or self.read_at is None:
            return timedelta(0)
        recent = abs(clock.now() - self.read_at) <= COMPARED_FOR
        is_off = abs(self.ahead.total_seconds()) > CLOCK_SECONDS
        return self.ahead if recent and is_off else timedelta(0)

    def hint(self) -> str:
        """`ok`, or what to do about it."""
        if self.ahead is None:
            return "not compared with Stripe's yet"
        seconds = self.ahead.total_seconds()
        if abs(seconds) <= CLOCK_SECONDS:
            return "ok"
        return (
            f"{abs(seconds):.0f} seconds {'ahead of' if seconds > 0 else 'behind'} Stripe's. "
            "Set this machine's clock by NTP: signed webhooks are refused otherwise."
        )


STRIPES_CLOCK = StripesClock()


def note(
    request: str, asked: Mapping[str, str], status: int, said: Mapping[str, str], started: float
) -> None:
    """Keep how something was asked: `asked` and `said` are the headers of either side.

    `started` is of `time.monotonic()`; the key that is noted is the idempotency key.
    """
    STRIPES_CLOCK.read(said.get("Date", ""))
    TRACE.set(
        json.dumps(
            {
                "request": request,
                "http_status": status,
                "request_id": said.get("Request-Id"),
                "idempotency_key": asked.get("Idempotency-Key"),
                "replayed": said.get("Idempotent-Replayed") == "true",
                "milliseconds": round((time.monotonic() - started) * 1000),
            }
        )
    )

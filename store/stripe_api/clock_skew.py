"""How far this machine's clock is off, measured by the Date header of every answer of Stripe."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from store.core import clock

CLOCK_SECONDS = 60  # a smaller difference is ignored; Stripe's signatures allow five minutes
VALID_FOR = timedelta(hours=1)  # an operator may correct the clock meanwhile


@dataclass
class ClockSkew:
    """How far this machine's clock was ahead of Stripe's at the last answer, to the second."""

    ahead: timedelta | None = None
    measured_at: datetime | None = None

    def update(self, date: str) -> None:
        """Measure by a Date header; one that cannot be read changes nothing."""
        with suppress(ValueError, TypeError):
            now = clock.now()
            self.ahead, self.measured_at = now - parsedate_to_datetime(date), now

    @property
    def is_old(self) -> bool:
        """True once the last measurement has reached half the time that it is valid for."""
        return self.measured_at is None or abs(clock.now() - self.measured_at) > VALID_FOR / 2

    @property
    def offset(self) -> timedelta:
        """What to subtract from this machine's time to get Stripe's.

        Zero while both agree to a minute, and without a measurement of the last hour.
        """
        if self.ahead is None or self.measured_at is None:
            return timedelta(0)
        recent = abs(clock.now() - self.measured_at) <= VALID_FOR
        is_off = abs(self.ahead.total_seconds()) > CLOCK_SECONDS
        return self.ahead if recent and is_off else timedelta(0)

    def message(self) -> str:
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


CLOCK_SKEW = ClockSkew()


def to_stripe_time(moment: datetime) -> datetime:
    """A moment of this machine's clock by Stripe's, as far as the difference is known."""
    return moment - CLOCK_SKEW.offset


def stripe_now() -> datetime:
    """The current time by Stripe's clock, as far as the difference is known."""
    return to_stripe_time(clock.now())

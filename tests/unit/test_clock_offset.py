"""How far this machine's clock is from Stripe's, and when that counts."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from store.core import clock
from store.stripe_api.clock_skew import ClockSkew

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def compared(monkeypatch: pytest.MonkeyPatch, seconds: int) -> ClockSkew:
    """A comparison of which this machine's clock was so far ahead, at noon."""
    monkeypatch.setattr(clock, "now", lambda: NOON)
    compared = ClockSkew()
    compared.update(format_datetime(NOON - timedelta(seconds=seconds), usegmt=True))
    return compared


@pytest.mark.parametrize(
    ("seconds", "offset", "hint"),
    [
        (0, 0, "ok"),
        (60, 0, "ok"),
        (-60, 0, "ok"),
        (61, 61, "61 seconds ahead of Stripe's"),
        (-3600, -3600, "3600 seconds behind Stripe's"),
    ],
)
def test_a_minute_of_difference_is_none(
    monkeypatch: pytest.MonkeyPatch, seconds: int, offset: int, hint: str
) -> None:
    clocks = compared(monkeypatch, seconds)

    assert clocks.offset == timedelta(seconds=offset)
    assert clocks.message().startswith(hint)


def test_a_comparison_counts_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = compared(monkeypatch, 600)

    monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(minutes=60))
    assert (clocks.offset, clocks.is_old) == (timedelta(seconds=600), True)
    monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(minutes=61))
    assert clocks.offset == timedelta(0)


@pytest.mark.parametrize("date", ["", "yesterday", "2026-11-30T12:00:00Z", "Mon, 99 Nov 2026"])
def test_a_date_that_cannot_be_read_is_no_comparison(date: str) -> None:
    clocks = ClockSkew()

    clocks.update(date)

    assert (clocks.offset, clocks.is_old) == (timedelta(0), True)
    assert clocks.message() == "not compared with Stripe's yet"

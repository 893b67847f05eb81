"""How long a client waits for its next password to be compared."""

from datetime import UTC, datetime, timedelta

import pytest

from store.backoffice.auth import FREE_ATTEMPTS, FailedLogins, Throttle, TooManyAttempts
from store.core import clock

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "seconds"), [(0, 0), (2, 0), (3, 1), (4, 2), (5, 4), (8, 32), (9, 60), (1000, 60)]
)
def test_the_wait_doubles_up_to_a_minute(count: int, seconds: int) -> None:
    wait = FailedLogins(NOON, count).wait(NOON, FREE_ATTEMPTS, crowded=False)

    assert wait == timedelta(seconds=seconds)


@pytest.mark.parametrize(("count", "seconds"), [(0, 0), (1, 60), (2, 60)])
def test_while_many_guess_each_has_one_attempt_a_minute(count: int, seconds: int) -> None:
    wait = FailedLogins(NOON, count).wait(NOON, FREE_ATTEMPTS, crowded=True)

    assert wait == timedelta(seconds=seconds)


def test_a_wait_passes() -> None:
    misses = FailedLogins(NOON, 5)

    assert misses.wait(NOON + timedelta(seconds=4), FREE_ATTEMPTS, crowded=False) <= timedelta(0)


@pytest.mark.parametrize(("seconds", "unit"), [(1, "1 second,"), (60, "60 seconds,")])
def test_the_refusal_says_how_long_to_wait(seconds: int, unit: str) -> None:
    assert unit in str(TooManyAttempts(seconds))


def test_one_client_waits_and_another_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)
    throttle = Throttle()
    for _ in range(FREE_ATTEMPTS):
        throttle.admit("192.0.2.1")

    with pytest.raises(TooManyAttempts):
        throttle.admit("192.0.2.1")
    throttle.admit("192.0.2.2")


def test_an_attempt_that_comes_too_soon_does_not_lengthen_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)
    throttle = Throttle()
    for _ in range(FREE_ATTEMPTS):
        throttle.admit("192.0.2.1")
    for _ in range(100):
        with pytest.raises(TooManyAttempts):
            throttle.admit("192.0.2.1")

    monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(seconds=1))
    throttle.admit("192.0.2.1")

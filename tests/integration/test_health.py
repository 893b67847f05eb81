"""The back office's health checks and their remedies."""

import re
import threading
from datetime import timedelta

import pytest

from store.backoffice import health
from store.backoffice.tasks import BackgroundTasks
from store.core import clock, settings
from store.db.write_probe import WriteProbe
from tests.support.shop import Shop


def checks() -> dict[str, health.HealthCheck]:
    return {check.name: check for check in health.run_checks(BackgroundTasks(), WriteProbe())}


def test_every_part_has_a_light(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECAR_URL", shop.server.url)
    settings.current.cache_clear()
    shop.a_paid_order()
    shop.deliver_latest("checkout.session.completed")

    seen = checks()

    assert {name: light.good for name, light in seen.items()} == {
        "Shop": True,
        "Webhook server": True,
        "Database": True,
        "Emulator": True,
        "Clock": True,
        "Last event": None,
        "Reconciliation": seen["Reconciliation"].good,
    }
    assert all(light.remedy == "" for light in seen.values())


def test_a_red_light_says_how_to_mend_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECAR_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.1:9")
    settings.current.cache_clear()

    seen = checks()

    assert (seen["Webhook server"].good, seen["Emulator"].good) == (False, False)
    assert "python -m store" in seen["Webhook server"].remedy
    assert "python -m store" in seen["Emulator"].remedy


def test_a_clock_that_is_off_is_red(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(minutes=4))

    (_, light) = health.check_stripe()

    assert not light.good
    assert re.fullmatch(r"2[34]\d s ahead", light.message)
    assert "NTP" in light.remedy


def test_a_check_that_fails_unexpectedly_hides_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> health.HealthCheck:
        raise RuntimeError

    monkeypatch.setattr(health, "check_last_event", fail)

    results = checks()

    assert results["Last event"].good is False
    assert results["Database"].good


def test_health_is_checked_by_one_thread_and_again_after_something_was_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monitor, runs, hold = health.HealthMonitor(BackgroundTasks()), [], threading.Event()

    def run_checks(*_given: object) -> list[health.HealthCheck]:
        runs.append(1)
        hold.wait(5)
        return [health.HealthCheck("Shop", True, f"run {len(runs)}")]

    monkeypatch.setattr(health, "run_checks", run_checks)
    monkeypatch.setattr(health, "FIRST_RESULT_SECONDS", 0)
    nothing_yet = [monitor.checks() for _ in range(5)]
    monitor.expire()  # the thread began before this, so its results say nothing of it
    hold.set()
    monkeypatch.setattr(health, "FIRST_RESULT_SECONDS", 5)

    assert (nothing_yet, [check.state for check in monitor.checks()]) == ([[]] * 5, ["run 2"])
    assert [check.state for check in monitor.checks()] == ["run 2"]

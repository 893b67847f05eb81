"""The rehearsal page over the really started shop, whose webhook process is really killed."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from store.core import clock
from store.db import engine as db
from store.db.models import Lease
from store.demo.runner import Rehearsal, Rehearsals, rehearsal_buyer
from store.demo.scenarios import SCENARIOS
from store.orders import checkout
from store.web import buyer_cookie
from tests.support.axe import grave_faults
from tests.support.browser_actions import pay_button, verdict
from tests.support.processes import RunningShop
from tests.support.waiting import wait_until

STOPPED = "Stop the webhooks"
QUIET = timedelta(seconds=3)
Launched = tuple[RunningShop, Path]


@pytest.fixture
def inside(launched: Launched, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningShop]:
    """This test as a part of the launched storefront."""
    running_shop, _ = launched
    monkeypatch.setenv("WEBHOOK_SERVER_PID_FILE", str(running_shop.folder / "webhook-server.pid"))
    with running_shop.entered():
        # Every process looks at Stripe when it has started, and would find a payment first.
        wait_until(is_quiet, 60)
        yield running_shop


def is_quiet() -> bool:
    """Whether the last look at Stripe is over; a process that is starting has not had its first."""
    with db.reading() as session:
        turn = session.get(Lease, "reconciler")
    return turn is not None and turn.acquired_at < clock.now() - QUIET


def opened(buyer: BrowserContext, running_shop: RunningShop) -> Page:
    page = buyer.new_page()
    page.goto(f"{running_shop.address}/rehearsal")
    expect(page.get_by_role("button", name="Run all")).to_be_enabled(timeout=20_000)
    return page


def test_a_killed_webhook_process_loses_nothing_and_comes_back(inside: RunningShop) -> None:
    rehearsal = Rehearsal(buyer_cookie.buyer_hash(buyer_cookie.new_cookie()), Rehearsals())

    rehearsal.start(STOPPED, inside.address)
    wait_until(lambda: rehearsal.progress is None, 90)

    (row,) = [row for row in rehearsal.rows if row.scenario.name == STOPPED]
    assert row.state == "passed", row.outcome
    assert row.outcome.startswith("paid by redirect; back after")
    inside.assert_paid_once(rehearsal_buyer(rehearsal.visitor))


def test_a_shop_without_look_ups_fails_the_rehearsal(
    inside: RunningShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkout, "refresh_order", lambda *_: None)
    rehearsal = Rehearsal(buyer_cookie.buyer_hash(buyer_cookie.new_cookie()), Rehearsals())

    rehearsal.start(STOPPED, inside.address)
    wait_until(lambda: rehearsal.progress is None, 90)

    (row,) = [row for row in rehearsal.rows if row.scenario.name == STOPPED]
    assert row.state == "failed"
    assert row.outcome.startswith("open by nobody")


@pytest.mark.browser
def test_run_all_holds_on_every_line_in_under_a_minute(
    launched: Launched, buyer: BrowserContext
) -> None:
    running_shop, _ = launched
    page = opened(buyer, running_shop)

    started = time.monotonic()
    page.get_by_role("button", name="Run all").click()

    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_text("Webhook server is down")).to_be_visible(timeout=60_000)
    summary = page.get_by_text("12 of 12 passed")
    expect(summary).to_be_visible(timeout=60_000)
    assert time.monotonic() - started < 60
    expect(page.locator(".scenario.passed")).to_have_count(len(SCENARIOS))
    expect(page.get_by_text("Webhook server is up")).to_be_visible()
    for scenario in SCENARIOS:
        expect(page.get_by_text(f"Expected: {scenario.expected}")).to_be_visible()
    page.reload()
    expect(summary).to_be_visible(timeout=20_000)
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Order of Refund twice at once").click()
    expect(verdict(popup.value, "Refunded")).to_be_visible(timeout=20_000)
    page.goto(running_shop.address)
    expect(page.get_by_text("No orders yet")).to_be_visible(timeout=20_000)  # of the visitor's own


@pytest.mark.browser
def test_a_fresh_demo_is_confirmed_and_twenty_five_samples_fill_it(
    launched: Launched, buyer: BrowserContext
) -> None:
    running_shop, _ = launched
    page = opened(buyer, running_shop)

    page.get_by_role("button", name="Fresh demo").click()
    page.get_by_role("button", name="Keep them").click()
    expect(page.get_by_role("button", name="Keep them")).to_be_hidden()
    page.get_by_role("button", name="Fresh demo").click()
    page.get_by_role("button", name="Delete every order").click()
    expect(page.get_by_text("A fresh demo: no orders")).to_be_visible(timeout=30_000)
    assert running_shop.orders() == []
    page.get_by_role("button", name="25 sample orders").click()

    summary = page.locator(".state")
    expect(summary).to_contain_text("25 sample orders over 90 days, in 9 statuses", timeout=60_000)
    expect(summary).to_contain_text("Stripe agrees")
    assert len(running_shop.orders()) == 25


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_rehearsal_page_is_accessible(
    launched: Launched, buyer: BrowserContext, scheme: str
) -> None:
    page = buyer.new_page()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(launched[0].address)
    expect(pay_button(page)).to_be_visible(timeout=20_000)
    page.get_by_role("link", name="Rehearsal").click()
    page.get_by_role("button", name="Forged").click()
    expect(page.locator(".scenario.passed")).to_have_count(1, timeout=30_000)

    assert grave_faults(page) == []

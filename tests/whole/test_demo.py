"""The three minutes on stage, as the rehearsal's script tells them, in a real browser."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Download, Page, expect

from tests.axe import grave_faults
from tests.whole.buying import AT_STRIPE, enter, fill_in, pay_button, row, take, verdict
from tests.whole.running import House

ONE_CHARGE = re.compile(r"\b1 order\s+1 charge\b")


def tried(page: Page, trouble: str) -> None:
    """Press a trouble's button and see its line hold."""
    held = page.locator(".scenario.passed")
    before = held.count()
    page.get_by_role("button", name=trouble, exact=True).click()
    expect(held).to_have_count(before + 1, timeout=40_000)


def saved(download: Download, folder: Path) -> str:
    file = folder / download.suggested_filename
    download.save_as(file)
    return file.read_text("utf-8-sig")


@pytest.mark.browser
@pytest.mark.scenario("A1", "C18", "D1", "E5", "F1", "G7")
def test_the_three_minute_demo(
    launched: tuple[House, Path], buyer: BrowserContext, tmp_path: Path
) -> None:
    house, _ = launched

    # One: pressed twice in two tabs, one payment page.
    first, second = enter(buyer, house), enter(buyer, house)
    for tab in (first, second):
        take(tab)
        expect(pay_button(tab)).to_be_enabled()
    for tab in (first, second):
        pay_button(tab).click()
    for tab in (first, second):
        tab.wait_for_url(AT_STRIPE)
    assert first.url == second.url
    second.close()

    # Two: paid, and nobody comes back; the order turns paid by itself.
    fill_in(first)
    first.get_by_role("button", name="but do not come back").click()
    shop = enter(buyer, house)
    expect(row(shop, "Paid")).to_be_visible()
    expect(shop.get_by_role("complementary", name="Charged once")).to_contain_text(ONE_CHARGE)
    house.assert_paid_once(house.knows(buyer))

    # Three to five: lied to, cut off from its webhooks, asked twice for the money.
    shop.get_by_role("link", name="Rehearsal").click()
    for trouble in ("Webhook twice", "Forged", "Stop the webhooks", "Refund twice at once"):
        tried(shop, trouble)
    expect(shop.get_by_text("0 charged twice").first).to_be_visible()
    expect(shop.get_by_text("0 lost").first).to_be_visible()

    # The proof: the timeline of the refunded order, and every order as a sheet.
    with shop.expect_popup() as opened:
        shop.get_by_role("link", name="Order of Refund twice at once").click()
    order = opened.value
    expect(verdict(order, "Refunded")).to_be_visible()
    with order.expect_download() as story:
        order.get_by_text("Download as JSON").click()
    said = json.loads(saved(story.value, tmp_path))
    assert "refund" in json.dumps(said).lower()
    office = house.opens_the_office(buyer)
    office.get_by_role("link", name="Orders", exact=True).click()
    with office.expect_download() as sheet:
        office.get_by_role("link", name="Export these as CSV").click()
    numbers = {order.number for order in house.orders()}
    assert {line.split(",")[0] for line in saved(sheet.value, tmp_path).splitlines()[1:]} == numbers
    assert grave_faults(office) == []

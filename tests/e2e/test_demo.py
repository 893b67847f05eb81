"""The three-minute demo, given by following the rehearsal's script."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Download, Locator, Page, expect

from store.demo.script import STEPS
from tests.support.axe import grave_faults
from tests.support.browser_actions import AT_STRIPE, row, verdict
from tests.support.processes import RunningShop

ONE_CHARGE = re.compile(r"\b1 charge\b|charged once", re.IGNORECASE)


class Presenter:
    """Reads the current step; presses what stands there in bold, under exactly that name."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def step(self) -> Locator:
        return self.page.locator(".script .current")

    @property
    def labels(self) -> list[str]:
        """What is to be pressed, in this order."""
        expect(self.step).to_be_visible()
        return self.step.locator("dl > dd").first.locator("b, button").all_inner_texts()

    def open(self, link: str) -> Page:
        """Follow a link or button of the script, which opens a tab."""
        named = self.step.get_by_role("link", name=link).or_(
            self.step.get_by_role("button", name=link)
        )
        with self.page.expect_popup() as opened:
            named.click()
        return opened.value

    def next(self) -> None:
        """By the keyboard, as a presenter's remote does it."""
        title = self.step.locator(".title").inner_text()
        self.page.locator("h1").click()
        self.page.keyboard.press("ArrowRight")
        expect(self.page.locator(".script .done .title").last).to_have_text(title)

    def run(self, scenario: str) -> None:
        held = self.page.locator(".scenario.passed")
        before = held.count()
        self.page.get_by_role("button", name=scenario, exact=True).click()
        expect(held).to_have_count(before + 1, timeout=40_000)


def press(page: Page, label: str) -> None:
    """Press the button of this name; `…` stands for anything."""
    name = re.compile("^" + re.escape(label).replace("…", ".+") + "$")
    button = page.get_by_role("button", name=name)
    expect(button).to_be_enabled()
    button.click()


def saved(download: Download, folder: Path) -> str:
    file = folder / download.suggested_filename
    download.save_as(file)
    return file.read_text("utf-8-sig")


def click_twice(script: Presenter) -> Page:
    """One: pressed in two tabs, one payment page."""
    pay = script.labels[0]
    tabs = [script.open("Open the shop"), script.open("open it again")]
    for tab in tabs:
        expect(tab.get_by_label("Quantity of Red T-Shirt")).to_have_value("2", timeout=60_000)
    for tab in tabs:
        press(tab, pay)
    for tab in tabs:
        tab.wait_for_url(AT_STRIPE)
    assert tabs[0].url == tabs[1].url
    return tabs[0]


def pay_and_stay(script: Presenter, tab: Page) -> None:
    """Two: paid, and nobody comes back; the order turns paid by itself."""
    fill, stay = script.labels[:2]
    tab.get_by_label("Email").fill("buyer@example.com")
    press(tab, fill)
    press(tab, stay)
    orders = script.open("My orders")
    expect(row(orders, "Paid")).to_be_visible(timeout=60_000)
    expect(orders.get_by_role("heading", name="My orders")).to_be_in_viewport()
    expect(orders.get_by_text(ONE_CHARGE).first).to_be_visible()
    expect(script.page.get_by_role("timer")).not_to_have_text("0:00")


def prove(script: Presenter, running_shop: RunningShop, folder: Path) -> None:
    """Five: refunded twice; the timeline of the order, and both sides in the back office."""
    refund, proof, reconciliation, compare = script.labels
    script.run(refund)
    link = script.page.get_by_role("link", name=f"Order of {refund}")
    assert link.inner_text() == proof
    with script.page.expect_popup() as popup:
        link.click()
    order = popup.value
    expect(verdict(order, "Refunded")).to_be_visible()
    with order.expect_download() as download:
        order.get_by_text("Download as JSON").click()
    assert "refund" in json.dumps(json.loads(saved(download.value, folder))).lower()
    office = script.open(reconciliation)
    expect(office.get_by_role("heading", name="Reconciliation")).to_be_visible(timeout=60_000)
    running_shop.knows_the_operator(script.page.context)
    press(office, compare)
    expect(office.get_by_text("difference 0")).to_have_count(2, timeout=60_000)
    expect(office.get_by_text("difference $0.00")).to_be_visible()
    sheet = office.request.get(f"{running_shop.address}/back-office/orders.csv").text()
    numbers = {line.split(",")[0] for line in sheet.removeprefix("\ufeff").splitlines()[1:]}
    assert numbers == {order.number for order in running_shop.orders()}


@pytest.mark.browser
@pytest.mark.scenario("A1", "C18", "D1", "E5", "F1", "G7")
def test_a_stranger_gives_the_three_minute_demo_from_its_script(
    launched: tuple[RunningShop, Path], buyer: BrowserContext, tmp_path: Path
) -> None:
    running_shop, _ = launched
    page = buyer.new_page()
    page.goto(f"{running_shop.address}/rehearsal")
    script = Presenter(page)
    expect(script.step).to_contain_text(STEPS[0].title, timeout=60_000)

    tab = click_twice(script)
    script.next()
    pay_and_stay(script, tab)
    running_shop.assert_paid_once(running_shop.knows(buyer))
    for place in (2, 3):  # lied to, and cut off from its webhooks; a reload changes nothing
        script.next()
        page.reload()
        expect(script.step).to_contain_text(STEPS[place].title)
        for label in script.labels:
            script.run(label)
    expect(page.get_by_text("0 charged twice").first).to_be_visible()
    expect(page.get_by_text("Webhook server is up")).to_be_visible()
    script.next()
    prove(script, running_shop, tmp_path)

    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Done in")).to_be_visible()
    expect(page.locator(".script .done")).to_have_count(len(STEPS))
    assert grave_faults(page) == []
    shop = buyer.new_page()
    shop.goto(running_shop.address)
    rows = shop.locator("[class*=st-key-row-]")
    expect(rows).to_have_count(1)  # the rehearsal's orders are not among these

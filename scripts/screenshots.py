"""Screenshots of every page, by one command: `python -m scripts.screenshots`.

Each page is taken three times: on a projector in light and in dark, and on a telephone. All of
them go to `test-results/pictures`, and those that the README shows to `docs`. The shop is a
really started one, in a folder that is thrown away.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, expect

from store.core.settings import ROOT
from tests.support import chromium
from tests.support.browser_actions import (
    AT_STRIPE,
    enter,
    fill_in,
    leave_for_stripe,
    pay,
    take,
    verdict,
)
from tests.support.processes import House

FOLDER = ROOT / "test-results" / "pictures"
SHOWN = {
    "shop-busy-light": "shop",
    "shop-alarm-dark": "alarm",
    "order-paid-light": "order",
    "rehearsal-dark": "rehearsal",
    "office-overview-light": "back-office",
}
PROJECTOR, TELEPHONE = (1280, 720), (390, 844)
NUMBER = re.compile(r"[A-Z0-9]{4}(-[A-Z0-9]{4}){3}")
LOOKS = [("light", PROJECTOR), ("dark", PROJECTOR), ("phone", TELEPHONE)]


class Camera:
    """Takes what a page shows now, in every look, without loading it again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: list[str] = []

    def take(self, page: Page, name: str) -> None:
        for look, (width, height) in LOOKS:
            page.emulate_media(color_scheme="dark" if look == "dark" else "light")
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("document.fonts.ready")
            page.wait_for_timeout(700)  # Streamlit follows the theme and the width a little later
            page.mouse.move(0, 0)
            page.screenshot(path=self.folder / f"{name}-{look}.png")
            self.taken.append(f"{name}-{look}.png")
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": PROJECTOR[0], "height": PROJECTOR[1]})


def buy(buyer: BrowserContext, house: House, camera: Camera) -> None:
    """The shop empty and busy, the pay page, and the order."""
    page = enter(buyer, house)
    camera.take(page, "shop-empty")
    take(page)
    camera.take(page, "shop-cart")
    leave_for_stripe(page)
    page.go_back()
    page.goto(house.address)
    page.locator(".order a").first.click()
    expect(verdict(page, "Not paid yet")).to_be_visible()
    camera.take(page, "order-open")
    page.get_by_role("link", name="Continue payment").click()
    page.wait_for_url(AT_STRIPE)
    fill_in(page)
    camera.take(page, "pay")
    pay(page)
    expect(verdict(page)).to_be_visible()
    camera.take(page, "order-paid")
    page.close()


def rehearse(buyer: BrowserContext, house: House, camera: Camera) -> None:
    """The rehearsal and what it leaves behind, then the samples."""
    page = buyer.new_page()
    page.goto(f"{house.address}/rehearsal")
    camera.take(page, "rehearsal-empty")
    page.get_by_role("button", name="Run all").click()
    expect(page.get_by_text("12 of 12 passed")).to_be_visible(timeout=120_000)
    camera.take(page, "rehearsal")
    page.get_by_role("button", name="Fresh demo").click()
    page.get_by_role("button", name="Delete every order").click()
    expect(page.get_by_text("A fresh demo: no orders")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="25 sample orders").click()
    expect(page.locator(".state")).to_contain_text("Stripe agrees", timeout=120_000)
    for count in (1, 2, 3):
        page.goto(house.address)
        take(page, count)
        leave_for_stripe(page)
        fill_in(page)
        pay(page)
        expect(verdict(page)).to_be_visible()
    page.goto(house.address)
    expect(page.locator("[class*=st-key-row-]")).to_have_count(3)
    camera.take(page, "shop-busy")
    page.close()


def alarm(buyer: BrowserContext, house: House, camera: Camera) -> None:
    """A payment of another amount: nothing is called paid, and the count says why."""
    page = enter(buyer, house)
    take(page, 1)
    lie = {"target": "delivery", "kind": "amount", "match": "checkout.session.completed"}
    httpx.post(f"{house.stripe_address}/emulator/troubles", json=lie).raise_for_status()
    leave_for_stripe(page)
    fill_in(page)
    page.get_by_role("button", name="but do not come back").click()
    page.goto(house.address)
    expect(page.get_by_role("alert").first).to_be_visible(timeout=60_000)
    camera.take(page, "shop-alarm")
    page.locator(".order a").first.click()
    expect(verdict(page, "Needs review")).to_be_visible()
    camera.take(page, "order-alarm")
    page.close()


def work(operator: BrowserContext, house: House, camera: Camera) -> None:
    """Every part of the back office, and the emulator's dashboard."""
    page = house.opens_the_office(operator)
    for link in ("Overview", "Orders", "Products", "Webhooks", "Reconciliation"):
        page.get_by_role("link", name=link, exact=True).first.click()
        expect(page.locator(".stSkeleton, [data-testid=stSkeleton]")).to_have_count(0)
        page.wait_for_timeout(1500)
        camera.take(page, f"office-{link.lower()}")
    page.goto(f"{house.address}/back-office-orders")
    page.get_by_role("link", name=NUMBER).first.click()
    expect(page.get_by_role("heading", name=NUMBER)).to_be_visible()
    camera.take(page, "office-order")
    page.goto(house.stripe_address)
    camera.take(page, "emulator")
    page.close()


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    camera = Camera(FOLDER)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        house = House(folder, f"sqlite:///{(folder / 'store.db').as_posix()}")
        with house.launched(), chromium.launched(chromium.found_chromium()) as browser:
            for scene in (buy, rehearse, alarm, work):
                context = a_visitor(browser)
                scene(context, house, camera)
                context.close()
    for taken, shown in SHOWN.items():
        shutil.copy(FOLDER / f"{taken}.png", ROOT / "docs" / f"{shown}.png")
    sys.stdout.write(f"{len(camera.taken)} pictures in {FOLDER}\n")
    return 0


def a_visitor(browser: Browser) -> BrowserContext:
    visitor = browser.new_context(locale="en-US", timezone_id="UTC")
    visitor.set_default_timeout(30_000)
    return visitor


if __name__ == "__main__":
    sys.exit(main())

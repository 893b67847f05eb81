"""Screenshots of every page and state, by one command: `python -m scripts.screenshots`.

Each is taken in light and in dark, on a phone and on a projector; the main pages also at 200 %
zoom, in forced colors and in an Arabic browser. All of them go to `test-results/pictures`, and
those that the README shows to `docs`. The shop is started by `python -m store`, in a temporary
folder.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, BrowserContext, Page, expect

from store.core.settings import ROOT
from store.demo.clients import EmulatorClient
from store.demo.context import ScenarioContext
from tests.support import chromium
from tests.support.browser_actions import (
    AT_STRIPE,
    DECLINED,
    enter,
    fill_in,
    leave_for_stripe,
    pay,
    refusal,
    take,
    verdict,
)
from tests.support.processes import RunningShop

FOLDER = ROOT / "test-results" / "pictures"
SHOWN = {
    "shop-busy-light": "shop",
    "shop-alarm-dark": "alarm",
    "order-paid-light": "order",
    "rehearsal-dark": "rehearsal",
    "office-overview-light": "back-office",
}
NUMBER = re.compile(r"[A-Z0-9]{4}(-[A-Z0-9]{4}){3}")
SCREEN = (1280, 720)
SMALL = (640, 360)  # what 200 % zoom leaves of the screen


class Look(NamedTuple):
    size: tuple[int, int]
    color_scheme: Literal["light", "dark"] = "light"
    forced_colors: Literal["none", "active"] = "none"


LOOKS = {
    "light": Look(SCREEN),
    "dark": Look(SCREEN, "dark"),
    "phone": Look((390, 844)),
    "projector": Look((1920, 1080)),
}
MORE_LOOKS = {
    "zoomed": Look(SMALL),
    "phone-whole": Look((390, 2400), "dark"),
    "forced": Look(SCREEN, "dark", "active"),
}
SECTIONS = ("", "-orders", "-products", "-webhooks", "-reconciliation")


class Camera:
    """Takes what a page shows now, in every look, without loading it again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: list[str] = []

    def take(self, page: Page, name: str, *, main: bool = False) -> None:
        """`main` pages are taken in `MORE_LOOKS`, too."""
        shown_in = "light"
        for name_of_look, look in (LOOKS | (MORE_LOOKS if main else {})).items():
            page.emulate_media(color_scheme=look.color_scheme, forced_colors=look.forced_colors)
            page.set_viewport_size({"width": look.size[0], "height": look.size[1]})
            page.evaluate("document.fonts.ready")
            if page.locator("canvas").count() and look.color_scheme != shown_in:
                page.reload()  # a table does not follow the color scheme
                page.wait_for_timeout(4000)
                shown_in = look.color_scheme
            page.wait_for_timeout(700)  # Streamlit follows the theme and the width a little later
            page.mouse.move(0, 0)
            file = f"{name}-{name_of_look}.png"
            page.screenshot(path=self.folder / file)
            self.taken.append(file)
        page.emulate_media(color_scheme="light", forced_colors="none")
        page.set_viewport_size({"width": SCREEN[0], "height": SCREEN[1]})


def buy(buyer: BrowserContext, running_shop: RunningShop, camera: Camera) -> None:
    """The shop empty and with a cart, its dialogs, the pay page, and the order."""
    page = enter(buyer, running_shop)
    camera.take(page, "shop-empty")
    take(page)
    camera.take(page, "shop-cart")
    leave_for_stripe(page)
    page.go_back()
    page.goto(running_shop.address)
    camera.take(page, "shop-open-order", main=True)
    page.get_by_role("button", name="Cancel").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    camera.take(page, "shop-cancel-dialog")
    page.get_by_role("button", name="Keep it").click()
    page.locator(".order a").first.click()
    expect(verdict(page, "Not paid yet")).to_be_visible()
    camera.take(page, "order-open")
    page.get_by_role("link", name="Continue payment").click()
    page.wait_for_url(AT_STRIPE)
    camera.take(page, "pay")
    fill_in(page, DECLINED)
    pay(page)
    expect(refusal(page)).to_be_visible()
    camera.take(page, "pay-declined", main=True)
    fill_in(page)
    pay(page)
    expect(verdict(page)).to_be_visible()
    camera.take(page, "order-paid", main=True)
    page.goto(running_shop.address)
    take(page)
    page.get_by_role("button", name=re.compile("^Pay")).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    camera.take(page, "shop-again-dialog")
    page.goto(f"{running_shop.address}/nowhere")
    page.wait_for_timeout(2000)
    camera.take(page, "wrong-address")
    page.goto(f"{running_shop.address}/order?number=AAAA-AAAA-AAAA-AAAA")
    page.wait_for_timeout(2000)
    camera.take(page, "unknown-order")
    page.close()


def rehearse(buyer: BrowserContext, running_shop: RunningShop, camera: Camera) -> None:
    """The rehearsal and what it leaves behind, then the samples."""
    page = buyer.new_page()
    page.goto(f"{running_shop.address}/rehearsal")
    camera.take(page, "rehearsal-empty")
    page.get_by_role("button", name="Run all").click()
    expect(page.get_by_text("12 of 12 passed")).to_be_visible(timeout=120_000)
    camera.take(page, "rehearsal", main=True)
    for _ in range(4):
        page.get_by_role("button", name="Next").click()
        page.wait_for_timeout(700)
    camera.take(page, "rehearsal-last-step")
    page.get_by_role("button", name="Fresh demo").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    camera.take(page, "rehearsal-dialog")
    page.get_by_role("button", name="Delete every order").click()
    expect(page.get_by_text("A fresh demo: no orders")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="25 sample orders").click()
    expect(page.locator(".state")).to_contain_text("Stripe agrees", timeout=120_000)
    for count in (1, 2, 3):
        page.goto(running_shop.address)
        take(page, count)
        leave_for_stripe(page)
        fill_in(page)
        pay(page)
        expect(verdict(page)).to_be_visible()
    page.goto(running_shop.address)
    expect(page.locator("[class*=st-key-row-]")).to_have_count(3)
    camera.take(page, "shop-busy", main=True)
    page.close()


def alarm(buyer: BrowserContext, running_shop: RunningShop, camera: Camera) -> None:
    """An event that says another amount was paid: nothing is called paid, and the page says why."""
    page = enter(buyer, running_shop)
    take(page, 1)
    leave_for_stripe(page)
    with running_shop.entered():
        stripe = EmulatorClient.current()
        context = ScenarioContext(running_shop.knows(buyer), running_shop.address, stripe)
        number = running_shop.the_order(context.buyer).number
        context.webhooks.post(context.false_event(number, amount_total=1))
    page.goto(running_shop.address)
    expect(page.get_by_role("alert").first).to_be_visible(timeout=60_000)
    camera.take(page, "shop-alarm", main=True)
    page.locator(".order a").first.click()
    expect(verdict(page, "Being checked")).to_be_visible()
    camera.take(page, "order-alarm")
    page.close()


def operate(operator: BrowserContext, running_shop: RunningShop, camera: Camera) -> None:
    """Every page of the back office and its dialogs, and the emulator's dashboard."""
    page = operator.new_page()
    page.goto(f"{running_shop.address}/back-office")
    camera.take(page, "office-sign-in", main=True)
    page.close()
    page = running_shop.opens_back_office(operator)
    for section in SECTIONS:
        open_section(page, running_shop, section)
        camera.take(page, f"office{section or '-overview'}", main=True)
    page.get_by_role("button", name="Compare with Stripe").click()
    expect(page.get_by_text("Compared ").first).to_be_visible(timeout=60_000)
    camera.take(page, "office-reconciliation-compared", main=True)
    open_section(page, running_shop, "-webhooks?event=" + newest_event(running_shop))
    camera.take(page, "office-webhooks-event", main=True)
    open_section(page, running_shop, "-orders?q=nobody")
    camera.take(page, "office-orders-none")
    page.close()
    order_of_operator(operator, running_shop, camera)
    product_of_operator(operator, running_shop, camera)
    page = operator.new_page()
    page.goto(running_shop.stripe_address)
    camera.take(page, "emulator")
    page.close()


def order_of_operator(operator: BrowserContext, running_shop: RunningShop, camera: Camera) -> None:
    page = operator.new_page()
    paid = next(order for order in reversed(running_shop.orders()) if order.status == "paid")
    open_section(page, running_shop, f"-orders?order={paid.number}")
    camera.take(page, "office-order", main=True)
    page.get_by_role("button", name="Refund…").click()
    amount = page.get_by_label("Amount in")
    expect(amount).to_be_visible()
    camera.take(page, "office-refund")
    amount.fill("1000")
    page.get_by_role("dialog").get_by_role("button", name="Refund", exact=True).click()
    expect(page.get_by_role("alert").first).to_be_visible()
    camera.take(page, "office-refund-refused")
    page.close()


def product_of_operator(
    operator: BrowserContext, running_shop: RunningShop, camera: Camera
) -> None:
    page = operator.new_page()
    open_section(page, running_shop, "-products")
    page.get_by_role("button", name="Edit").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.wait_for_timeout(1000)
    camera.take(page, "office-product")
    dialog.get_by_label("Price").fill("a lot")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert").first).to_be_visible()
    camera.take(page, "office-product-refused")
    page.close()


def open_section(page: Page, running_shop: RunningShop, section: str) -> None:
    page.goto(f"{running_shop.address}/back-office{section}")
    expect(page.get_by_role("heading", level=1).last).to_be_visible()
    expect(page.locator(".stSkeleton, [data-testid=stSkeleton]")).to_have_count(0)
    page.wait_for_timeout(1500)


def newest_event(running_shop: RunningShop) -> str:
    return str(running_shop.stripe.events.list({"limit": 1}).data[0].id)


def read_from_the_right(reader: BrowserContext, running_shop: RunningShop, camera: Camera) -> None:
    """An Arabic browser: the pages stay English, dates and amounts are in its own digits."""
    page = enter(reader, running_shop)
    take(page)
    camera.take(page, "arabic-shop")
    leave_for_stripe(page)
    fill_in(page)
    pay(page)
    expect(verdict(page)).to_be_visible()
    camera.take(page, "arabic-order")
    page.goto(f"{running_shop.address}/rehearsal")
    page.wait_for_timeout(1500)
    camera.take(page, "arabic-rehearsal")
    page.close()
    page = running_shop.opens_back_office(reader)
    for section in SECTIONS:
        open_section(page, running_shop, section)
        camera.take(page, f"arabic-office{section or '-overview'}")
    page.close()


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    camera = Camera(FOLDER)
    scenes = {
        **dict.fromkeys((buy, rehearse, operate, alarm), "en-US"),
        read_from_the_right: "ar-EG",
    }
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        running_shop = RunningShop(folder, f"sqlite:///{(folder / 'store.db').as_posix()}")
        with running_shop.launched(), chromium.launched(chromium.found_chromium()) as browser:
            for scene, locale in scenes.items():
                context = a_visitor(browser, locale)
                scene(context, running_shop, camera)
                context.close()
    for taken, shown in SHOWN.items():
        shutil.copy(FOLDER / f"{taken}.png", ROOT / "docs" / f"{shown}.png")
    sys.stdout.write(f"{len(camera.taken)} pictures in {FOLDER}\n")
    return 0


def a_visitor(browser: Browser, locale: str) -> BrowserContext:
    visitor = browser.new_context(locale=locale, timezone_id="UTC", reduced_motion="reduce")
    visitor.set_default_timeout(30_000)
    return visitor


if __name__ == "__main__":
    sys.exit(main())

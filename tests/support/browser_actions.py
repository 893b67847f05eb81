"""A buyer's actions in a browser: choose, pay, read the outcome."""

import re
import time

from playwright.sync_api import BrowserContext, Error, Locator, Page, Request, expect

from tests.support.processes import RunningShop

expect.set_options(timeout=30_000)  # three servers and a browser may share one slow machine
AT_STRIPE = re.compile(r"/c/pay/")
PAY = re.compile(r"^(Pay|Continue payment of) ")
VISA = "4242 4242 4242 4242"
DECLINED = "4000 0000 0000 0002"
CARD = {"email": "buyer@example.com", "number": VISA, "expiry": "12/34", "cvc": "123"}

# Writes down the moments at which the verdict "Paid" stands on the page, whoever drew it, and at
# which Streamlit has drawn it, in the browser's own clock.
WATCH = """
function paid(where) {
  const verdict = document.querySelector(where);
  return verdict?.innerText.includes("Paid") && verdict.getBoundingClientRect().height > 0;
}
function look() {
  const now = performance.timeOrigin + performance.now();
  if (paid(".status-headline")) window.paidAt ??= now;
  if (paid("#root .status-headline")) window.drawnAt ??= now;
  else requestAnimationFrame(look);
}
requestAnimationFrame(look);
"""


def enter(browser: BrowserContext, running_shop: RunningShop, path: str = "/") -> Page:
    page = browser.new_page()
    page.goto(running_shop.address + path)
    expect(page.get_by_role("heading", name="My orders")).to_be_visible(timeout=60_000)
    return page


def reach(page: Page, address: str | None = None) -> None:
    """Open the address, or reload, as often as a patient person does."""
    for _ in range(20):
        try:
            page.goto(address) if address else page.reload()
            return
        except Error:
            time.sleep(0.5)
    raise AssertionError(f"{address or page.url} cannot be reached")


def take(page: Page, count: int = 2, product: str = "Red T-Shirt") -> None:
    page.get_by_label(f"Quantity of {product}").fill(str(count))
    page.get_by_label(f"Quantity of {product}").press("Enter")


def pay_button(page: Page) -> Locator:
    return page.get_by_role("button", name=PAY).first


def leave_for_stripe(page: Page) -> None:
    expect(pay_button(page)).to_be_enabled()
    pay_button(page).click()
    page.wait_for_url(AT_STRIPE)


def fill_in(page: Page, card: str = VISA) -> None:
    page.get_by_label("Email").fill(CARD["email"])
    page.get_by_label("Card number").fill(card)
    page.get_by_label("Expiry").fill(CARD["expiry"])
    page.get_by_label("CVC").fill(CARD["cvc"])


def pay(page: Page) -> None:
    """Press the pay page's button, without waiting for what comes of it."""
    page.get_by_role("button", name=PAY).and_(page.locator("#pay")).click(no_wait_after=True)


def refusal(page: Page) -> Locator:
    return page.get_by_role("alert").get_by_text("Your card was declined.")


def verdict(page: Page, word: str = "Paid") -> Locator:
    return page.locator("#root .status-headline").get_by_text(word, exact=True)


def row(page: Page, word: str) -> Locator:
    return page.locator(".order").get_by_text(word, exact=True)


def seconds_until_paid(page: Page) -> float:
    """Pay, and measure from the redirect to the shop until *Paid* can be read there."""
    asked: list[Request] = []

    def notice(request: Request) -> None:
        asked.append(request)

    page.on("request", notice)
    page.add_init_script(WATCH)
    pay(page)
    expect(verdict(page)).to_be_visible(timeout=60_000)
    back = next(r for r in asked if r.is_navigation_request() and "/order?" in r.url)
    page.wait_for_function("window.paidAt")
    paid_at: float = page.evaluate("window.paidAt")
    return (paid_at - back.timing["startTime"]) / 1000

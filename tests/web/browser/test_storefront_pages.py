"""The storefront's pages in a real Chromium: how they behave before and around a payment."""

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, WebSocket, expect

from tests.support.chromium import NewBrowser
from tests.support.page_visits import AT_STRIPE, Servers, opened, pay_at_stripe

pytestmark = pytest.mark.browser

WATCH_SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts += shift.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def orders(page: Page) -> Locator:
    """The rows of *My orders*, without its column heads."""
    return page.locator(".order:not(.heads)")


def test_a_projector_shows_products_total_and_button_without_scrolling(
    buyer: BrowserContext,
) -> None:
    page = opened(buyer, "/?red-t-shirt=2")

    for piece in (
        page.get_by_label("Quantity of Sneakers"),
        page.get_by_role("button", name="Pay $39.98 with Stripe (test)"),
        page.get_by_text("Offline emulator"),
    ):
        expect(piece).to_be_in_viewport(ratio=1)


def test_a_phone_scrolls_in_one_direction_only(buyer: BrowserContext) -> None:
    page = buyer.new_page()
    page.set_viewport_size({"width": 390, "height": 844})

    page.goto("/?red-t-shirt=10&blue-jeans=10&sneakers=10")
    expect(page.get_by_role("heading", name="My orders")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_purchase_begins_by_keyboard_alone(buyer: BrowserContext) -> None:
    page = opened(buyer)
    page.get_by_label("Quantity of Red T-Shirt").focus()

    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("button", name="Pay $19.99 with Stripe (test)")).to_be_enabled()
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    page.wait_for_url(AT_STRIPE)


def test_the_cart_survives_a_reload(buyer: BrowserContext) -> None:
    page = opened(buyer)
    page.get_by_label("Quantity of Blue Jeans").fill("3")
    page.get_by_label("Quantity of Blue Jeans").press("Enter")
    expect(page.get_by_role("button", name="Pay $149.97 with Stripe (test)")).to_be_enabled()

    page.reload()

    expect(page.get_by_role("button", name="Pay $149.97 with Stripe (test)")).to_be_enabled()
    expect(page.get_by_label("Quantity of Blue Jeans")).to_have_value("3")


@pytest.mark.scenario("A8", "G9")
def test_a_forged_address_is_set_right(buyer: BrowserContext) -> None:
    page = opened(buyer, f"/?sneakers=1&red-t-shirt={'9' * 400}&blue-jeans=%D9%A3")

    expect(page.get_by_role("button", name="Pay $79.99 with Stripe (test)")).to_be_enabled()
    expect(page).to_have_url(re.compile(r"/\?quantity-sneakers=1$"))


@pytest.mark.scenario("A13")
def test_going_back_from_stripe_shows_the_current_status(buyer: BrowserContext) -> None:
    page = opened(buyer, "/?red-t-shirt=1")
    page.get_by_role("button", name="Pay $19.99 with Stripe (test)").click()
    page.wait_for_url(AT_STRIPE)
    checkout = page.url

    page.go_back()
    expect(orders(page)).to_have_count(1)
    page.get_by_role("button", name="Continue payment of $19.99 (test)").click()
    page.wait_for_url(AT_STRIPE)

    assert page.url == checkout


@pytest.mark.scenario("A2", "A5")
def test_leaving_stripe_unpaid_brings_the_cart_back(buyer: BrowserContext) -> None:
    page = opened(buyer, "/?red-t-shirt=1&sneakers=2")
    page.get_by_role("button", name="Pay $179.97 with Stripe (test)").click()
    page.wait_for_url(AT_STRIPE)

    page.get_by_role("link", name=re.compile("back", re.IGNORECASE)).first.click()

    expect(
        page.get_by_text("Your cart is as you left it. You have not been charged.")
    ).to_be_visible()
    expect(page).to_have_url(re.compile(r"/\?quantity-red-t-shirt=1&quantity-sneakers=2$"))
    page.reload()
    expect(page.get_by_role("button", name="Continue payment of $179.97 (test)")).to_be_enabled()


@pytest.mark.scenario("A1")
def test_a_double_click_opens_one_checkout(buyer: BrowserContext) -> None:
    page = opened(buyer, "/?red-t-shirt=1")

    page.get_by_role("button", name="Pay $19.99 with Stripe (test)").dblclick()
    page.wait_for_url(AT_STRIPE)
    page.goto("/")

    expect(page.get_by_role("link", name="Continue payment")).to_have_count(1)
    expect(orders(page)).to_have_count(1)


def test_an_open_page_shows_the_payment_and_then_stops_refreshing(
    buyer: BrowserContext,
) -> None:
    page = opened(buyer, "/?red-t-shirt=1")
    page.get_by_role("button", name="Pay $19.99 with Stripe (test)").click()
    pay = buyer.new_page()
    page.wait_for_url(AT_STRIPE)
    pay.goto(page.url)
    frames: list[str | bytes] = []

    def record(frame: str | bytes) -> None:  # Playwright sets attributes of a listener
        frames.append(frame)

    def listen(line: WebSocket) -> None:
        line.on("framereceived", record)

    page.on("websocket", listen)
    page.goto("/")
    expect(orders(page).get_by_text("Not paid yet", exact=True)).to_be_visible()

    pay_at_stripe(pay)
    expect(pay.locator("#root .status-headline").get_by_text("Paid", exact=True)).to_be_visible()

    expect(orders(page).get_by_text("Paid", exact=True)).to_be_visible(timeout=3000)
    page.wait_for_timeout(1000)
    frames.clear()
    page.wait_for_timeout(2500)
    assert frames == []


@pytest.mark.scenario("A3")
def test_buying_the_same_cart_again_needs_a_confirmation(buyer: BrowserContext) -> None:
    page = opened(buyer, "/?red-t-shirt=1")
    page.get_by_role("button", name="Pay $19.99 with Stripe (test)").click()
    pay_at_stripe(page)
    expect(page.locator("#root .status-headline").get_by_text("Paid", exact=True)).to_be_visible()
    page.goto("/?red-t-shirt=1")

    page.get_by_role("button", name="Pay $19.99 with Stripe (test)").click()
    page.get_by_role("dialog").get_by_role("button", name="Buy again").click()

    page.wait_for_url(AT_STRIPE)
    page.goto("/")
    expect(orders(page)).to_have_count(2)


def test_cancelling_asks_first_and_then_shows_it(buyer: BrowserContext) -> None:
    page = opened(buyer, "/?red-t-shirt=1")
    page.get_by_role("button", name="Pay $19.99 with Stripe (test)").click()
    page.wait_for_url(AT_STRIPE)
    page.goto("/")

    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the order").click()

    expect(orders(page).get_by_text("Canceled", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Continue payment")).to_have_count(0)


@pytest.mark.scenario("A14", "G2")
def test_another_browser_sees_nothing_of_it(
    buyer: BrowserContext, new_browser: NewBrowser, servers: Servers
) -> None:
    page = opened(buyer, "/?red-t-shirt=1")
    page.get_by_role("button", name="Pay $19.99 with Stripe (test)").click()
    page.wait_for_url(AT_STRIPE)
    page.goto("/")
    number = page.locator(".order .number").inner_text()
    stranger = new_browser(servers.shop).new_page()

    stranger.goto(f"/order?number={number}&session_id=cs_test_guess")

    expect(stranger.get_by_text("There is no such order here.")).to_be_visible(timeout=15_000)
    assert stranger.goto(f"/go/{number}").status == 404  # type: ignore[union-attr]


def test_two_tabs_opened_at_once_are_one_buyer(buyer: BrowserContext) -> None:
    tabs = [buyer.new_page(), buyer.new_page()]
    for tab in tabs:
        tab.goto("/?red-t-shirt=1", wait_until="commit")

    tabs[0].get_by_role("button", name="Pay $19.99 with Stripe (test)").click()
    tabs[0].wait_for_url(AT_STRIPE)
    tabs[1].get_by_role("button", name="Pay $19.99 with Stripe (test)").click()
    tabs[1].wait_for_url(AT_STRIPE)

    assert tabs[0].url == tabs[1].url


def test_the_pages_load_only_from_the_shop_without_console_errors(
    chromium: Browser, servers: Servers
) -> None:
    page = chromium.new_page(base_url=servers.shop)  # has fetched nothing yet
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)

    for path in ("/", "/order?number=2222-2222-2222-2222"):
        page.goto(path)
        page.get_by_text("Three Good Things").first.wait_for()
        page.wait_for_timeout(500)
    page.close()

    assert [url for url in asked if not url.startswith((servers.shop, "data:", "blob:"))] == []
    assert complaints == []


def test_a_typed_quantity_counts_at_once_and_is_paid_with_one_click(buyer: BrowserContext) -> None:
    page = opened(buyer)
    field = page.get_by_label("Quantity of Red T-Shirt")

    field.press_sequentially("2")  # neither Enter nor Tab
    expect(page.get_by_role("button", name="Pay $39.98 with Stripe (test)")).to_be_enabled()
    field.fill("25")
    expect(page.locator(".bounds.bad")).to_have_text("At most 10")
    expect(page.get_by_role("button", name="Pay with Stripe (test)")).to_be_disabled()
    expect(page.get_by_text("Nothing in it yet.")).to_have_count(0)
    expect(field).to_have_value("25")
    field.fill("3")
    page.get_by_role("button", name=re.compile("^Pay ")).click()

    page.wait_for_url(AT_STRIPE)
    expect(page.get_by_text("$59.97").first).to_be_visible()


def test_an_open_order_is_continued_replaced_or_canceled(
    buyer: BrowserContext,
) -> None:
    page = opened(buyer, "/?red-t-shirt=1")
    page.get_by_role("button", name="Pay $19.99 with Stripe (test)").click()
    page.wait_for_url(AT_STRIPE)

    page.goto("/?red-t-shirt=1")
    expect(page.get_by_role("button", name="Continue payment of $19.99 (test)")).to_be_enabled()
    expect(page.get_by_role("link", name="Continue payment")).to_have_count(0)
    page.goto("/?sneakers=1")
    expect(
        page.get_by_text("Paying for this cart cancels your unpaid order of $19.99.")
    ).to_be_visible()
    expect(page.get_by_role("link", name="Continue payment")).to_have_count(1)
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the order").click()

    sentence = "Canceled. You have not been charged."
    expect(page.get_by_test_id("stToast")).to_contain_text(sentence)
    expect(orders(page).get_by_text(sentence)).to_be_visible()
    page.get_by_role("button", name="Dismiss").click()
    expect(orders(page).get_by_text(sentence)).to_have_count(0)
    page.get_by_role("link", name=re.compile("^Buy again")).click()
    expect(page.get_by_role("button", name="Pay $19.99 with Stripe (test)")).to_be_enabled()


def test_a_phone_keeps_total_and_pay_in_reach_and_every_page_of_the_shop(
    buyer: BrowserContext,
) -> None:
    page = buyer.new_page()
    page.set_viewport_size({"width": 390, "height": 844})

    page.goto("/?red-t-shirt=2")

    pay = page.get_by_role("button", name="Pay $39.98 with Stripe (test)")
    for piece in (pay, page.locator(".total"), page.get_by_role("link", name="Back office")):
        expect(piece).to_be_in_viewport(ratio=1)
    page.get_by_role("heading", name="My orders").scroll_into_view_if_needed()
    expect(pay).to_be_in_viewport(ratio=1)
    figures = page.locator(".charge-summary .figures")
    assert figures.evaluate("e => e.clientHeight < 2 * parseFloat(getComputedStyle(e).lineHeight)")
    page.locator(".legend summary").click()
    expect(page.get_by_text("How often money was taken.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("How often money was taken.")).to_be_hidden()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_shift_little_while_they_load_and_have_titles_of_their_own(
    buyer: BrowserContext, width: int
) -> None:
    page = buyer.new_page()
    page.set_viewport_size({"width": width, "height": 844})
    page.add_init_script(WATCH_SHIFTS)
    shifts = {}

    page.goto("/?red-t-shirt=1")
    page.get_by_role("button", name="Pay $19.99 with Stripe (test)").click()
    page.wait_for_url(AT_STRIPE)
    page.goto("/?red-t-shirt=1")
    expect(page.locator(".auto-refresh")).to_be_visible()
    page.wait_for_timeout(1500)
    shifts["shop"] = page.evaluate("window.shifts")
    title = page.title()
    page.goto(f"/order?number={page.locator('.order .number').inner_text()}")
    expect(page.locator(".auto-refresh")).to_be_visible()
    page.wait_for_timeout(1500)
    shifts["order"] = page.evaluate("window.shifts")

    assert {name: shift for name, shift in shifts.items() if shift > 0.1} == {}
    assert title == "Three Good Things"
    assert re.fullmatch(r"Order [0-9A-Z-]{19} · Three Good Things", page.title())


def test_an_address_that_names_my_orders_scrolls_to_them(buyer: BrowserContext) -> None:
    page = buyer.new_page()
    page.set_viewport_size({"width": 1280, "height": 400})

    page.goto("/#my-orders")

    expect(page.get_by_role("heading", name="My orders")).to_be_in_viewport(ratio=1)

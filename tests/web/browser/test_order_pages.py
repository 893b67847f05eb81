"""An order's page in a real Chromium: timeline, evidence, accessibility."""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from store.reports import order_view
from tests.support import loopback
from tests.support.axe import BOTH_LOOKS, EVERY_LOOK, grave_faults_in
from tests.support.page_visits import AT_STRIPE, Servers, opened, pay_at_stripe

pytestmark = pytest.mark.browser

Change = Callable[[str, str], None]


@pytest.fixture
def make_it(servers: Servers) -> Change:
    """Let an order have a status that would take a bank or days to come about."""

    def change(number: str, status: str) -> None:
        unpaid = ("pending", "open", "processing", "failed", "expired", "canceled", "review")
        paid = "unpaid" if status in unpaid else "paid"
        ended = "open" if status in ("pending", "open") else "complete"
        with closing(sqlite3.connect(servers.folder / "store.db", timeout=10)) as database:
            database.execute(
                "UPDATE orders SET status = ?, payment_status = ?, checkout_status = ?,"
                " review_reason = ? WHERE number = ?",
                (status, paid, ended, "amount $1.00 instead of $19.99", number),
            )
            database.execute(  # as every change does; pages look again only where there is news
                "INSERT INTO order_history (order_id, at, source, action, payload)"
                " SELECT id, created_at, 'operator', ?, ? FROM orders WHERE number = ?",
                (status, '{"changes":[]}', number),
            )
            database.commit()

    return change


def bought(page: Page) -> str:
    """Buy a shirt; the number of the paid order."""
    page.goto("/?red-t-shirt=1")
    page.get_by_role("button", name="Pay $19.99 with Stripe (test)").click()
    pay_at_stripe(page)
    expect(page.locator("#root .status-headline").get_by_text("Paid", exact=True)).to_be_visible()
    (number,) = re.findall(r"number=([0-9A-Z-]+)", page.url)
    return str(number)


def tabbed_to(page: Page, name: str) -> None:
    """Press Tab until what is called so has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "(e => e.getAttribute('aria-label') || e.labels?.[0]?.innerText || e.innerText || '')"
            "(document.activeElement)"
        )
        if str(focused).strip().startswith(name):
            return
    raise AssertionError(f"Tab does not lead to {name}")


def test_the_whole_purchase_needs_no_mouse(buyer: BrowserContext) -> None:
    page = opened(buyer)
    tabbed_to(page, "Quantity of Red T-Shirt")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("button", name="Pay $19.99 with Stripe (test)")).to_be_enabled()
    tabbed_to(page, "Pay $19.99")
    page.keyboard.press("Enter")

    page.wait_for_url(AT_STRIPE)
    for name, typed in (
        ("Email", "ada@example.com"),
        ("Card number", "4242424242424242"),
        ("Expiry", "1234"),
        ("CVC", "123"),
    ):
        tabbed_to(page, name)
        page.keyboard.type(typed)
    page.keyboard.press("Enter")

    expect(page.locator("#root .status-headline").get_by_text("Paid", exact=True)).to_be_visible()
    expect(page.locator(".timeline")).to_be_visible()  # after the server's first answer
    tabbed_to(page, "Pay pressed: order saved")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Idempotency key").first).to_be_visible()


def test_opened_evidence_stays_open_when_the_page_refreshes(
    buyer: BrowserContext, servers: Servers
) -> None:
    page = buyer.new_page()
    bought(page)
    step = page.locator(".timeline details").filter(has_text="Stripe answered: checkout open")

    step.locator("summary").click()
    expect(step.get_by_text("POST /v1/checkout/sessions")).to_be_visible()
    for _ in range(3):
        page.wait_for_timeout(1200)  # an answer of Stripe serves for a second
        page.get_by_role("button", name="Check with Stripe").click()

    expect(page.get_by_test_id("stToast").first).to_contain_text("Checked with Stripe just now.")
    folded = page.locator(".timeline details").filter(has_text="Nothing new,").first
    one = folded.locator("details").filter(has_text="Redirect: nothing new at Stripe").first
    expect(one).to_be_hidden()
    folded.locator("summary").first.click()
    expect(one).to_be_visible()
    expect(step.get_by_text("POST /v1/checkout/sessions")).to_be_visible()


def test_the_proof_can_be_copied_and_saved(buyer: BrowserContext) -> None:
    buyer.grant_permissions(["clipboard-read", "clipboard-write"])
    page = buyer.new_page()
    number = bought(page)

    page.get_by_role("button", name="Copy as text").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download as JSON").click()
    page.get_by_role("button", name="Copy Payment id").click()
    page.wait_for_function("navigator.clipboard.readText().then(t => t.startsWith('pi_'))")

    assert copied.startswith(f"Order {number}: paid, charged once, ")
    assert saved.value.suggested_filename == f"order-{number}.json"
    assert json.loads(saved.value.path().read_text())["order"]["number"] == number


def test_the_order_page_links_to_the_payment_in_the_emulators_dashboard(
    buyer: BrowserContext, servers: Servers
) -> None:
    page = buyer.new_page()
    bought(page)

    address = page.get_by_role("link", name="Dashboard").get_attribute("href") or ""

    assert address.startswith(f"{servers.stripe}/payments/pi_")
    assert loopback.get(address).status_code == 200


def test_paper_gets_the_receipt_only(buyer: BrowserContext) -> None:
    page = buyer.new_page()
    number = bought(page)

    page.emulate_media(media="print")

    expect(page.get_by_role("heading", name=f"Order {number}")).to_be_visible()
    for piece in (
        ".timeline",
        ".charge-summary",
        ".status-headline",
        ".links",
        ".masthead .mode-badge",
        ".masthead nav",
    ):
        expect(page.locator(piece)).to_be_hidden()
    expect(page.get_by_role("button", name="Copy Payment id")).to_be_hidden()


def test_a_page_that_follows_an_order_does_not_jump(buyer: BrowserContext) -> None:
    page = opened(buyer, "/?red-t-shirt=1")
    page.get_by_role("button", name="Pay $19.99 with Stripe (test)").click()
    page.wait_for_url(AT_STRIPE)
    page.goto("/")
    expect(page.locator(".auto-refresh")).to_be_visible()
    number = page.locator(".order .number").inner_text()
    page.goto(f"/order?number={number}")
    expect(page.locator(".auto-refresh")).to_be_visible()
    page.wait_for_timeout(1000)
    page.evaluate(
        "window.jumps = []; new PerformanceObserver(list => window.jumps.push("
        "...list.getEntries().map(e => e.value))).observe({type: 'layout-shift'})"
    )
    first = page.locator(".auto-refresh").get_attribute("data-at")

    page.wait_for_function(
        "at => document.querySelector('.auto-refresh')?.dataset.at !== at", arg=first, timeout=5000
    )
    page.wait_for_timeout(2500)

    assert page.evaluate("window.jumps") == []


def test_axe_finds_nothing_grave_in_the_shop(buyer: BrowserContext) -> None:
    page = opened(buyer)
    empty = grave_faults_in(page, EVERY_LOOK)
    page.goto("/?red-t-shirt=2")
    expect(page.get_by_role("button", name="Pay $39.98 with Stripe (test)")).to_be_enabled()
    page.get_by_label("Quantity of Sneakers").fill("25")
    expect(page.locator(".bounds.bad")).to_be_visible()
    page.locator(".legend summary").click()
    filled = grave_faults_in(page, EVERY_LOOK)
    page.get_by_label("Quantity of Sneakers").fill("0")
    page.get_by_role("button", name="Pay $39.98 with Stripe (test)").click()
    page.wait_for_url(AT_STRIPE)
    page.goto("/")
    expect(page.locator(".auto-refresh")).to_be_visible()

    assert empty + filled + grave_faults_in(page, EVERY_LOOK) == []


def test_axe_finds_nothing_grave_on_an_order_of_any_status(
    buyer: BrowserContext, make_it: Change
) -> None:
    page = buyer.new_page()
    number = bought(page)
    faults = []

    for status, badge in order_view.STATUS_BADGES.items():
        make_it(number, status)
        page.goto(f"/order?number={number}")
        expect(
            page.locator("#root .status-headline").get_by_text(badge.buyer_word, exact=True)
        ).to_be_visible()
        for step in page.locator(".timeline summary").all()[:2]:
            step.click()
        faults += [f"{status}: {fault}" for fault in grave_faults_in(page, BOTH_LOOKS)]
    make_it(number, "paid")

    assert faults == []


def test_a_phone_scrolls_an_order_in_one_direction_only(buyer: BrowserContext) -> None:
    page = buyer.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    bought(page)
    for step in page.locator(".timeline summary").all():
        step.click()

    assert page.evaluate("document.documentElement.scrollWidth") == 390

"""The back office in a real Chromium: signing in, giving money back, changing a product."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from store.core.secret_files import read_or_create_secret
from tests.support.axe import EVERY_LOOK, grave_faults, grave_faults_in
from tests.support.chromium import NewBrowser
from tests.support.page_visits import Servers, opened, pay_at_stripe

pytestmark = pytest.mark.browser


@pytest.fixture
def operator(new_browser: NewBrowser, servers: Servers) -> BrowserContext:
    """A browser of its own, not signed in yet."""
    return new_browser(servers.shop)


def password_of(servers: Servers) -> str:
    """What the shop made for this data folder; whoever asks first makes it."""
    return read_or_create_secret(servers.folder / "admin_password")


def signed_in(operator: BrowserContext, servers: Servers) -> Page:
    page = operator.new_page()
    page.goto(f"/back-office/sign-in#{password_of(servers)}")
    page.wait_for_url("**/back-office")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    return page


def a_paid_order(buyer: BrowserContext) -> str:
    page = opened(buyer, "/?red-t-shirt=2")
    page.get_by_role("button", name="Pay $39.98 with Stripe (test)").click()
    pay_at_stripe(page)
    expect(page.locator("#root .status-headline").get_by_text("Paid", exact=True)).to_be_visible()
    number = re.search(r"number=([\w-]+)", page.url)
    assert number
    return number.group(1)


def test_the_printed_link_signs_in_and_leaves_no_password_behind(
    operator: BrowserContext, servers: Servers
) -> None:
    asked: list[str] = []
    operator.on("request", lambda request: asked.append(request.url))

    password = password_of(servers)
    page = operator.new_page()
    page.goto("/back-office-reconciliation")
    page.wait_for_url("**/sign-in?page=reconciliation")
    page.evaluate(f"location.hash = '{password}'")  # the link, pasted into this tab
    page.wait_for_url("**/back-office-reconciliation")
    expect(page.get_by_role("heading", name="Reconciliation").first).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page = signed_in(operator, servers)
    page.go_back()

    assert password not in page.url
    assert all(password not in url.split("#")[0] for url in asked)


def in_table(page: Page, row: int, column_x: int = 80) -> tuple[float, float]:
    """Where a cell of the table of orders is; it is drawn on a canvas."""
    table = page.get_by_test_id("stDataFrame").bounding_box()
    assert table
    return table["x"] + column_x, table["y"] + 35 * (row + 1) + 17


def test_an_operator_finds_an_order_and_refunds_part_of_it(
    operator: BrowserContext, buyer: BrowserContext, servers: Servers
) -> None:
    number = a_paid_order(buyer)
    page = signed_in(operator, servers)

    page.get_by_role("link", name="Orders", exact=True).click()
    search = page.get_by_label("Number, email, Stripe id or product")
    search.fill("Blue Jeans")
    search.press("Enter")
    expect(page.get_by_text("No order fits.")).to_be_visible()
    search.fill(number[:6].lower())
    search.press("Enter")
    expect(page.get_by_text("1 order", exact=True)).to_be_visible()
    page.mouse.click(*in_table(page, 0))
    expect(page.get_by_role("heading", name=f"Order {number}").first).to_be_visible()
    page.get_by_role("button", name="Refund…").click()
    dialog = page.get_by_role("dialog")
    amount = dialog.get_by_label("Amount in USD")
    expect(amount).to_have_value("39.98")
    for wrong, sentence in (
        ("abc", "Write the amount in digits, like 19.99."),
        ("1,0,0", "Write the amount in digits, like 19.99."),
        ("0", "Write an amount above 0."),
        ("50", "That is more than the $39.98 that can be refunded."),
    ):
        amount.fill(wrong)
        dialog.get_by_role("button", name="Refund", exact=True).click()
        expect(dialog.get_by_role("alert")).to_have_text(sentence)
        expect(amount).to_have_value(wrong)
    assert grave_faults(page) == []
    amount.fill("10")
    dialog.get_by_role("button", name="Refund", exact=True).dblclick()

    expect(page.locator(".notice")).to_have_text(f"Refunded $10.00 of order {number}: succeeded.")
    expect(dialog).to_have_count(0)
    timeline = page.locator(".timeline")
    expect(timeline.get_by_text("Back office: refund asked")).to_have_count(1)
    expect(timeline.get_by_text("Requested by the buyer").first).to_be_visible()
    page.get_by_role("button", name="← All orders").click()
    expect(search).to_have_value(number[:6].lower())
    page.mouse.click(*in_table(page, 0, 18))  # the box that selects the row
    page.get_by_role("button", name="Refund…").click()
    expect(amount).to_have_value("29.98")


def picture_file(path: Path, size: tuple[int, int] = (60, 48)) -> Path:
    """A picture; noise does not compress, so a large one is a large file."""
    Image.effect_noise(size, 80).convert("RGB").save(path, "PNG")
    return path


def test_the_next_buyer_sees_a_changed_product_and_image(
    operator: BrowserContext, buyer: BrowserContext, servers: Servers, tmp_path: Path
) -> None:
    good, huge = (
        picture_file(tmp_path / "boots.png"),
        picture_file(tmp_path / "x.png", (1800, 1400)),
    )
    broken = tmp_path / "broken.png"
    broken.write_bytes(good.read_bytes()[:1000])
    page = signed_in(operator, servers)

    page.get_by_role("link", name="Products", exact=True).click()
    row = page.locator(".st-key-product-sneakers")
    row.get_by_role("button", name="Edit").click()
    form = page.get_by_role("dialog")
    upload, price = form.locator("input[type=file]"), form.get_by_label("Price in USD")
    form.get_by_label("Name", exact=True).fill("Rain boots")
    price.fill("49,9x")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_text("Write the amount in digits, like 19.99.")).to_be_visible()
    upload.set_input_files(huge)
    expect(form.get_by_text("File must be 5.0MB or smaller.")).to_be_visible()
    upload.set_input_files(broken)
    expect(form.get_by_text("This is not a PNG, JPEG or WebP picture")).to_be_visible()
    upload.set_input_files(good)
    expect(form.get_by_role("img", name="The uploaded picture")).to_be_visible()
    assert grave_faults(page) == []
    expect(price).to_have_value("49,9x")
    expect(form.get_by_label("Name", exact=True)).to_have_value("Rain boots")
    price.fill("89.50")
    form.get_by_role("button", name="Save").click()

    saved = page.get_by_test_id("stToast")
    expect(saved).to_contain_text("name “Sneakers” → “Rain boots”; price $79.99 → $89.50")
    expect(form).to_have_count(0)
    expect(row.get_by_text("Rain boots")).to_be_visible()
    shop = opened(buyer)
    expect(shop.get_by_label("Quantity of Rain boots")).to_be_visible()
    picture = shop.locator(".st-key-card-sneakers img")
    expect(picture).to_have_attribute("src", re.compile(r"/images/[0-9a-f]{20}\.webp"))
    assert picture.evaluate("image => image.naturalWidth") == 60


def test_a_selected_event_shows_its_payload_its_order_and_its_page_at_stripe(
    operator: BrowserContext, buyer: BrowserContext, servers: Servers
) -> None:
    number = a_paid_order(buyer)
    page = signed_in(operator, servers)
    page.get_by_role("link", name="Reconciliation", exact=True).click()
    page.get_by_role("button", name="Reconcile now").click()  # there is no webhook server here
    expect(page.get_by_text("Done in")).to_be_visible()
    assert " s ago" in page.locator(".checks li").filter(has_text="Reconciliation").inner_text()

    page.get_by_role("link", name="Webhooks", exact=True).click()
    page.get_by_label("Event id, Stripe id or order number").fill(number)
    page.keyboard.press("Enter")
    rows = page.get_by_test_id("stDataFrame").first.locator(".dvn-scroller")
    rows.click(position={"x": 15, "y": 52})

    panel = page.locator(".st-key-event")
    expect(panel.get_by_test_id("stJson")).to_contain_text("livemode")
    expect(panel.get_by_role("link", name=number)).to_be_visible()
    panel.get_by_role("button", name="Fetch again from Stripe").click()
    expect(page.get_by_test_id("stToast")).to_contain_text("It was processed before")
    page.reload()
    expect(panel.get_by_role("link", name="Event at the emulator")).to_be_visible()
    with operator.expect_page() as opened_page:
        panel.get_by_role("link", name="Payment at the emulator").click()
    expect(opened_page.value.get_by_text("pi_").first).to_be_visible()


def test_a_comparison_shows_the_totals_of_stripe_and_the_shop(
    operator: BrowserContext, buyer: BrowserContext, servers: Servers
) -> None:
    a_paid_order(buyer)
    page = signed_in(operator, servers)
    page.get_by_role("link", name="Reconciliation", exact=True).click()

    page.get_by_role("button", name="Compare with Stripe").click()

    expect(page.get_by_text("Stripe and the shop agree on every payment")).to_be_visible()
    payments = page.get_by_test_id("stMetric").filter(has_text="Payments")
    expect(payments).to_contain_text(re.compile(r"Stripe (\d+) · ours \1 · difference 0"))
    expect(page.get_by_role("button", name="Reconcile now", disabled=False)).to_be_visible()
    page.reload()
    expect(page.get_by_text(re.compile(r"Compared \d+ orders. They agree."))).to_be_visible()


def test_after_signing_out_an_open_form_saves_nothing_and_keeps_its_text(
    operator: BrowserContext, servers: Servers
) -> None:
    page = signed_in(operator, servers)
    page.goto("/back-office-products")
    page.locator(".st-key-product-blue-jeans").get_by_role("button", name="Edit").click()
    form = page.get_by_role("dialog")
    name = form.get_by_label("Name", exact=True)
    name.fill("Stolen jeans")
    other = operator.new_page()
    other.goto("/back-office")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()

    form.get_by_role("button", name="Save").click()

    expect(form.get_by_text("You are not signed in, or your session has ended.")).to_be_visible()
    expect(name).to_have_value("Stolen jeans")
    upload = "fetch('/_stcore/upload_file/a/b', {method: 'PUT', body: 'x'})"
    assert page.evaluate(f"async () => (await {upload}).status") == 404
    page.goto("/")
    expect(page.get_by_label("Quantity of Blue Jeans")).to_be_visible()


def test_after_signing_out_an_open_tab_can_do_nothing(
    operator: BrowserContext, buyer: BrowserContext, servers: Servers
) -> None:
    number = a_paid_order(buyer)
    page = signed_in(operator, servers)
    page.goto(f"/back-office-orders?order={number}")
    page.get_by_role("button", name="Refund…").click()
    submit = page.get_by_role("dialog").get_by_role("button", name="Refund", exact=True)
    expect(submit).to_be_visible()
    other = operator.new_page()
    other.goto("/back-office")

    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    submit.click()

    expect(page.get_by_text("You are not signed in").first).to_be_visible()
    other.goto(f"/back-office-orders?order={number}")
    other.get_by_label("Password").fill(password_of(servers))
    other.keyboard.press("Enter")
    expect(other.get_by_role("heading", name=f"Order {number}").first).to_be_visible()
    expect(other.locator(".status.big").get_by_text("Paid")).to_be_visible()


def test_a_failed_health_check_stands_out_with_its_remedy(
    operator: BrowserContext, servers: Servers
) -> None:
    page = signed_in(operator, servers)  # there is no webhook server here

    light = page.locator(".checks li").filter(has_text="Webhook server")
    expect(light).to_contain_text("not running")
    expect(light).to_contain_text("Start it: python -m store")


@pytest.mark.scenario("P6")
@pytest.mark.parametrize("by", ["password", "link with the order", "link alone"])
def test_a_link_to_an_order_leads_there_after_signing_in(
    operator: BrowserContext, buyer: BrowserContext, servers: Servers, by: str
) -> None:
    number, secret = a_paid_order(buyer), password_of(servers)
    page = operator.new_page()
    page.goto(f"/back-office-orders?order={number}")
    page.wait_for_url("**/sign-in?*")

    if by == "password":
        page.get_by_label("Password").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_text("That is not the password.")).to_be_visible()
        page.get_by_label("Password").fill(secret)
        page.keyboard.press("Enter")
    else:
        query = f"?order={number}" if by == "link with the order" else ""
        page.goto(f"/back-office/sign-in{query}#{secret}")

    expect(page.get_by_role("heading", name=f"Order {number}")).to_be_visible()
    assert page.url.endswith(f"/back-office-orders?order={number}")
    page.goto(f"/back-office/sign-in#{secret}")  # what was asked for once is not kept
    page.wait_for_url("**/back-office")


@pytest.mark.scenario("P6")
def test_the_sign_in_link_of_an_open_page_leads_back_to_it(
    operator: BrowserContext, buyer: BrowserContext, servers: Servers
) -> None:
    number = a_paid_order(buyer)
    page = signed_in(operator, servers)
    page.goto(f"/back-office-orders?order={number}")
    expect(page.get_by_role("heading", name=f"Order {number}")).to_be_visible()
    other = operator.new_page()
    other.goto("/back-office")
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/sign-in?signed_out=yes")

    page.get_by_text("You are not signed in").get_by_role("link", name="Sign in").click()
    page.get_by_label("Password").fill(password_of(servers))
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name=f"Order {number}")).to_be_visible()


@pytest.mark.scenario("P6")
def test_an_operator_who_follows_a_link_on_another_site_stays_signed_in(
    operator: BrowserContext, buyer: BrowserContext, servers: Servers
) -> None:
    number = a_paid_order(buyer)
    page = signed_in(operator, servers)
    elsewhere = servers.shop.replace("127.0.0.1", "localhost")
    page.goto(f"{elsewhere}/back-office/sign-in")
    page.evaluate(f"location.href = '{servers.shop}/back-office-orders?order={number}'")

    expect(page.get_by_role("heading", name=f"Order {number}")).to_be_visible()


def test_the_back_office_has_no_grave_accessibility_fault(
    operator: BrowserContext, buyer: BrowserContext, servers: Servers
) -> None:
    number = a_paid_order(buyer)
    way_in = operator.new_page()
    way_in.goto("/back-office/sign-in")
    found = [f"the way in: {fault}" for fault in grave_faults(way_in)]
    page = signed_in(operator, servers)

    for query, heading in (
        ("", "Overview"),
        ("-orders", "Orders"),
        (f"-orders?order={number}", f"Order {number}"),
        ("-products", "Products"),
        ("-webhooks", "Webhooks"),
        ("-reconciliation", "Reconciliation"),
    ):
        page.goto(f"/back-office{query}")
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        expect(page.locator(".checks li")).to_have_count(7)
        if query == "-products":
            page.get_by_role("button", name="Add a product").click()
            expect(page.get_by_role("dialog")).to_be_visible()
        found += [f"{heading}: {fault}" for fault in grave_faults_in(page, EVERY_LOOK)]
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390

    assert found == []

"""The first seconds of a visit, and an unreachable server, in a real Chromium."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from store.core.secret_files import read_or_create_secret
from tests.support.chromium import NewBrowser
from tests.support.page_visits import Servers, opened

pytestmark = pytest.mark.browser

SIZES = [(1280, 720), (390, 844)]
# What stands in the same place before and after Streamlit's page has come.
PIECES = (
    ".masthead .brand",
    ".masthead .mode-badge",
    ".product img",
    ".product h2",
    ".product p",
    ".price",
    ".st-key-cart .cart-table",
    ".total",
)
PLACES = """([root, pieces]) => pieces.flatMap((piece) =>
  [...document.querySelectorAll(`${root} ${piece}`)].map((node) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    return [piece, x, y, width, height];
  }))"""
SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


def places(page: Page, root: str) -> list[list[Any]]:
    found: list[list[Any]] = page.evaluate(PLACES, [root, list(PIECES)])
    return found


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_first_html_shows_the_products_where_they_stay(
    servers: Servers, new_browser: NewBrowser, width: int, height: int
) -> None:
    visitor = new_browser(servers.shop)
    opened(visitor).close()  # from here on the server has its products
    page = visitor.new_page()
    page.set_viewport_size({"width": width, "height": height})
    main_script = re.compile(r"/static/js/index\.")
    page.route(main_script, lambda route: route.abort())
    page.goto("/?quantity-red-t-shirt=2")
    page.evaluate("document.fonts.ready")
    before = places(page, "#first-page")
    expect(page.get_by_role("heading", name="Red T-Shirt")).to_be_visible()
    expect(page.locator("#first-page")).to_contain_text("$39.98")

    page.unroute(main_script)
    page.reload()
    expect(page.locator("#first-page")).to_have_count(0)
    page.wait_for_timeout(500)
    after = places(page, "#root")

    assert [piece for piece, *_ in before] == [piece for piece, *_ in after]
    for (piece, *here), (_, *there) in zip(before, after, strict=True):
        assert here == pytest.approx(there, abs=1.5), piece


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_moves_while_a_page_appears(
    servers: Servers, new_browser: NewBrowser, width: int, height: int
) -> None:
    visitor = new_browser(servers.shop)
    opened(visitor).close()
    operator = visitor.new_page()
    operator.goto(
        f"/back-office/sign-in#{read_or_create_secret(servers.folder / 'admin_password')}"
    )
    operator.wait_for_url("**/back-office")
    operator.close()
    visitor.add_init_script(SHIFTS)
    shifts = {}
    for path in ("/", "/order?number=NONE", "/rehearsal", "/back-office", "/back-office-orders"):
        page = visitor.new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.goto(path)
        page.wait_for_timeout(2500)
        shifts[path] = page.evaluate("window.shifted")
        page.close()

    assert {path: shift for path, shift in shifts.items() if shift > 0.1} == {}


def test_a_first_visit_fetches_no_font_that_it_does_not_show(
    servers: Servers, new_browser: NewBrowser
) -> None:
    visitor = new_browser(servers.shop)
    fetched: list[str] = []
    visitor.on("request", lambda request: fetched.append(request.url))

    page = opened(visitor)
    page.wait_for_timeout(500)

    assert sorted(re.findall(r"([\w-]+)\.\w+\.woff2", " ".join(fetched))) == [
        "shop-sans",
        "shop-serif",
    ]


def test_an_unreachable_server_shows_the_shops_own_message(
    servers: Servers, new_browser: NewBrowser
) -> None:
    visitor = new_browser(servers.shop)
    page = visitor.new_page()
    lines: list[Any] = []

    def connect(line: Any) -> None:
        lines.append(line)
        line.connect_to_server()

    page.route_web_socket(re.compile("_stcore/stream"), connect)
    page.goto("/order?number=NONE")
    expect(page.get_by_text("It may belong to another browser.")).to_be_visible()

    def refuse(route: Route) -> None:
        route.abort()

    page.route(re.compile("_stcore/"), refuse)
    lines[-1].close()

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The shop does not answer at the moment.")
    page.get_by_role("button", name="Back to the shop").click()
    expect(alert).to_contain_text("Still no answer.")
    page.wait_for_timeout(8000)  # in which Streamlit would show its own dialog
    expect(page.get_by_text("Streamlit")).to_have_count(0)

    page.unroute(re.compile("_stcore/"), refuse)
    expect(alert).to_have_count(0, timeout=60_000)
    page.get_by_role("link", name="Back to the shop").click()
    expect(page.get_by_role("heading", name="My orders")).to_be_visible()

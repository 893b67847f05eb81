"""A browser that is used again keeps nothing of the test before."""

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.support.chromium import Browsers

pytestmark = pytest.mark.browser

SHOP = "http://127.0.0.1:9"
REMEMBER = """async () => {
    document.cookie = 'buyer=ada';
    localStorage.setItem('buyer', 'ada');
    await new Promise(done => { indexedDB.open('ada').onsuccess = done; });
}"""
REMEMBERED = """async () => [
    document.cookie,
    localStorage.length,
    (await indexedDB.databases()).length,
    (await navigator.permissions.query({name: 'clipboard-read'})).state,
]"""


def at_the_shop(browser: BrowserContext) -> Page:
    page = browser.new_page()
    page.route("**", lambda route: route.fulfill(body="<h1>Shop</h1>", content_type="text/html"))
    page.goto(SHOP)
    return page


def test_a_browser_that_is_lent_again_remembers_nothing(browsers: Browsers) -> None:
    first = browsers.lend()
    page = at_the_shop(first)
    anew = page.evaluate(REMEMBERED)
    first.grant_permissions(["clipboard-read"])
    page.evaluate(REMEMBER)
    left = page.evaluate(REMEMBERED)
    browsers.take_back(None, first)

    again = browsers.lend()

    assert again is first
    assert left == ["buyer=ada", 1, 1, "granted"]
    assert at_the_shop(again).evaluate(REMEMBERED) == anew == ["", 0, 0, "prompt"]
    browsers.take_back(None, again)

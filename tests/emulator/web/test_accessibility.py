"""The pages fit their screens, are accessible, and follow the reader's locale."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.emulator.web.conftest import EmulatorSite
from tests.emulator.web.test_collected_fields import ASKING
from tests.emulator.web.test_totals import options
from tests.support.axe import grave_faults

pytestmark = pytest.mark.browser

TOO_FAINT = """() => {
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return {rgb: [r, g, b], a};
  };
  const light = (rgb) => {
    const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = rgb.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (at) => {
    for (; at; at = at.parentElement) {
      const {rgb, a} = parse(getComputedStyle(at).backgroundColor);
      if (a === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const ratio = (at, colour) => {
    const [low, high] = [light(parse(colour).rgb), light(behind(at))].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const faint = [];
  for (const at of document.body.querySelectorAll("*")) {
    if (!at.checkVisibility() || at.closest(".visually-hidden, option")) continue;
    const said = [...at.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const hint = at.placeholder && getComputedStyle(at, "::placeholder").color;
    for (const colour of [said && getComputedStyle(at).color, hint]) {
      if (colour && ratio(at, colour) < 4.5) {
        faint.push([at.tagName, at.className, at.textContent.trim(), ratio(at, colour)].join(" "));
      }
    }
  }
  return faint;
}"""


def pages_of(site: EmulatorSite) -> list[str]:
    """One address of every kind of page."""
    open_session, paid, expired = site.a_session(), site.a_session(), site.a_session()
    payment = site.pay(paid)
    site.client.post(f"/c/pay/{expired['id']}/expire")
    event = site.api("GET", "/v1/events?limit=1")["data"][0]["id"]
    asking, free = site.a_session(**ASKING), site.a_session(amount=0)
    adjusted = site.a_session(**options())
    (charge,) = site.charges(paid)
    return [
        *(
            f"/c/pay/{session['id']}"
            for session in (open_session, paid, expired, asking, free, adjusted)
        ),
        f"/emulator/receipts/{charge['id']}",
        f"/c/pay/{paid['id']}/left-here",
        "/c/pay/cs_test_unknown",
        *("/", "/sessions", "/events", "/deliveries", "/requests", "/trouble"),
        *(f"/payments/{payment}", f"/sessions/{paid['id']}", f"/events/{event}"),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(site: EmulatorSite, chromium: Browser, scheme: str) -> None:
    with chromium.new_context(color_scheme="dark" if scheme == "dark" else "light") as context:
        tab = context.new_page()
        faint = {}
        for path in pages_of(site):
            tab.goto(site.address + path)
            faint[path] = tab.evaluate(TOO_FAINT)

    assert {path: found for path, found in faint.items() if found} == {}


def test_the_pages_have_no_grave_accessibility_fault(site: EmulatorSite, tab: Page) -> None:
    faults = {}
    for path in pages_of(site):
        tab.goto(site.address + path)
        faults[path] = grave_faults(tab)

    assert {path: found for path, found in faults.items() if found} == {}


def test_no_page_scrolls_sideways_on_a_phone(site: EmulatorSite, chromium: Browser) -> None:
    with chromium.new_context(viewport={"width": 390, "height": 844}) as context:
        tab = context.new_page()
        wide = []
        for path in pages_of(site):
            tab.goto(site.address + path)
            if tab.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(path)

    assert wide == []


def test_the_pay_button_is_on_the_first_screen_of_a_laptop(site: EmulatorSite, tab: Page) -> None:
    tab.goto(site.a_session()["url"])

    expect(tab.get_by_role("button", name="Pay $39.98", exact=True)).to_be_in_viewport(ratio=1)
    expect(tab.get_by_text("no money moves")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize(
    ("locale", "amount"), [("en-US", "$39.98"), ("de-DE", "39,98 $"), ("fr-FR", "39,98 $US")]
)
def test_amounts_are_written_as_the_browser_reads_them(
    site: EmulatorSite, chromium: Browser, locale: str, amount: str
) -> None:
    with chromium.new_context(locale=locale) as context:
        tab = context.new_page()
        tab.goto(site.a_session()["url"])

        expect(tab.get_by_role("heading", level=1)).to_have_text(amount)


def test_a_session_may_name_its_locale(site: EmulatorSite, chromium: Browser) -> None:
    with chromium.new_context(locale="en-US") as context:
        tab = context.new_page()
        tab.goto(site.a_session(locale="de")["url"])

        expect(tab.get_by_role("heading", level=1)).to_have_text("39,98 $")


def test_nothing_is_loaded_from_anywhere_else(site: EmulatorSite, chromium: Browser) -> None:
    asked: list[str] = []
    with chromium.new_context() as context:
        tab = context.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        for path in pages_of(site):
            tab.goto(site.address + path)

    assert [url for url in asked if not url.startswith((site.address, "data:"))] == []


def test_a_picture_that_cannot_be_had_leaves_the_first_letter(
    site: EmulatorSite, tab: Page
) -> None:
    picture = "line_items[0][price_data][product_data][images][0]"
    more: dict[str, Any] = {picture: f"{site.shop.address}/order"}
    tab.goto(site.a_session(**more)["url"])

    expect(tab.locator(".thumb")).to_have_text("R")
    expect(tab.locator(".thumb img")).to_have_count(0)

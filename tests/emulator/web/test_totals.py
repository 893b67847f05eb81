"""Shipping and promotion codes on the pay page: the total follows, and what was typed stays."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.emulator.web.conftest import EmulatorSite
from tests.support.axe import grave_faults

pytestmark = pytest.mark.browser

RATE = "shipping_options[{}][shipping_rate_data]"


def options() -> dict[str, Any]:
    """Two ways to ship, and a field for codes."""
    form: dict[str, Any] = {"allow_promotion_codes": "true"}
    for index, (name, amount) in enumerate((("Post", 0), ("Courier with a long name", 1500))):
        rate = RATE.format(index)
        form |= {
            f"{rate}[display_name]": name,
            f"{rate}[fixed_amount][amount]": amount,
            f"{rate}[fixed_amount][currency]": "usd",
            f"{rate}[delivery_estimate][minimum][unit]": "business_day",
            f"{rate}[delivery_estimate][minimum][value]": 3 - index,
        }
    return form


@pytest.fixture
def code(site: EmulatorSite) -> str:
    """A promotion code for a fifth less."""
    for known in site.api("GET", "/v1/promotion_codes?code=SAVE20")["data"]:
        return str(known["code"])
    coupon = site.api("POST", "/v1/coupons", percent_off=20)["id"]
    promotion = {"promotion[type]": "coupon", "promotion[coupon]": coupon}
    return str(site.api("POST", "/v1/promotion_codes", code="SAVE20", **promotion)["code"])


def test_the_total_is_updated_and_typed_text_stays(
    site: EmulatorSite, tab: Page, code: str
) -> None:
    session = site.a_session(**options())
    tab.goto(session["url"])
    total, field = tab.get_by_role("heading", level=1), tab.get_by_label("Promotion code")
    tab.get_by_label("Card number").fill("4242 4242 4242 4242")
    tab.get_by_label("Expiry").fill("12 / 40")
    tab.get_by_label("CVC").fill("123")
    expect(total).to_have_text("$39.98")

    tab.get_by_role("radio", name="Courier with a long name").check()
    expect(total).to_have_text("$54.98")
    field.fill("WRONG")
    field.press("Enter")
    expect(tab.get_by_text("This code is invalid.").first).to_be_visible()
    expect(field).to_be_focused()
    field.fill(code)
    tab.get_by_role("button", name="Apply").click()
    expect(total).to_have_text("$46.98")
    expect(tab.get_by_role("status").first).to_have_text("Total: $46.98")
    assert grave_faults(tab) == []
    expect(tab.get_by_label("Card number")).to_have_value("4242 4242 4242 4242")
    tab.get_by_role("button", name="Remove the code SAVE20").click()
    expect(total).to_have_text("$54.98")

    tab.get_by_role("button", name="Pay $54.98", exact=True).click()

    expect(tab.get_by_text("Back in the shop")).to_be_visible()
    (charge,) = site.charges(session)
    assert charge["amount"] == 5498


def test_without_javascript_the_total_follows_too(
    site: EmulatorSite, chromium: Browser, code: str
) -> None:
    session = site.a_session(**options())
    with chromium.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(session["url"])
        tab.get_by_role("radio", name="Courier with a long name").check()
        tab.get_by_role("button", name="Update the total").click()
        tab.get_by_label("Promotion code").fill(code)
        tab.get_by_role("button", name="Apply").click()

        expect(tab.get_by_role("heading", level=1)).to_have_text("$46.98")
        expect(tab.get_by_role("button", name="Pay $46.98", exact=True)).to_be_visible()
        other = tab.context.new_page()
        other.goto(session["url"])
        other.get_by_role("button", name="Remove the code SAVE20").click()
        tab.get_by_label("Card number").fill("4242424242424242")
        tab.get_by_label("Expiry").fill("12/40")
        tab.get_by_label("CVC").fill("123")
        tab.get_by_role("button", name="Pay $46.98", exact=True).click()

        expect(tab.get_by_role("alert")).to_contain_text("The total has changed")
        expect(tab.get_by_role("button", name="Pay $54.98", exact=True)).to_be_visible()
        assert site.charges(session) == []


def test_a_code_over_everything_asks_for_no_card(site: EmulatorSite, tab: Page) -> None:
    coupon = site.api("POST", "/v1/coupons", percent_off=100)["id"]
    promotion = {"promotion[type]": "coupon", "promotion[coupon]": coupon}
    made = site.api("POST", "/v1/promotion_codes", **promotion)["code"]
    session = site.a_session(allow_promotion_codes="true")
    tab.goto(session["url"])

    tab.get_by_label("Promotion code").fill(made)
    tab.get_by_role("button", name="Apply").click()

    expect(tab.get_by_label("Card number")).to_have_count(0)
    tab.get_by_role("button", name="Confirm", exact=True).click()
    expect(tab.get_by_text("Back in the shop")).to_be_visible()
    assert site.session(session)["payment_status"] == "no_payment_required"

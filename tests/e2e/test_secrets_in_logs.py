"""No secret is in the processes' logs, at the most verbose level and when things break."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect
from sqlmodel import text

from tests.support.browser_actions import (
    DECLINED,
    VISA,
    enter,
    fill_in,
    leave_for_stripe,
    pay,
    refusal,
    verdict,
)
from tests.support.processes import RunningShop


@pytest.mark.browser
@pytest.mark.scenario("G10")
def test_no_log_holds_a_secret_a_cookie_or_a_card_number(
    new_shop: Callable[..., RunningShop], buyer: BrowserContext
) -> None:
    running_shop = new_shop("postgresql", LOG_LEVEL="DEBUG")
    running_shop.secrets |= {
        form for card in (VISA, DECLINED) for form in (card, card.replace(" ", ""))
    }
    running_shop.open()
    page = enter(buyer, running_shop, "/?red-t-shirt=2")
    running_shop.trouble("error_before", "POST /v1/checkout/sessions")
    leave_for_stripe(page)
    fill_in(page, DECLINED)
    pay(page)
    expect(refusal(page)).to_be_visible()
    fill_in(page, VISA)
    pay(page)
    expect(verdict(page)).to_be_visible()
    running_shop.assert_paid_once(running_shop.knows(buyer))
    office = running_shop.opens_back_office(buyer)
    expect(office.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
    mistyped: dict[str, str | float | bool] = {"password": "nearly the right one"}
    running_shop.secrets.add("nearly the right one")
    from_here = {"Origin": running_shop.address}
    way_in = f"{running_shop.address}/back-office/sign-in"
    assert buyer.request.post(way_in, form=mistyped, headers=from_here).status == 403
    with running_shop.engine.begin() as connection:
        connection.execute(text("ALTER TABLE orders RENAME COLUMN buyer_hash TO purchaser"))
    page.goto(running_shop.address)

    expect(page.get_by_text("Something went wrong here.")).to_be_visible(timeout=60_000)
    assert "Unexpected error" in running_shop.storefront.said()
    assert running_shop.leaks() == []
    running_shop.close()

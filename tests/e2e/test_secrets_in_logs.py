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
from tests.support.processes import House


@pytest.mark.browser
@pytest.mark.scenario("G10")
def test_no_log_holds_a_secret_a_cookie_or_a_card_number(
    new_house: Callable[..., House], buyer: BrowserContext
) -> None:
    house = new_house("postgresql", LOG_LEVEL="DEBUG")
    house.secrets |= {form for card in (VISA, DECLINED) for form in (card, card.replace(" ", ""))}
    house.open()
    page = enter(buyer, house, "/?red-t-shirt=2")
    house.trouble("error_before", "POST /v1/checkout/sessions")
    leave_for_stripe(page)
    fill_in(page, DECLINED)
    pay(page)
    expect(refusal(page)).to_be_visible()
    fill_in(page, VISA)
    pay(page)
    expect(verdict(page)).to_be_visible()
    house.assert_paid_once(house.knows(buyer))
    desk = house.opens_the_office(buyer)
    expect(desk.get_by_role("heading", name="Overview", exact=True)).to_be_visible()
    mistyped: dict[str, str | float | bool] = {"password": "nearly the right one"}
    house.secrets.add("nearly the right one")
    from_here = {"Origin": house.address}
    way_in = f"{house.address}/back-office/sign-in"
    assert buyer.request.post(way_in, form=mistyped, headers=from_here).status == 403
    with house.engine.begin() as connection:
        connection.execute(text("ALTER TABLE orders RENAME COLUMN buyer_hash TO purchaser"))
    page.goto(house.address)

    expect(page.get_by_text("Something went wrong here.")).to_be_visible(timeout=60_000)
    assert "Unexpected error" in house.storefront.said()
    assert house.leaks() == []
    house.close()

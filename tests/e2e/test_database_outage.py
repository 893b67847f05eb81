"""PostgreSQL crashes in the middle of a purchase and comes back."""

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.support.browser_actions import enter, fill_in, leave_for_stripe, pay, row, verdict
from tests.support.databases import Postgres
from tests.support.processes import RunningShop
from tests.support.waiting import wait_until

DOWN = "The shop's database does not answer. This page comes back by itself."


@pytest.mark.browser
@pytest.mark.scenario("E2", "E3")
@pytest.mark.parametrize("running_shop", ["postgresql"], indirect=True)
def test_a_payment_made_while_the_database_is_down_is_there_when_it_is_back(
    running_shop: RunningShop, buyer: BrowserContext, postgres: Postgres
) -> None:
    page = enter(buyer, running_shop, "/?red-t-shirt=2")
    leave_for_stripe(page)
    fill_in(page)
    open_shop = enter(buyer, running_shop)
    expect(row(open_shop, "Not paid yet")).to_be_visible()

    postgres.crash()
    try:
        expect(open_shop.get_by_text(DOWN).first).to_be_visible()
        pay(page)
        expect(page.get_by_text(DOWN).first).to_be_visible()
        wait_until(lambda: "Webhook refused with 503" in running_shop.webhook_server.said())
    finally:
        postgres.restart()

    expect(verdict(page)).to_be_visible()
    expect(row(open_shop, "Paid")).to_be_visible()
    running_shop.assert_paid_once(running_shop.knows(buyer))

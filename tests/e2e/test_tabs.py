"""Tabs, reloads and the Back button during a purchase; and what strangers see."""

import re

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.support.browser_actions import (
    DECLINED,
    enter,
    fill_in,
    leave_for_stripe,
    pay,
    pay_button,
    refusal,
    row,
    verdict,
)
from tests.support.chromium import NewBrowser
from tests.support.processes import RunningShop

pytestmark = [
    pytest.mark.browser,
    # tests/integration proves the rules on both databases, without a browser.
    pytest.mark.parametrize("running_shop", ["sqlite"], indirect=True),
]


@pytest.mark.scenario("A1", "A12", "A13")
def test_reloads_the_back_button_and_a_second_tab_end_in_one_order_and_one_session(
    running_shop: RunningShop, buyer: BrowserContext
) -> None:
    first = enter(buyer, running_shop, "/?red-t-shirt=2")
    second = enter(buyer, running_shop, "/?red-t-shirt=2")
    leave_for_stripe(first)
    leave_for_stripe(second)
    assert second.url == first.url
    checkout = first.url

    first.reload()
    first.go_back()
    expect(row(first, "Not paid yet")).to_be_visible()
    asked = running_shop.requests()
    for _ in range(2):
        first.reload()
        expect(row(first, "Not paid yet")).to_be_visible()
    assert running_shop.requests() == asked
    leave_for_stripe(first)
    assert first.url == checkout
    second.goto(running_shop.address)
    second.get_by_role("link", name="Continue payment").click()
    second.wait_for_url(checkout)

    fill_in(first)
    pay(first)
    expect(verdict(first)).to_be_visible()
    running_shop.assert_paid_once(running_shop.knows(buyer))


@pytest.mark.scenario("A3", "A13", "C14")
def test_two_tabs_at_stripe_pay_an_order_once(
    running_shop: RunningShop, buyer: BrowserContext
) -> None:
    stale = enter(buyer, running_shop, "/?red-t-shirt=2")
    leave_for_stripe(stale)
    fill_in(stale)
    quick = buyer.new_page()
    quick.goto(stale.url)
    fill_in(quick)
    pay(quick)
    expect(verdict(quick)).to_be_visible()

    pay(stale)

    expect(verdict(stale)).to_be_visible()
    order = running_shop.assert_paid_once(running_shop.knows(buyer))
    stale.goto(f"{running_shop.address}/go/{order.number}")
    expect(verdict(stale)).to_be_visible()
    stale.goto(f"{running_shop.address}/?red-t-shirt=2")
    pay_button(stale).click()
    expect(stale.get_by_role("dialog", name="Buy the same again?")).to_be_visible()
    running_shop.assert_paid_once(running_shop.knows(buyer))


@pytest.mark.scenario("C16")
def test_a_declined_card_leaves_the_session_open_for_the_next_card(
    running_shop: RunningShop, buyer: BrowserContext
) -> None:
    page = enter(buyer, running_shop, "/?red-t-shirt=2")
    leave_for_stripe(page)
    checkout = page.url.partition("?")[0]
    fill_in(page, DECLINED)
    pay(page)
    expect(refusal(page)).to_be_visible()
    order = running_shop.the_order(running_shop.knows(buyer))
    back = buyer.new_page()
    back.goto(f"{running_shop.address}/order?number={order.number}&session_id=none")
    assert order.status == "open"
    expect(verdict(back, "Not paid yet")).to_be_visible()
    assert page.url.partition("?")[0] == checkout

    fill_in(page)
    pay(page)

    expect(verdict(page)).to_be_visible()
    running_shop.assert_paid_once(running_shop.knows(buyer))


@pytest.mark.scenario("A2")
def test_a_buyer_returning_unpaid_finds_the_cart_and_the_same_session(
    running_shop: RunningShop, buyer: BrowserContext
) -> None:
    page = enter(buyer, running_shop, "/?red-t-shirt=2&sneakers=1")
    leave_for_stripe(page)
    checkout = page.url

    page.get_by_role("link", name="Back to the shop").click()

    expect(page.get_by_label("Quantity of Red T-Shirt")).to_have_value("2")
    expect(page.get_by_label("Quantity of Sneakers")).to_have_value("1")
    leave_for_stripe(page)
    assert page.url == checkout
    fill_in(page)
    pay(page)
    expect(verdict(page)).to_be_visible()
    assert running_shop.assert_paid_once(running_shop.knows(buyer)).total_amount == 2 * 1999 + 7999


@pytest.mark.scenario("A14", "G1", "G2")
def test_a_stranger_sees_nothing_at_an_order_address(
    running_shop: RunningShop, new_browser: NewBrowser
) -> None:
    owner, stranger = new_browser(), new_browser()
    page = enter(owner, running_shop, "/?red-t-shirt=2")
    leave_for_stripe(page)
    order = running_shop.the_order(running_shop.knows(owner))
    fill_in(page)
    pay(page)
    expect(verdict(page)).to_be_visible()
    theirs = stranger.new_page()
    seen = []

    for number in (order.number, "2222-2222-2222-2222"):
        theirs.goto(
            f"{running_shop.address}/order?number={number}&session_id={order.checkout_session_id}"
        )
        expect(theirs.get_by_text("There is no such order here.")).to_be_visible()
        seen.append(theirs.locator("body").inner_text())
        answer = theirs.goto(f"{running_shop.address}/go/{number}")
        assert answer is not None
        assert answer.status == 404
        seen.append(answer.text())

    assert seen[:2] == seen[2:]
    theirs.goto(f"{running_shop.address}/?resume={order.number}")
    expect(theirs.get_by_text("No orders yet.")).to_be_visible()
    expect(theirs.get_by_label("Quantity of Red T-Shirt")).to_have_value("0")


def test_a_paid_order_fits_a_phone(running_shop: RunningShop, buyer: BrowserContext) -> None:
    page = enter(buyer, running_shop, "/?red-t-shirt=2&blue-jeans=10&sneakers=10")
    page.set_viewport_size({"width": 390, "height": 844})
    leave_for_stripe(page)
    fill_in(page)
    pay(page)
    expect(verdict(page)).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("^Order "))).to_be_visible()

    widest = page.evaluate(
        "Math.max(...[document.documentElement, ...document.querySelectorAll('section, main')]"
        ".map(box => box.scrollWidth))"
    )

    assert widest <= 390
    running_shop.knows(buyer)

"""`kill -9` of any one of the three processes at any moment of a purchase loses nothing."""

import random
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from store.orders import checkout
from store.orders.coalescing import REUSE_SECONDS
from tests.support.browser_actions import (
    AT_STRIPE,
    CARD,
    enter,
    fill_in,
    leave_for_stripe,
    pay,
    pay_button,
    reach,
    verdict,
)
from tests.support.processes import Process, RunningShop
from tests.support.waiting import wait_until

pytestmark = [
    # On PostgreSQL the same is done without a browser, many times over, in test_storm.py.
    pytest.mark.parametrize("running_shop", ["sqlite"], indirect=True),
]

BACK = re.compile(r"/order\?number=")


def before_the_click(running_shop: RunningShop, victim: Process, page: Page) -> None:
    victim.kill()
    if victim is running_shop.emulator:
        pay_button(page).click()
        expect(page.get_by_text("You have not been charged")).to_be_visible(timeout=60_000)
        victim.restart()
        page.get_by_role("link", name="Try again").click()
    else:
        victim.restart()
        reach(page)
        leave_for_stripe(page)
    fill_in(page)
    pay(page)


def at_stripes_page(running_shop: RunningShop, victim: Process, page: Page) -> None:
    leave_for_stripe(page)
    victim.kill()
    fill_in(page)
    victim.restart()
    pay(page)


def between_payment_and_redirect(running_shop: RunningShop, victim: Process, page: Page) -> None:
    """Stripe waits for the answer to its webhook before it lets the buyer go."""
    leave_for_stripe(page)
    fill_in(page)
    (session,) = running_shop.sessions(running_shop.the_order(running_shop.knows(page.context)))
    with running_shop.webhook_server.held():
        pay(page)
        wait_until(
            lambda: running_shop.stripe.checkout.sessions.retrieve(session.id).status == "complete"
        )
        assert not BACK.search(page.url)
        victim.kill()
    victim.restart()
    if victim is not running_shop.webhook_server:
        # The browser got no answer, and the buyer opens the shop.
        reach(page, f"{running_shop.address}/order?number={session.client_reference_id}")


def right_after_the_redirect(running_shop: RunningShop, victim: Process, page: Page) -> None:
    leave_for_stripe(page)
    fill_in(page)
    with page.expect_request(BACK) as back:
        pay(page)
    victim.kill()
    victim.restart()
    reach(page, back.value.url)


@pytest.mark.browser
@pytest.mark.scenario("E1", "E4", "E5")
@pytest.mark.parametrize("name", ["emulator", "webhook server", "storefront"])
@pytest.mark.parametrize(
    "moment",
    [
        before_the_click,
        at_stripes_page,
        between_payment_and_redirect,
        right_after_the_redirect,
    ],
)
def test_a_process_killed_during_a_purchase_loses_nothing(
    running_shop: RunningShop,
    buyer: BrowserContext,
    name: str,
    moment: Callable[[RunningShop, Process, Page], None],
) -> None:
    page = enter(buyer, running_shop, "/?red-t-shirt=2")

    moment(running_shop, running_shop.processes[name], page)

    expect(verdict(page)).to_be_visible(timeout=60_000)
    running_shop.assert_paid_once(running_shop.knows(buyer))


@pytest.mark.browser
@pytest.mark.scenario("B4")
def test_a_storefront_killed_during_session_creation_finds_that_session_again(
    running_shop: RunningShop, buyer: BrowserContext
) -> None:
    page = enter(buyer, running_shop, "/?red-t-shirt=2")
    who = running_shop.knows(buyer)
    running_shop.trouble("hang", "POST /v1/checkout/sessions", "30")
    with suppress(Exception):
        pay_button(page).click(no_wait_after=True)
    wait_until(
        lambda: running_shop.orders(who) and running_shop.sessions(running_shop.the_order(who))
    )
    assert running_shop.the_order(who).checkout_session_id is None

    running_shop.storefront.kill()
    running_shop.storefront.restart()

    reach(page, f"{running_shop.address}/?red-t-shirt=2")
    leave_for_stripe(page)
    fill_in(page)
    pay(page)
    expect(verdict(page)).to_be_visible()
    running_shop.assert_paid_once(who)


def buy(running_shop: RunningShop, buyer: str, client: httpx.Client) -> bool:
    """Order and pay without a browser; False where the way led to an order just paid."""
    number = checkout.place(
        buyer, {"red-t-shirt": 2}, shown_amount=3998, store_url=running_shop.address, again=True
    )
    way_on = client.get(f"/go/{number}").headers["location"]
    if not AT_STRIPE.search(way_on):
        return False  # the last one, whose payment was just reported
    answer = client.post(way_on, data=CARD | {"then": "stay"})
    assert answer.status_code == 303, answer.text
    return True


@pytest.mark.scenario("E1", "E5")
def test_a_webhook_server_killed_again_and_again_while_six_buyers_pay_loses_nothing(
    running_shop: RunningShop,
) -> None:
    """Killed as soon as it stands, and each time in the middle of what Stripe has for it."""
    visitors = [running_shop.visitor() for _ in range(6)]

    def shop(place: int) -> None:
        buyer, client = visitors[place]
        with client:
            paid = 0
            while paid < 3:
                if buy(running_shop, buyer, client):
                    paid += 1
                    time.sleep(REUSE_SECONDS)  # sooner, `/go` would lead to the page just paid on

    with running_shop.entered(), ThreadPoolExecutor() as pool:
        shopping = [pool.submit(shop, place) for place in range(len(visitors))]
        kills = running_shop.webhook_server.kills
        while (
            not all(each.done() for each in shopping)
            or running_shop.webhook_server.kills < kills + 3
        ):
            running_shop.webhook_server.kill()
            running_shop.webhook_server.restart()
            time.sleep(random.uniform(0.05, 0.3))
        for each in shopping:
            each.result()

    def is_settled() -> bool:
        orders = [order for buyer, _ in visitors for order in running_shop.orders(buyer)]
        return len(orders) == 18 and {order.status for order in orders} == {"paid"}

    wait_until(is_settled, seconds=120)
    running_shop.assert_books_equal()


def test_after_all_kills_the_shop_and_stripe_agree(running_shop: RunningShop) -> None:
    buyer, client = running_shop.visitor()
    with running_shop.entered(), client:
        assert buy(running_shop, buyer, client)

    wait_until(lambda: running_shop.the_order(buyer).status == "paid")
    assert running_shop.assert_books_equal() > 0

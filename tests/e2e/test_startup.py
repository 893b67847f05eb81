"""One command starts the whole shop; its processes may die in the middle of a purchase."""

import os
import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, expect

from store.core.local_http import is_up
from store.web.buyer_cookie import new_cookie
from tests.support.browser_actions import enter, fill_in, leave_for_stripe, pay, verdict
from tests.support.counting import count
from tests.support.processes import RunningShop
from tests.support.waiting import wait_until
from tests.support.websocket_client import Visitor


@pytest.mark.browser
@pytest.mark.scenario("E1", "E4")
def test_one_command_sells_two_shirts_though_everything_it_started_is_killed_on_the_way(
    launched: tuple[RunningShop, Path], buyer: BrowserContext
) -> None:
    running_shop, log = launched
    page = enter(buyer, running_shop, "/?red-t-shirt=2")
    leave_for_stripe(page)
    fill_in(page)
    started = re.findall(r" is process (\d+)\.", log.read_text("utf-8"))
    assert len(started) == 3

    for process in started:
        os.kill(int(process), signal.SIGKILL)
        count("kills")

    wait_until(lambda: log.read_text("utf-8").count(" is process ") == 6)
    wait_until(
        lambda: all(is_up(each.health) for each in running_shop.processes.values()), seconds=120
    )
    pay(page)
    expect(verdict(page)).to_be_visible(timeout=60_000)
    running_shop.assert_paid_once(running_shop.knows(buyer))


@pytest.mark.scenario("E4")
def test_a_page_requested_during_startup_is_complete(
    new_shop: Callable[..., RunningShop],
) -> None:
    running_shop = new_shop()
    opening = running_shop.storefront.start()
    # At the first moment: libraries are still being loaded.
    wait_until(lambda: is_up(opening.health), pause_seconds=0.005)
    port = urlsplit(running_shop.address).port or 0

    def quantities(_number: int) -> int:
        with Visitor(port, cookie=new_cookie()) as visitor:
            return len(visitor.numbers)

    with ThreadPoolExecutor() as crowd:
        assert list(crowd.map(quantities, range(4))) == [3] * 4, opening.said()

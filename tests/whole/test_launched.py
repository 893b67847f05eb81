"""One command opens the whole shop; what it started may die in the middle of a purchase."""

import os
import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from store.launcher.serve import answers
from tests.counting import count
from tests.whole.buying import enter, fill_in, leave_for_stripe, pay, verdict
from tests.whole.running import House, eventually


@pytest.mark.browser
@pytest.mark.scenario("E1", "E4")
def test_one_command_sells_two_shirts_though_everything_it_started_is_killed_on_the_way(
    launched: tuple[House, Path], buyer: BrowserContext
) -> None:
    house, log = launched
    page = enter(buyer, house, "/?red-t-shirt=2")
    leave_for_stripe(page)
    fill_in(page)
    started = re.findall(r" is process (\d+)\.", log.read_text("utf-8"))
    assert len(started) == 3

    for process in started:
        os.kill(int(process), signal.SIGKILL)
        count("kills")

    eventually(lambda: log.read_text("utf-8").count(" is process ") == 6)
    eventually(lambda: all(answers(each.health) for each in house.processes.values()), seconds=120)
    pay(page)
    expect(verdict(page)).to_be_visible(timeout=60_000)
    house.assert_paid_once(house.knows(buyer))

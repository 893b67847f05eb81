"""One command opens the whole shop; what it started may die in the middle of a purchase."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from store.launcher.serve import answers
from store.settings import ROOT
from tests.whole.buying import enter, fill_in, leave_for_stripe, pay, verdict
from tests.whole.running import House, eventually


@pytest.fixture
def launched(new_house: Callable[..., House]) -> Iterator[tuple[House, Path]]:
    """`python -m store` on an empty folder, once it says that it is open; and its log."""
    house = new_house()
    flags = ("--port", "--webhook-port", "--emulator-port")
    words = [f"{flag}={port}" for flag, port in zip(flags, house.ports, strict=True)]
    given = {"STRIPE_API_BASE": " ", "DATABASE_URL": " ", "DATA_DIR": " "}
    log = house.folder / "launcher.log"
    with log.open("wb") as output:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "store", "--data-dir", str(house.folder), *words],
            cwd=ROOT,
            env={**os.environ, **house.environment, **given},
            stdout=output,
            stderr=output,
        )
    eventually(lambda: "Ctrl-C stops everything" in log.read_text("utf-8"), seconds=60)
    yield house, log
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(20) == 0
    assert not any(secret in log.read_text("utf-8") for secret in house.secrets)


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

    eventually(lambda: log.read_text("utf-8").count(" is process ") == 6)
    eventually(lambda: all(answers(each.health) for each in house.processes.values()), seconds=60)
    pay(page)
    expect(verdict(page)).to_be_visible(timeout=20_000)
    house.assert_paid_once(house.knows(buyer))

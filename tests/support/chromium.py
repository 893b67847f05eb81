"""The Chromium that is installed on this machine, for every test that needs one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # no other test has to wait for this import
    from playwright.sync_api import Browser, BrowserContext

# The one that has no windows comes first: its pages are the same, for three quarters of the work.
NAMES = (
    *("chromium-headless-shell", "chromium", "chromium-browser"),
    *("google-chrome", "google-chrome-stable", "chrome"),
)
# One process for all tabs of a visitor: what one of them has compiled, the next need not.
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--process-per-site",
)
MOST_IDLE = 2


def found_chromium() -> str | None:
    """Where it is: as named in CHROMIUM, or under one of its usual names."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in NAMES]
    return next((path for path in found if path and Path(path).exists()), None)


@contextmanager
def launched(path: str | None) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - likewise

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(name="chromium", scope="session")
def installed_chromium() -> Iterator[Browser]:
    """An installed Chromium. None found: skipped, or failed where everything is required.

    One for all tests, because two Playwrights cannot be open in one thread at the same time.
    """
    path = found_chromium()
    if path is None:
        if os.environ.get("STORE_REQUIRE_ALL") == "1":
            pytest.fail("No Chromium found: install one, or name it in CHROMIUM.")
        pytest.skip("no Chromium found")
    with launched(path) as browser:
        yield browser


NewBrowser = Callable[..., "BrowserContext"]


class Browsers:
    """Browsers whose owners no server has met before, in front of a projector.

    One that comes back forgets who it was, and is lent again. It keeps the files that it fetched
    and what it compiled of them, which is most of what opening a page costs; and one empty tab,
    because its process ends with its last.
    """

    def __init__(self, chromium: Browser) -> None:
        self.chromium = chromium
        self.idle: list[tuple[str | None, BrowserContext]] = []

    def lend(self, shop: str | None = None) -> BrowserContext:
        """`shop` is where paths without an address lead to."""
        for known in self.idle:
            if known[0] == shop:
                self.idle.remove(known)
                return known[1]
        made = self.chromium.new_context(
            viewport={"width": 1280, "height": 720}, locale="en-US", base_url=shop
        )
        made.set_default_timeout(20_000)
        return made

    def take_back(self, shop: str | None, browser: BrowserContext) -> None:
        first, *others = browser.pages or [browser.new_page()]
        for tab in others:
            tab.close()
        first.goto("about:blank")
        browser.clear_permissions()
        line = browser.new_cdp_session(first)  # Playwright's own way opens a page for each shop
        line.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
        line.detach()
        self.idle.append((shop, browser))
        while len(self.idle) > MOST_IDLE:
            self.idle.pop(0)[1].close()


@pytest.fixture(scope="session")
def browsers(chromium: Browser) -> Browsers:
    return Browsers(chromium)


@pytest.fixture(name="new_browser")
def lent_browsers(browsers: Browsers) -> Iterator[NewBrowser]:
    """Lends browsers until the end of a test."""
    lent: list[tuple[str | None, BrowserContext]] = []

    def lend(shop: str | None = None) -> BrowserContext:
        lent.append((shop, browsers.lend(shop)))
        return lent[-1][1]

    yield lend
    for one in lent:
        browsers.take_back(*one)

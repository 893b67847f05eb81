"""The Chromium that is installed on this machine, for every test that needs one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update")


def found_chromium() -> str | None:
    """Where it is: as named in CHROMIUM, or under one of its usual names."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in NAMES]
    return next((path for path in found if path and Path(path).exists()), None)


@contextmanager
def launched(path: str | None) -> Iterator[Browser]:
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

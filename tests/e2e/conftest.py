"""Whole shops: emulator, webhook server and storefront as real processes, and a browser."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.support import counting
from tests.support.chromium import NewBrowser
from tests.support.databases import DATABASES, Postgres, postgres_server
from tests.support.processes import RunningShop


@pytest.fixture
def report() -> Callable[[str], None]:
    """Print a line at the end of the run: what was measured."""
    return counting.report


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of its own, which a test may crash."""
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="session")
def new_shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., RunningShop]]:
    """Builds a shop on a fresh database of the wanted kind, with nothing running in it yet."""
    if os.name == "nt":
        pytest.skip("processes are held and killed by signals")
    built: list[RunningShop] = []

    def build(
        database: str = "sqlite", reconcile_seconds: float = 3600, **environment: str
    ) -> RunningShop:
        folder = tmp_path_factory.mktemp("running_shop")
        if database == "sqlite":
            url = f"sqlite:///{(folder / 'store.db').as_posix()}"
        else:
            url = request.getfixturevalue("postgres").new_database()
        built.append(RunningShop(folder, url, reconcile_seconds, environment))
        return built[-1]

    yield build
    for running_shop in built:
        running_shop.close()
    assert [leak for running_shop in built for leak in running_shop.leaks()] == []


@pytest.fixture(scope="session", params=DATABASES)
def running_shop(
    request: pytest.FixtureRequest, new_shop: Callable[..., RunningShop]
) -> RunningShop:
    """All three processes, running; once on each database."""
    made = new_shop(request.param)
    made.open()
    return made


@pytest.fixture(scope="module")
def launched(new_shop: Callable[..., RunningShop]) -> Iterator[tuple[RunningShop, Path]]:
    """`python -m store` on an empty folder, once it says that it is open; and its log."""
    running_shop = new_shop()
    with running_shop.launched() as log:
        yield running_shop, log
    assert running_shop.leaks() == []


@pytest.fixture
def buyer(new_browser: NewBrowser) -> BrowserContext:
    return new_browser()

"""Whole shops: the emulator, the sidecar and the storefront as real processes, and a browser."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.support import counting
from tests.support.chromium import NewBrowser
from tests.support.databases import DATABASES, Postgres, postgres_server
from tests.support.processes import House


@pytest.fixture
def tell() -> Callable[[str], None]:
    """Say something at the end of the run: what was measured."""
    return counting.tell


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of its own, which a test may crash."""
    with postgres_server() as running:
        yield running


@pytest.fixture(scope="session")
def new_house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., House]]:
    """Builds a house on a fresh database of the wanted kind, with nothing running in it yet."""
    if os.name == "nt":
        pytest.skip("processes are held and killed by signals")
    built: list[House] = []

    def build(
        database: str = "sqlite", reconcile_seconds: float = 3600, **environment: str
    ) -> House:
        folder = tmp_path_factory.mktemp("house")
        if database == "sqlite":
            url = f"sqlite:///{(folder / 'store.db').as_posix()}"
        else:
            url = request.getfixturevalue("postgres").new_database()
        built.append(House(folder, url, reconcile_seconds, environment))
        return built[-1]

    yield build
    for house in built:
        house.close()
    assert [leak for house in built for leak in house.leaks()] == []


@pytest.fixture(scope="session", params=DATABASES)
def house(request: pytest.FixtureRequest, new_house: Callable[..., House]) -> House:
    """All three processes, running; once on each database."""
    made = new_house(request.param)
    made.open()
    return made


@pytest.fixture(scope="module")
def launched(new_house: Callable[..., House]) -> Iterator[tuple[House, Path]]:
    """`python -m store` on an empty folder, once it says that it is open; and its log."""
    house = new_house()
    with house.launched() as log:
        yield house, log
    assert house.leaks() == []


@pytest.fixture
def buyer(new_browser: NewBrowser) -> BrowserContext:
    return new_browser()

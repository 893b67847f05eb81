"""What holds for every test: the scenarios it proves, and that nothing may quietly be left out."""

import os
from collections.abc import Generator
from typing import Any

import pytest

from tests.chromium import installed_chromium  # noqa: F401 - a fixture

REQUIRE_ALL = os.environ.get("STORE_REQUIRE_ALL") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is required, a browser or a database that is missing is a failure."""
    report = yield
    if REQUIRE_ALL and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, but STORE_REQUIRE_ALL is set: {report.longrepr}"
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[SCENARIOS] = {
        name for item in items for mark in item.iter_markers("scenario") for name in mark.args
    }


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    proven = config.stash.get(SCENARIOS, set())
    terminalreporter.write_line(f"{len(proven)} named scenarios in this run")


SCENARIOS: pytest.StashKey[set[str]] = pytest.StashKey()

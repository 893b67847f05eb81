"""What holds for every test: nothing may quietly be left out, and all is counted in the end."""

import gc
import os
import random
import sys
from collections.abc import Generator
from typing import Any

import pytest

from scripts import scenarios_table
from tests.support import counting
from tests.support.chromium import browsers, installed_chromium, lent_browsers  # noqa: F401 - fixtures

# Tests start Python hundreds of times: without bytecode each would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

REQUIRE_ALL = os.environ.get("STORE_REQUIRE_ALL") == "1"
PASSED, FAILED = set[str](), set[str]()
"""The scenarios that a test of this run has proven, and those that a test has not."""

# Where several processes share a run, these begin first, and what comes last is short.
LONG = (
    "tests/simulation/test_mutations.py",
    "tests/cli/test_virtualenv.py",
    "tests/web/browser/",
    "tests/e2e/",
    "tests/simulation/",
    "tests/emulator/test_openapi.py",
    "tests/cli/",
    "tests/web/",
    "tests/emulator/",
    "tests/integration/",
    "tests/meta/",
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where everything is required, a browser or a database that is missing is a failure."""
    report = yield
    if REQUIRE_ALL and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, but STORE_REQUIRE_ALL is set: {report.longrepr}"
    return report


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--shuffle",
        type=int,
        metavar="SEED",
        help="run the files, and the tests of each file, in an order drawn from this number",
    )


@pytest.hookimpl(tryfirst=True)  # pytest then puts tests together that share a costly parameter
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if (seed := config.getoption("--shuffle")) is not None:
        chance = random.Random(seed)
        chance.shuffle(items)
        files = {item.path: chance.random() for item in items}
        items.sort(key=lambda item: files[item.path])
    for item in items:
        for mark in item.iter_markers("scenario"):
            item.user_properties += [("scenario", name) for name in mark.args]
    if hasattr(config, "workerinput"):
        items.sort(key=_begins)


def pytest_collection_finish() -> None:
    """Leave what is loaded by now out of every later search for garbage."""
    gc.collect()
    gc.freeze()


def _begins(item: pytest.Item) -> int:
    first = (place for place, path in enumerate(LONG) if item.nodeid.startswith(path))
    return next(first, len(LONG))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Called for every test of the run, in whichever process it ran."""
    named = {name for kind, name in report.user_properties if kind == "scenario"}
    if report.failed:
        FAILED.update(map(str, named))
    elif report.when == "call" and report.passed:
        PASSED.update(map(str, named))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["counted"] = counting.sent()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of the processes that share this run has come to its end."""
    if counted := getattr(node, "workeroutput", {}).get("counted"):
        counting.take_in(counted)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.section("never charged twice, nothing lost")
    for line in counting.block(len(PASSED - FAILED), len(scenarios_table.scenarios())):
        terminalreporter.write_line(line)

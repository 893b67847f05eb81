"""The locale of one visitor changes nothing for the next one, and leaves little in memory."""

import subprocess
import sys

import pytest

from store.core.settings import ROOT

ONE_AFTER_ANOTHER = """
import sys
from datetime import UTC, datetime
from store.web.formatting import LocaleFormatter
for tag in sys.argv[1:]:
    print(LocaleFormatter.of(tag, "UTC").moment(datetime(2020, 11, 23, 11, 24, tzinfo=UTC)))
"""


@pytest.mark.parametrize(("first", "then"), [("root", "ko"), ("sdh", "ar"), ("en", "ko")])
@pytest.mark.scenario("Q5")
def test_one_visitors_locale_does_not_change_anothers(first: str, then: str) -> None:
    def read(*tags: str) -> str:
        command = [sys.executable, "-c", ONE_AFTER_ANOTHER, *tags]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1]

    assert read(first, then) == read(then)


NOTHING_IS_KEPT = """
import tracemalloc
from babel import localedata
from store.core import locales
from store.web.formatting import LocaleFormatter
tags = sorted(set(localedata.locale_identifiers()) - {"root"})
tracemalloc.start()
for tag in tags:
    LocaleFormatter.of(tag.replace("_", "-"), "UTC").price(1999, "usd")
for length in range(1000):
    LocaleFormatter.of("x" * (100_000 + length), "y" * (100_000 + length))
print(tracemalloc.get_traced_memory()[0] // 2**20)
"""


@pytest.mark.scenario("Q5")
def test_visitors_of_every_locale_leave_little_in_memory() -> None:
    command = [sys.executable, "-c", NOTHING_IS_KEPT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(done.stdout) < 80, "MiB"

"""The short form of `scripts/foreign_environments.py`."""

import os
import subprocess
import sys

import pytest

from tests.support.command_line import ROOT

SCRIPT = ROOT / "scripts" / "foreign_environments.py"


@pytest.mark.skipif(os.name == "nt", reason="the script needs a POSIX shell")
def test_the_shop_opens_or_says_why_not_in_foreign_environments() -> None:
    result = subprocess.run(
        [sys.executable, SCRIPT, "--short"], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "environments, 0 failed" in result.stdout


def test_there_are_at_least_twenty_and_each_has_a_name() -> None:
    listed = subprocess.run(
        [sys.executable, SCRIPT, "--list"], capture_output=True, text=True, check=True
    )

    names = listed.stdout.splitlines()
    assert len(names) == len(set(names)) >= 20

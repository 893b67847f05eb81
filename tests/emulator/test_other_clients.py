"""Other people's clients, unchanged: old and new SDKs run one and the same purchase."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulator.running import KEY, Running
from tests.support import foreign_packages

HERE = Path(__file__).parent
PYTHON = ("stripe==7.14.1", "stripe==10.12.1", "stripe==12.5.2", "stripe==16.1.0")
NODE = ("stripe@20.4.1",)


def command(package: str) -> list[str]:
    """How to run the purchase with one version of an SDK, and nothing else in its path."""
    if "@" in package:
        return ["node", str(HERE / "purchase.mjs"), str(foreign_packages.from_npm(package))]
    return [
        sys.executable,
        "-I",
        "-S",
        str(HERE / "purchase.py"),
        str(foreign_packages.from_pypi(package)),
    ]


@pytest.mark.parametrize("package", [*PYTHON, *NODE])
def test_an_sdk_of_any_age_buys_lists_refunds_and_verifies(stripe_: Running, package: str) -> None:
    program, *rest, folder = command(package)
    done = subprocess.run(
        [program, *rest, stripe_.config.address, KEY, folder],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    version = seen.pop("version")
    assert seen == {
        "status": "paid",
        "types": ["card"],
        "promotion_codes": True,
        "lines": ["Shirt"],
        "charged": 3998,
        "refund": ["succeeded", 999],
        "listed": [True],
        "events": ["charge.refunded", "checkout.session.completed"],
        "event_versions": [version],
    }

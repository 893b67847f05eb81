"""Other people's packages, installed once from npm or PyPI and kept outside the project.

Each set gets a folder of its own below the system's temporary one, whose name says what is in it.
A test that needs one is skipped where it cannot be installed.
"""

import getpass
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

INSTALL_SECONDS = 300
NPM = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
PIP = (sys.executable, "-m", "pip", "install", "-qqq", "--disable-pip-version-check")


def from_npm(package: str) -> Path:
    """The `node_modules` folder with one package in it, such as `stripe@20.4.1`."""
    if shutil.which("npm") is None:
        pytest.skip("no npm here")
    return _installed(package, lambda folder: [*NPM, "--prefix", folder, package]) / "node_modules"


def from_pypi(*packages: str) -> Path:
    """A folder with packages and what they need, to be put first in `sys.path`."""
    return _installed("_".join(packages), lambda folder: [*PIP, "--target", folder, *packages])


def _installed(name: str, command: Callable[[str], Sequence[str]]) -> Path:
    """Made beside its place and moved there whole: several processes may do this at once."""
    safe = "".join(sign if sign.isalnum() or sign in "-._" else "-" for sign in name)
    folder = Path(tempfile.gettempdir()) / f"foreign-packages-{getpass.getuser()}" / safe
    if folder.exists():
        return folder
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent))
    done = subprocess.run(
        command(str(made)), capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode:
        shutil.rmtree(made, ignore_errors=True)
        pytest.skip(f"{name} could not be installed: {done.stderr[-500:]}")
    try:
        made.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(made, ignore_errors=True)
    return folder

"""Waiting for what another thread or process does."""

import subprocess
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.support import loopback
from tests.support.ports import is_listening
from tests.support.preloaded_python import ForkedProcess


def wait_until(
    holds: Callable[[], object],
    seconds: float = 60,
    *,
    process: subprocess.Popen[Any] | ForkedProcess | None = None,
    said: Callable[[], str] = str,
    pause_seconds: float = 0.02,
) -> None:
    """Return once `holds` is true; fails when that takes longer, or when `process` ends before.

    `said` is added to the failure: what a log says by then.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"the process ended with {process.returncode}: {said()}")
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen within {seconds} s: {said()}")
        time.sleep(pause_seconds)


def wait_for_port(port: int, process: subprocess.Popen[Any]) -> None:
    """Return once something listens on a port of this computer; `process` is what should."""
    wait_until(lambda: is_listening(port), process=process)


def wait_for_page(url: str, process: subprocess.Popen[Any]) -> None:
    """Return once the address is answered with a status below 400."""
    wait_until(lambda: is_answered(url), process=process)


def is_answered(url: str) -> bool:
    """True where a GET is answered with a status below 400 within two seconds."""
    try:
        return not loopback.get(url, timeout=2).is_error
    except httpx.TransportError:
        return False

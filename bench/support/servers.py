"""Servers in processes of their own, started for a benchmark and gone with it."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.child_process import ROOT, python_module
from tests.support.waiting import wait_for_port


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    *,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m command…`, from the moment it listens on its port until the end of the block."""
    with python_module(command, python=python, environment=environment, folder=folder) as process:
        wait_for_port(port, process)
        yield process


def get(url: str) -> bytes:
    """What a server of ours answers, past any proxy."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=30) as answer:
        return bytes(answer.read())

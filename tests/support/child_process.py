"""A Python program in a process of its own, which ends with the block that started it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
END_SECONDS = 10


@contextmanager
def python_module(
    command: Sequence[str],
    *,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
    **options: Any,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m command…`; `environment` is added to this process's, `options` to `Popen`'s.

    At the end of the block it gets SIGTERM, and SIGKILL where it is still there after 10 s.
    """
    process = subprocess.Popen(
        [python, "-m", *command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        **options,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

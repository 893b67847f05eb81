"""The shop's commands in forks of a Python that has loaded the libraries.

Loading them is most of what a short command costs. This file, run as a program, is that Python: it
reads a command per line, runs it in a fork as `python -m store` would, and writes two lines: the
fork's process id, and its exit code.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock, Timer
from typing import Any

LIBRARIES = (
    "alembic.command alembic.config babel.numbers httpx orjson psycopg2 requests "
    "sqlalchemy.dialects.postgresql sqlalchemy.dialects.sqlite sqlmodel starlette.responses stripe"
)
OUTPUTS = ("stdout", "stderr")


class PreloadedPython:
    """Runs one command after the other, each in a process of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.lock = Lock()
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env=environment,
            text=True,
        )

    def run(
        self, module: str, words: Sequence[str], environment: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """What `python -m module words…` says and how it ends; killed after so many seconds."""
        with self.lock, tempfile.TemporaryDirectory() as folder:
            self._write(module=module, words=words, environment=dict(environment), folder=folder)
            timer = Timer(seconds, os.kill, (self._read(), signal.SIGKILL))
            timer.start()
            code = self._read()
            timer.cancel()
            said = [Path(folder, name).read_text("utf-8") for name in OUTPUTS]
        return subprocess.CompletedProcess([module, *words], code, *said)

    def close(self) -> None:
        self.process.communicate()

    def _write(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{json.dumps(command)}\n")
        self.process.stdin.flush()

    def _read(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@cache
def preloaded_python(folder: Path, environment: tuple[tuple[str, str], ...]) -> PreloadedPython:
    """The one of this process of the tests; it ends with it."""
    made = PreloadedPython(folder, dict(environment))
    atexit.register(made.close)
    return made


def serve() -> str:
    """Fork for each command; in the fork, returns the module that is to run."""
    for name in LIBRARIES.split():
        importlib.import_module(name)
    gc.freeze()  # no fork has to copy these objects
    for line in sys.stdin:
        command = json.loads(line)
        pid = os.fork()
        if pid == 0:
            become(**command)
            return str(command["module"])
        answer(pid)
        answer(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    raise SystemExit


def answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def become(module: str, words: list[str], environment: dict[str, str], folder: str) -> None:
    """Turn this fork into a process that has just been started."""
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = [module, *words]
    sys.path[0] = str(Path.cwd())
    files = [os.devnull, *(str(Path(folder, name)) for name in OUTPUTS)]
    for descriptor, file in enumerate(files):
        opened = os.open(file, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, descriptor)
        os.close(opened)


if __name__ == "__main__":
    runpy.run_module(serve(), run_name="__main__", alter_sys=True)

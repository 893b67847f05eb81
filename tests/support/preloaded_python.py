"""Commands and servers of the shop in forks of a Python that has loaded the libraries.

Loading them is most of what a short command or the start of a server costs. This file, run as a
program with the names of libraries, is that Python: it reads a command per line, runs it in a fork
as `python -m MODULE WORD …` would, and answers with the fork's process id and, if the command is
awaited, its exit code.
"""

import atexit
import gc
import importlib
import json
import os
import random
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock, Timer
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
CAN_FORK = sys.platform == "linux"  # elsewhere a fork may not use loaded libraries
COMMAND_LIBRARIES = (
    "alembic.command alembic.config babel.numbers httpx orjson psycopg2 requests "
    "sqlalchemy.dialects.postgresql sqlalchemy.dialects.sqlite sqlmodel starlette.responses stripe"
)
SERVER_LIBRARIES = (
    f"{COMMAND_LIBRARIES} babel.dates fastapi httptools jinja2 prometheus_client python_multipart "
    "streamlit.web.server.starlette.starlette_app uvicorn.logging uvloop websockets"
)
OUTPUTS = ("stdout", "stderr")
AS_STARTED = {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
"""What the interpreter reads from the environment at its start, and a fork can no longer change."""


class ForkedProcess:
    """A process that another one forked, with the part of `Popen`'s interface that tests use.

    Only its parent gets its exit code: `returncode` is 0 once it has ended, however it did.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        with suppress(psutil.NoSuchProcess):
            self._process = psutil.Process(pid)
            return
        self.returncode = 0

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            try:
                self._process.wait(timeout)
            except psutil.TimeoutExpired as error:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from error
            self.returncode = 0
        return self.returncode

    def send_signal(self, number: int) -> None:
        with suppress(psutil.NoSuchProcess):
            if self.returncode is None:
                self._process.send_signal(number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class PreloadedPython:
    """Starts processes, and runs commands one after the other."""

    def __init__(self, libraries: str, environment: Mapping[str, str]) -> None:
        self.lock = Lock()
        self.process = subprocess.Popen(
            [sys.executable, __file__, *libraries.split()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**environment, **AS_STARTED},
            text=True,
        )

    def run(
        self, module: str, words: Sequence[str], environment: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """What `python -m module words…` says and how it ends; killed after so many seconds."""
        with self.lock, tempfile.TemporaryDirectory() as folder:
            files = [os.devnull, *(str(Path(folder, name)) for name in OUTPUTS)]
            self._write(module, words, environment, files, is_awaited=True)
            timer = Timer(seconds, os.kill, (self._read(), signal.SIGKILL))
            timer.start()
            code = self._read()
            timer.cancel()
            said = [Path(file).read_text("utf-8") for file in files[1:]]
        return subprocess.CompletedProcess([module, *words], code, *said)

    def start(
        self,
        module: str,
        words: Sequence[str],
        environment: Mapping[str, str],
        files: Sequence[str],
    ) -> ForkedProcess:
        """Start `python -m module words…` in a session of its own.

        `files` are opened as its standard input, output and error, the latter two at their ends.
        """
        with self.lock:
            self._write(module, words, environment, files, is_awaited=False)
            return ForkedProcess(self._read())

    def close(self) -> None:
        self.process.communicate()

    def _write(
        self,
        module: str,
        words: Sequence[str],
        environment: Mapping[str, str],
        files: Sequence[str],
        *,
        is_awaited: bool,
    ) -> None:
        command = {
            "module": module,
            "words": list(words),
            "environment": dict(environment),
            "files": list(files),
            "is_awaited": is_awaited,
        }
        assert self.process.stdin is not None
        self.process.stdin.write(f"{json.dumps(command)}\n")
        self.process.stdin.flush()

    def _read(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


@cache
def preloaded_python(libraries: str, environment: tuple[tuple[str, str], ...]) -> PreloadedPython:
    """The one of this process of the tests; it ends with it."""
    made = PreloadedPython(libraries, dict(environment))
    atexit.register(made.close)
    return made


STARTED = set[int]()
"""The process ids of forks whose commands are not awaited."""


def serve(libraries: Sequence[str]) -> str:
    """Fork for each command; in the fork, returns the module that is to run."""
    for name in libraries:
        importlib.import_module(name)
    gc.freeze()  # no fork has to copy these objects
    signal.signal(signal.SIGCHLD, reap)
    for line in sys.stdin:
        command = json.loads(line)
        pid = os.fork()
        if pid == 0:
            become(**command)
            return str(command["module"])
        answer(pid)
        if command["is_awaited"]:
            answer(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        else:
            STARTED.add(pid)
            reap()
    raise SystemExit


def reap(*_signal: Any) -> None:
    """Collect ended forks. A signal may call this while it runs already, for the same ones."""
    for pid in list(STARTED):
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0]:
                STARTED.discard(pid)


def answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def become(
    module: str,
    words: list[str],
    environment: dict[str, str],
    files: list[str],
    *,
    is_awaited: bool,
) -> None:
    """Turn this fork into a process that has just been started."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if not is_awaited:
        os.setsid()
    random.seed()
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = [module, *words]
    sys.path[0] = str(Path.cwd())
    for descriptor, file in enumerate(files):
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND if descriptor else os.O_RDONLY
        opened = os.open(file, flags)
        os.dup2(opened, descriptor)
        os.close(opened)


if __name__ == "__main__":
    runpy.run_module(serve(sys.argv[1:]), run_name="__main__", alter_sys=True)

"""Run a module until the supervisor ends: `python -m store.cli.child_main MODULE ARGUMENT …`

The supervisor holds the other end of standard input. The operating system closes it when the
supervisor ends, also by `kill -9`, so no orphan keeps a port or the database.

With `--preload LIBRARY,…` before the module: import those, then wait for a line on standard input
that holds the environment to run in, as JSON. If the input ends first, the module never runs.

An argument `env:NAME` is replaced by that environment variable: every user of the computer can
read a command line, so a secret must not be on it.
"""

import importlib
import json
import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 5


def exit_with_parent() -> None:
    while os.read(0, 1024):
        pass
    signal_all(signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    if os.name == "posix":
        signal_all(signal.SIGKILL)
    os._exit(1)


def signal_all(number: int) -> None:
    """Signal this process and, if it leads a process group, everything it has started."""
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), number)
    else:
        os.kill(os.getpid(), number)


def preload(libraries: list[str]) -> None:
    """Import the libraries, then wait for the environment."""
    for name in libraries:
        importlib.import_module(name)
    line = b""
    while not line.endswith(b"\n"):
        if not (chunk := os.read(0, 65536)):
            raise SystemExit
        line += chunk
    os.environ.update(json.loads(line))


def expand_env(argument: str) -> str:
    return os.environ[argument.removeprefix("env:")] if argument.startswith("env:") else argument


if __name__ == "__main__":
    if sys.argv[1] == "--preload":
        preload(sys.argv[2].split(","))
        del sys.argv[1:3]
    threading.Thread(target=exit_with_parent, daemon=True).start()
    sys.argv = [expand_env(argument) for argument in sys.argv[1:]]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

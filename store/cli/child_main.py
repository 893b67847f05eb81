"""Run a module for as long as whoever started it lives: `python -m store.cli.child_main MODULE …`

The other end of standard input is held by the launcher and closed by the operating system when
the launcher ends in whatever way, `kill -9` included. No orphan keeps a port or the database.

`--stand-by LIBRARY,…` before the module: load those, and wait for a line on standard input, with
the environment to run in as JSON. Where the input ends instead, nothing has begun.

A word `env:NAME` stands for the environment variable of that name: a command line is for every
user of the computer to see, so a secret must not be on it.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 5
# Python looks for garbage after 700 new objects; loading a server's libraries makes hundreds of
# thousands that all stay, and looking through them again and again was a seventh of its start.
NEW_OBJECTS = 50_000


def end_with_the_launcher() -> None:
    while os.read(0, 1024):
        pass
    signal_all(signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    if os.name == "posix":
        signal_all(signal.SIGKILL)
    os._exit(1)


def signal_all(number: int) -> None:
    """Signal this process and, where it leads a group of its own, whatever it has started."""
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), number)
    else:
        os.kill(os.getpid(), number)


def stand_by(libraries: list[str]) -> None:
    for name in libraries:
        importlib.import_module(name)
    said = b""
    while not said.endswith(b"\n"):
        if not (more := os.read(0, 65536)):
            raise SystemExit
        said += more
    os.environ.update(json.loads(said))


def spelled_out(word: str) -> str:
    return os.environ[word.removeprefix("env:")] if word.startswith("env:") else word


if __name__ == "__main__":
    gc.set_threshold(NEW_OBJECTS)
    if sys.argv[1] == "--stand-by":
        stand_by(sys.argv[2].split(","))
        del sys.argv[1:3]
    threading.Thread(target=end_with_the_launcher, daemon=True).start()
    sys.argv = [spelled_out(word) for word in sys.argv[1:]]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

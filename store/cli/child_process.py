"""Child processes of the supervisor: how they are started and ended on each system.

`python -m store.cli.child_process MODULE ARGUMENT …` runs a module until the supervisor ends, which
holds the other end of standard input. The operating system closes it when the supervisor ends, also
by `kill -9`, so no orphan keeps a port or the database.

`… --preload LIBRARY …` imports those first and then waits for `release`, which sends the arguments
and the environment; if the input ends before, no module runs.

An argument `env:NAME` is replaced by that environment variable: every user of the computer can
read a command line, so a secret must not be on it.
"""

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from store.cli.virtualenv import ROOT

# A group of its own: Ctrl-C reaches only the supervisor, which then ends each program once.
OWN_GROUP: dict[str, Any]
if sys.platform == "win32":
    OWN_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    GENTLE_END = signal.CTRL_BREAK_EVENT
else:
    OWN_GROUP = {"start_new_session": True}
    GENTLE_END = signal.SIGTERM

Process = subprocess.Popen[bytes]
GRACE_SECONDS = 5
MACOS_FILES = 10_240  # OPEN_MAX, where the limit is called unlimited


def raise_file_limit() -> None:
    """Raise the limit of open files for this process and its children as far as the system allows.

    A page holds several connections, and many systems begin at 1,024 files or fewer.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft in (hard, resource.RLIM_INFINITY):
        return
    for limit in (hard, MACOS_FILES):
        with suppress(ValueError, OSError):  # macOS: "unlimited" is more than it gives
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            return


def kill_group(process: Process) -> None:
    """Kill the process and everything it has started."""
    if sys.platform == "win32":
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(command, capture_output=True, check=False)
    else:
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of zombies
            os.killpg(process.pid, signal.SIGKILL)


def child_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "store.cli.child_process", *arguments]


def start(command: Sequence[str], environment: Mapping[str, str]) -> Process:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # see `exit_with_parent`
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**environment, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
        cwd=ROOT,
        **OWN_GROUP,
    )


def release(process: Process, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Let a preloaded process run its module, with these arguments in this environment."""
    assert process.stdin is not None
    with suppress(OSError):  # it is dead, which the supervisor notices where it waits for it
        process.stdin.write(json.dumps([[*arguments], dict(environment)]).encode() + b"\n")
        process.stdin.flush()


def preload(libraries: Sequence[str]) -> list[str]:
    """Import the libraries, wait for `release`, take its environment and return its arguments."""
    for name in libraries:
        importlib.import_module(name)
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        raise SystemExit
    arguments, environment = json.loads(line)
    os.environ.update(environment)
    return list(arguments)


def exit_with_parent() -> None:
    """End this process when its standard input ends, which only the supervisor can write to."""
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


if __name__ == "__main__":
    given = preload(sys.argv[2:]) if sys.argv[1] == "--preload" else sys.argv[1:]
    threading.Thread(target=exit_with_parent, daemon=True).start()
    sys.argv = [os.environ[a[4:]] if a.startswith("env:") else a for a in given]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

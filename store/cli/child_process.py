"""Child processes of the supervisor, which may import their libraries before they are released.

Imports little, because `run.py` starts the first one before everything else is imported.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
MACOS_FILES = 10_240  # OPEN_MAX, where the limit is called unlimited


def raise_file_limit() -> None:
    """Raise the limit of open files for this process and its children as far as the system allows.

    A page holds several connections, and many systems begin at 1,024 files or fewer.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, MACOS_FILES):
        if soft != resource.RLIM_INFINITY and (hard == resource.RLIM_INFINITY or soft < hard):
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
    return [sys.executable, "-m", "store.cli.child_main", *arguments]


def start(command: Sequence[str], environment: Mapping[str, str]) -> Process:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # see child_main
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**environment, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
        cwd=ROOT,
        **OWN_GROUP,
    )


@contextmanager
def preloaded_process(libraries: Sequence[str], arguments: Sequence[str]) -> Iterator[Process]:
    """A process that imports `libraries` and waits for `release`; without it, it runs nothing."""
    with start(child_command("--preload", ",".join(libraries), *arguments), os.environ) as process:
        try:
            yield process
        finally:
            kill_group(process)


def release(process: Process, environment: Mapping[str, str]) -> None:
    """Let a preloaded process run its module, in this environment."""
    assert process.stdin is not None
    with suppress(OSError):  # it is dead, which the supervisor notices where it waits for it
        process.stdin.write(json.dumps(dict(environment)).encode() + b"\n")
        process.stdin.flush()

"""A process of the launcher's, which may load its libraries before it is allowed to begin.

Light, because the first such process is started before anything else is even imported.
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

# A group of its own: Ctrl-C reaches only the launcher, which then ends each program once.
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
    """Let this process and all that it starts open as many files as the system allows them.

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
    """End at once what is left of the process and of all that it has started."""
    if sys.platform == "win32":
        command = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        subprocess.run(command, capture_output=True, check=False)
    else:
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of zombies
            os.killpg(process.pid, signal.SIGKILL)


def tethered(*words: str) -> list[str]:
    return [sys.executable, "-m", "store.cli.child_main", *words]


def start(command: Sequence[str], environment: Mapping[str, str]) -> Process:
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # see tether
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**environment, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"},
        cwd=ROOT,
        **OWN_GROUP,
    )


@contextmanager
def standing_by(libraries: Sequence[str], words: Sequence[str]) -> Iterator[Process]:
    """A process that loads `libraries` and then waits for `go`; without it, it never begins."""
    with start(tethered("--stand-by", ",".join(libraries), *words), os.environ) as process:
        try:
            yield process
        finally:
            kill_group(process)


def go(process: Process, environment: Mapping[str, str]) -> None:
    """Let it begin, in this environment."""
    assert process.stdin is not None
    with suppress(OSError):  # it is dead, as whoever waits for its end is about to notice
        process.stdin.write(json.dumps(dict(environment)).encode() + b"\n")
        process.stdin.flush()

"""Child processes of the supervisor: how they are started and ended on each system."""

import os
import signal
import subprocess
import sys
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

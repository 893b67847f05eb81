"""Run a module until the supervisor ends: `python -m store.cli.child_main MODULE ARGUMENT …`

The supervisor holds the other end of standard input. The operating system closes it when the
supervisor ends, also by `kill -9`, so no orphan keeps a port or the database.

An argument `env:NAME` is replaced by that environment variable: every user of the computer can
read a command line, so a secret must not be on it.
"""

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


if __name__ == "__main__":
    threading.Thread(target=exit_with_parent, daemon=True).start()
    sys.argv = [os.environ[a[4:]] if a.startswith("env:") else a for a in sys.argv[1:]]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

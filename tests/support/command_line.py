"""The shop's command line as a person starts it: a process with an environment of its own.

Most of these processes are forks of one that has loaded the libraries. Where a test chooses the
Python, the folder, or a variable that is no setting of the shop, a new Python starts.
"""

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from store.core.settings import Settings
from tests.support.preloaded_python import CAN_FORK, COMMAND_LIBRARIES, preloaded_python

ROOT = Path(__file__).resolve().parents[2]
BASE_PYTHON = Path(sys.base_prefix, "bin/python3" if os.name != "nt" else "python.exe")
PACKAGES = next(path for path in sys.path if path.endswith("site-packages"))
SETTINGS = {name.upper() for name in Settings.model_fields}
LONGEST_SECONDS = 240
KEPT = ("PATH", "HOME", "SYSTEMROOT", "TEMP", "LANG")


def clean(**more: str) -> dict[str, str]:
    """An environment without a single setting of the shop."""
    return {name: os.environ[name] for name in KEPT if name in os.environ} | more


def store(
    *words: str, python: str | Path = sys.executable, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """What `python -m store words…` says, and how it ends."""
    usual = (python, cwd) == (sys.executable, ROOT) and environment.keys() <= SETTINGS
    if usual and CAN_FORK:
        started = preloaded_python(COMMAND_LIBRARIES, tuple(clean().items()))
        return started.run("store", words, clean(**environment), LONGEST_SECONDS)
    return subprocess.run(
        [python, "-m", "store", *words],
        cwd=cwd,
        env=clean(**environment),
        capture_output=True,
        text=True,
        timeout=LONGEST_SECONDS,
        check=False,
    )


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    """What an expected failure says: exit code 2, and a single line on standard error."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr


def running_with(word: str) -> list[str]:
    """The programs of this computer that were started with the word; as far as it tells."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            found.append(file.read_text("utf-8", errors="replace"))
    return [words for words in found if word in words.split("\0")]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self").exists()


def processes_in(log: Path) -> list[int]:
    return [int(pid) for pid in re.findall(r" is process (\d+)\.", log.read_text("utf-8"))]

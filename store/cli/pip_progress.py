"""Runs pip and shows its progress in one line.

Downloading and unpacking a hundred packages takes minutes, for most of which pip prints nothing.
Standard library only.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

STEP_SECONDS = 0.5  # between two updates of the line
LOG_STEP_SECONDS = 15.0  # between two lines, where the output is no terminal
WIDTH = 78


def call(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> int:
    """Run pip and return its exit code; its errors are printed as they come."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as pip:
        assert pip.stdout
        progress = Progress()
        reader = threading.Thread(target=progress.follow, args=(pip.stdout,), daemon=True)
        reader.start()
        try:
            while reader.is_alive():
                progress.draw()
                reader.join(STEP_SECONDS)
        finally:
            if sys.stdout.isatty():
                print(f"\r{'':<{WIDTH}}\r", end="", flush=True)
        return pip.wait()


class Progress:
    """What pip is doing, and for how long."""

    def __init__(self) -> None:
        self.doing = "Looking for packages"
        self.began = self.next_line_at = time.monotonic()

    def follow(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.doing = doing(line) or self.doing

    def draw(self) -> None:
        now = time.monotonic()
        line = f"  {self.doing} … {now - self.began:.0f} s"
        if sys.stdout.isatty():
            print(f"\r{line[:WIDTH]:<{WIDTH}}", end="", flush=True)
        elif now >= self.next_line_at:
            print(line, flush=True)
            self.next_line_at = now + LOG_STEP_SECONDS


def doing(line: str) -> str:
    """What pip is doing according to a line of its output; "" if the line does not say."""
    word, _, rest = line.strip().partition(" ")
    if word == "Collecting" and rest:
        return f"Looking for {rest.split()[0]}"
    if word == "Downloading":
        return f"Downloading {rest}"
    if line.startswith("Installing collected packages:"):
        return f"Unpacking {line.count(',') + 1} packages"
    return ""

"""Runs pip and shows its progress in one line.

Downloading and unpacking a hundred packages takes minutes, for most of which pip prints nothing.
Standard library only.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TextIO

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
        progress = Progress(sys.stdout)
        reader = threading.Thread(target=progress.follow, args=(pip.stdout,), daemon=True)
        reader.start()
        try:
            while reader.is_alive():
                progress.draw()
                reader.join(STEP_SECONDS)
        finally:
            progress.end()
        return pip.wait()


class Progress:
    """What pip is doing, and for how long."""

    def __init__(self, out: TextIO) -> None:
        self.out, self.moves = out, out.isatty()
        self.doing, self.printed = "Looking for packages", ""
        self.began = self.drawn_at = time.monotonic()

    def follow(self, lines: IO[str]) -> None:
        for line in lines:
            self.doing = doing(line) or self.doing

    def draw(self) -> None:
        now = time.monotonic()
        line = f"  {self.doing} … {now - self.began:.0f} s"
        if self.moves:
            self.out.write(f"\r{line[:WIDTH]:<{WIDTH}}")
        elif self.printed == "" or now - self.drawn_at >= LOG_STEP_SECONDS:
            self.out.write(f"{line}\n")
            self.drawn_at, self.printed = now, line
        self.out.flush()

    def end(self) -> None:
        if self.moves:
            self.out.write(f"\r{'':<{WIDTH}}\r")
            self.out.flush()


def doing(line: str) -> str:
    """What pip is doing according to a line of its output; "" if the line does not say."""
    word, _, rest = line.strip().partition(" ")
    if word == "Collecting":
        return f"Looking for {rest.split()[0]}" if rest else ""
    if word == "Downloading":
        return f"Downloading {rest}"
    if line.startswith("Installing collected packages:"):
        return f"Unpacking {line.count(',') + 1} packages"
    return ""

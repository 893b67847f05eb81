"""The log on standard output: lines of the supervisor and of its programs."""

import json
import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import cycle

COLOURS = cycle((36, 33, 32, 35, 34))  # ANSI: cyan, yellow, green, magenta, blue


class Log:
    """Prints lines with the time and the name of the program that wrote them.

    With `as_json` each line is an object; a program's own JSON object gets its name added.
    """

    def __init__(self, names: Sequence[str], *, as_json: bool = False) -> None:
        self.colours = dict(zip(names, COLOURS, strict=False))
        self.width = max(len(name) for name in [*names, "store"])
        self.as_json = as_json
        self.lock = threading.Lock()
        self.coloured = "NO_COLOR" not in os.environ and sys.stdout.isatty()

    def line(self, name: str, text: bytes | str) -> None:
        message = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        formatted = self.json_line if self.as_json else self.text_line
        # The shop goes on when the terminal or the reading program is gone.
        with self.lock, suppress(OSError):
            for line in message.splitlines():
                print(formatted(name, line), flush=True)

    def text_line(self, name: str, line: str) -> str:
        prefix = f"{datetime.now().astimezone():%H:%M:%S} {name.ljust(self.width)} | "
        colour = self.colours.get(name)
        return f"\033[{colour}m{prefix}\033[0m{line}" if self.coloured and colour else prefix + line

    def json_line(self, name: str, line: str) -> str:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            entry = {"time": now, "level": "INFO", "logger": name, "message": line}
        return json.dumps({**entry, "program": name}, ensure_ascii=False)

    def notice(self, text: str) -> None:
        """Print a text for people, which no program wrote."""
        if self.as_json:
            self.line("store", "\n".join(filter(None, map(str.strip, text.splitlines()))))
            return
        with suppress(OSError):
            print(text, flush=True)

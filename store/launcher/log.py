"""What the launcher says on standard output, and what its programs say through it."""

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from honcho.colour import get_colours
from honcho.printer import Message, Printer


class Log:
    """Lines on standard output, each with the time and the name of the program that wrote it."""

    def __init__(self, names: Sequence[str]) -> None:
        colours = get_colours()
        self.colours = {name: next(colours) for name in names}
        width = max(len(name) for name in [*names, "store"])
        self.one_at_a_time = threading.Lock()
        self.printer = Printer(sys.stdout, width=width, colour="NO_COLOR" not in os.environ)

    def line(self, name: str, text: bytes | str) -> None:
        now = datetime.now().astimezone()
        # Whoever read along may be gone; the shop goes on.
        with self.one_at_a_time, suppress(OSError):
            self.printer.write(Message("line", text, now, name, self.colours.get(name)))

    def notice(self, text: str) -> None:
        """Something for people, that no program wrote."""
        with suppress(OSError):
            print(text, flush=True)

"""The three-minute script: its steps, its clock, and how far one presenter has come.

The state is kept in one small file in the data folder, so it survives a reload, a new tab and a
restart. Where the file cannot be written, it lasts as long as the process.
"""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as validated

from store.core import private_files, settings

MAX_PRESENTERS = 200
FILE = "rehearsal.json"
LOCK = threading.Lock()


@dataclass(frozen=True)
class Step:
    """`scenarios` are the buttons of the rehearsal that this step presses."""

    title: str
    scenarios: tuple[str, ...] = ()


STEPS = (
    Step("Click twice"),
    Step("Pay and do not come back"),
    Step("Lie to the shop", ("Webhook twice", "Forged")),
    Step("Kill a process", ("Stop the webhooks",)),
    Step("Refund twice, then prove it", ("Refund twice at once",)),
)


@validated
class Script:
    """`step` counts from 0 and is `len(STEPS)` at the end; `started_at` is None while paused."""

    step: Annotated[int, Field(ge=0, le=len(STEPS))] = 0
    seconds_before: float = 0.0
    started_at: float | None = None

    @property
    def is_running(self) -> bool:
        return self.started_at is not None

    @property
    def seconds(self) -> float:
        running = time.time() - self.started_at if self.started_at is not None else 0.0
        return max(0.0, self.seconds_before + running)

    @property
    def scenarios(self) -> tuple[str, ...]:
        return STEPS[self.step].scenarios if self.step < len(STEPS) else ()

    def toggle_clock(self) -> None:
        self.seconds_before = self.seconds
        self.started_at = None if self.is_running else time.time()

    def next(self) -> None:
        """One step on. The first one starts the clock, the last one stops it."""
        if self.step == 0 and not self.is_running and not self.seconds_before:
            self.toggle_clock()
        self.step = min(self.step + 1, len(STEPS))
        if self.step == len(STEPS) and self.is_running:
            self.toggle_clock()

    def back(self) -> None:
        self.step = max(self.step - 1, 0)

    def reset(self) -> None:
        self.step, self.seconds_before, self.started_at = 0, 0.0, None

    def save(self, buyer: str) -> None:
        """Write the state of this presenter; the oldest of many presenters are dropped."""
        with LOCK, suppress(OSError):
            others = {name: script for name, script in _read().items() if name != buyer}
            kept = dict([*others.items(), (buyer, self)][-MAX_PRESENTERS:])
            with private_files.written_whole(settings.current().data_dir / FILE) as file:
                file.write_bytes(STATES.dump_json(kept))

    @classmethod
    def load(cls, buyer: str) -> "Script":
        """The state of this presenter; a file that cannot be read counts as none."""
        return _read().get(buyer) or cls()


STATES = TypeAdapter(dict[str, Script])


def _read() -> dict[str, Script]:
    try:
        return STATES.validate_json((settings.current().data_dir / FILE).read_bytes())
    except (OSError, ValueError):
        return {}

"""The three-minute script: its steps, its clock, and how far one presenter has come.

The state is kept in one small file in the data folder, so it survives a reload, a new tab and a
restart. Where the file cannot be written, it lasts as long as the process.
"""

import json
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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


@dataclass
class Script:
    """`step` counts from 0 and is `len(STEPS)` at the end; `started_at` is None while paused."""

    step: int = 0
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

    # --- keeping ---------------------------------------------------------------------------------

    def save(self, buyer: str) -> None:
        """Write the state of this presenter; the oldest of many presenters are dropped."""
        with LOCK, suppress(OSError):
            states = _read()
            states.pop(buyer, None)
            states[buyer] = asdict(self)
            kept = dict(list(states.items())[-MAX_PRESENTERS:])
            with private_files.written_whole(_path()) as file:
                file.write_text(json.dumps(kept), "utf-8")

    @classmethod
    def load(cls, buyer: str) -> "Script":
        """The state of this presenter; a file that cannot be read counts as none."""
        try:
            script = cls(**_read().get(buyer, {}))
            return script if 0 <= script.step <= len(STEPS) and script.seconds >= 0 else cls()
        except TypeError:
            return cls()


def _path() -> Path:
    return settings.current().data_dir / FILE


def _read() -> dict[str, Any]:
    try:
        states = json.loads(_path().read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return states if isinstance(states, dict) else {}

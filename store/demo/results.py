"""What the page shows of a rehearsal: a row for each scenario, and the progress of the work."""

from dataclasses import dataclass
from typing import Literal

from store.demo.scenarios import Scenario

State = Literal["waiting", "running", "passed", "failed", "skipped"]


@dataclass
class ResultRow:
    """One scenario on the page: what is expected, and what came of it."""

    scenario: Scenario
    state: State = "waiting"
    outcome: str = ""
    milliseconds: int = 0
    number: str | None = None

    @property
    def duration(self) -> str:
        seconds = self.milliseconds / 1000
        return f"{self.milliseconds} ms" if seconds < 1 else f"{seconds:.1f} s"


@dataclass
class Progress:
    """Work that goes on: `done` of `total` parts of `name`; `part` is the one under way."""

    name: str
    total: int
    done: int = 0
    part: str = ""
    started: bool = False

    def __str__(self) -> str:
        if not self.started:
            return f"{self.name}: waiting for another visitor's rehearsal"
        if self.total == 1:
            return f"{self.name} …"
        count = f"{self.name}: {self.done} of {self.total}"
        return f"{count}, now “{self.part}”" if self.part else count

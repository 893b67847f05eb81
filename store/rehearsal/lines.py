"""What the page shows of a rehearsal: a line for each trouble, and how far the work is."""

from dataclasses import dataclass
from typing import Literal

from store.rehearsal.troubles import Trouble

State = Literal["waiting", "running", "held", "broken", "untried"]
# Sign and tone of each state: told by both, never by colour alone.
SIGNS: dict[State, tuple[str, str]] = {
    "waiting": ("", "neutral"),
    "running": ("…", "waiting"),
    "held": ("✓", "good"),
    "broken": ("✕", "bad"),
    "untried": ("–", "neutral"),
}


@dataclass
class Line:
    """One trouble on the page: what is expected of it, and what came of it."""

    trouble: Trouble
    state: State = "waiting"
    got: str = ""
    milliseconds: int = 0
    number: str | None = None

    @property
    def sign(self) -> str:
        return SIGNS[self.state][0]

    @property
    def tone(self) -> str:
        return SIGNS[self.state][1]

    @property
    def took(self) -> str:
        seconds = self.milliseconds / 1000
        return f"{self.milliseconds} ms" if seconds < 1 else f"{seconds:.1f} s"


@dataclass
class Progress:
    """What is going on: `done` of `total` steps of something that has a name."""

    name: str
    total: int
    done: int = 0
    begun: bool = False

    @property
    def share(self) -> float:
        return self.done / self.total

    def __str__(self) -> str:
        if not self.begun:
            return f"{self.name}: waiting for another visitor's rehearsal"
        return f"{self.name}: {self.done} of {self.total}" if self.total > 1 else f"{self.name} …"

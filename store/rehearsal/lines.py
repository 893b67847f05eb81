"""What the page shows of a rehearsal: a line for each trouble, and how far the work is."""

from dataclasses import dataclass
from typing import Literal

from store.rehearsal.troubles import Trouble

State = Literal["waiting", "running", "held", "broken", "untried"]


@dataclass
class Line:
    """One trouble on the page: what is expected of it, and what came of it."""

    trouble: Trouble
    state: State = "waiting"
    got: str = ""
    milliseconds: int = 0
    number: str | None = None


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

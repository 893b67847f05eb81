"""One visitor's rehearsal: what was tried, what came of it, and the work beside the page.

The work goes on in a thread of its own, so a reload of the page finds it where it is. One thread
for everybody: two visitors who rehearse at once take turns, because a trouble at the emulator
could otherwise meet the other one's order.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from store import door, settings
from store.errors import StoreError
from store.rehearsal import fresh, samples
from store.rehearsal.errors import EmulatorSilent, NotHere, Untried
from store.rehearsal.evidence import BothBooks, Tally, both_books
from store.rehearsal.lines import Line, Progress, State
from store.rehearsal.stage import Stage
from store.rehearsal.stand_in import StandIn
from store.rehearsal.troubles import TROUBLES
from store.rehearsal.webhook_door import WebhookDoor

REMEMBERED = 200  # visitors
TURNS = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rehearsal")
ALL, SAMPLES = "Run all", "25 sample orders"  # what the buttons beside the troubles are called


@dataclass
class Rehearsal:
    buyer: str
    lines: list[Line] = field(default_factory=lambda: [Line(trouble) for trouble in TROUBLES])
    books: dict[str, BothBooks] = field(default_factory=dict)
    progress: Progress | None = None
    summary: str = ""
    good: bool = True
    _starting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def tally(self) -> Tally:
        return Tally.of(list(self.books.values()))

    # --- what can be asked for -------------------------------------------------------------------

    def begin(self, name: str, store_url: str) -> None:
        """Begin what the button of this name is for; `store_url` is where Stripe sends buyers."""
        if name == ALL:
            self._begin(Progress(ALL, len(self.lines)), lambda: self._run_all(store_url))
        elif name == SAMPLES:
            total = len(samples.SAMPLES)
            self._begin(Progress(SAMPLES, total), lambda: self._make_samples(store_url))
        else:
            (line,) = [line for line in self.lines if line.trouble.name == name]
            self._begin(Progress(name, 1), lambda: self._play([line], store_url))

    def start_afresh(self) -> None:
        self._begin(Progress("Fresh demo", 1), self._start_afresh)

    def _begin(self, progress: Progress, act: Callable[[], None]) -> None:
        """Take a turn; a second wish while the first is not over is dropped, as a double click."""
        with self._starting:
            if self.progress:
                return
            self.progress = progress
        self.summary = ""
        TURNS.submit(self._turn, progress, act)

    def _turn(self, progress: Progress, act: Callable[[], None]) -> None:
        progress.begun = True
        try:
            act()
        except StoreError as error:
            self.summary, self.good = str(error), False
        except Exception as error:  # noqa: BLE001 - the visitor is told, and the log knows the rest
            self.summary, self.good = door.incident(error), False
        finally:
            self.progress = None

    # --- troubles --------------------------------------------------------------------------------

    def _run_all(self, store_url: str) -> None:
        self.books.clear()
        for line in self.lines:
            line.state, line.got, line.number = "waiting", "", None
        self._play(self.lines, store_url)
        self._count(list(self.books))  # once more: what came late counts too
        held = sum(line.state == "held" for line in self.lines)
        tally = self.tally
        self.good = (held, tally.differing) == (len(self.lines), 0)
        self.summary = (
            f"{held} of {len(self.lines)} held; {tally.charged_twice} charged twice, "
            f"{tally.lost} lost"
        )

    def _play(self, lines: Sequence[Line], store_url: str) -> None:
        for line in lines:
            stage = Stage(self.buyer, store_url, StandIn.current())
            line.state = "running"
            started = time.monotonic()
            line.state, line.got = self._outcome(line, stage)
            line.milliseconds = round((time.monotonic() - started) * 1000)
            self._count(stage.numbers)
            self._advance()

    def _outcome(self, line: Line, stage: Stage) -> tuple[State, str]:
        """Make the trouble and judge it; a trouble that breaks is told and stops no other one."""
        try:
            seen = line.trouble.act(stage)
            line.number = seen.number
            faults = [book.fault for book in both_books(stage.stripe, stage.numbers) if book.fault]
        except Untried as reason:
            return "untried", str(reason)
        except StoreError as error:
            return "broken", str(error)
        except Exception as error:  # noqa: BLE001 - as above
            return "broken", door.incident(error)
        held: State = "held" if seen.held and not faults else "broken"
        return held, "; ".join([seen.got, *faults])

    def _count(self, numbers: Sequence[str]) -> None:
        for book in both_books(StandIn.current(), numbers):
            self.books[book.number] = book

    def _advance(self) -> None:
        if self.progress:
            self.progress.done += 1

    # --- the shop's contents ---------------------------------------------------------------------

    def _make_samples(self, store_url: str) -> None:
        stage = Stage(self.buyer, store_url, StandIn.current())
        statuses = []
        for status in samples.make(stage):
            statuses.append(status)
            self._advance()
        differing = Tally.of(both_books(stage.stripe, stage.numbers)).differing
        self.good = samples.as_planned(statuses) and not differing
        agree = f"the books differ on {differing}" if differing else "both books agree"
        told = "" if samples.as_planned(statuses) else " (not as planned)"
        self.summary = f"{len(statuses)} orders of today: {samples.in_words(statuses)}"
        self.summary += f"{told}; {agree}"

    def _start_afresh(self) -> None:
        fresh.forget(StandIn.current())
        for each in list(REHEARSALS.values()):
            each.forget()
        self.summary, self.good = "A fresh demo: no orders, here or in the emulator", True

    def forget(self) -> None:
        self.books.clear()
        self.summary = ""
        self.lines = [Line(trouble) for trouble in TROUBLES]


REHEARSALS: dict[str, Rehearsal] = {}


def of(buyer: str) -> Rehearsal:
    """This visitor's rehearsal; the oldest idle ones are forgotten.

    Raises:
        NotHere, EmulatorSilent
    """
    if not settings.current().offline:
        raise NotHere
    if not StandIn.current().is_there():
        raise EmulatorSilent
    found = REHEARSALS.setdefault(buyer, Rehearsal(buyer))
    idle = [name for name, one in REHEARSALS.items() if not one.progress and one is not found]
    for name in idle[: max(0, len(REHEARSALS) - REMEMBERED)]:
        REHEARSALS.pop(name, None)
    return found


def light() -> bool:
    """True while the webhook process takes webhooks."""
    try:
        return bool(WebhookDoor.of(StandIn.current()))
    except StoreError:
        return False


def what_goes() -> str:
    """What the visitor is asked before everything is forgotten."""
    return (
        f"All orders of this shop ({fresh.order_count()}), everybody's, are forgotten here and in "
        "the emulator, and the products are as on the first day."
    )

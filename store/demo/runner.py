"""One visitor's rehearsal: its results, and the work in the background.

The work runs in a thread, so it survives a reload of the page. One thread works for all visitors:
a fault at the emulator could otherwise meet another visitor's order.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from store.core import settings
from store.core.errors import StoreError
from store.demo import reset, sample_orders
from store.demo.clients import EmulatorClient, EmulatorUnreachable, NotApplicable, NotWithRealStripe
from store.demo.comparison import RehearsedOrder, compare_orders, totals
from store.demo.context import ScenarioContext
from store.demo.scenarios import SCENARIOS, Scenario
from store.demo.script import Script
from store.web import responses

MAX_REHEARSALS = 200
RUN_ALL, SAMPLE_ORDERS, RESET = "Run all", "25 sample orders", "Fresh demo"  # button labels
State = Literal["waiting", "running", "passed", "failed", "skipped"]


def rehearsal_buyer(visitor: str) -> str:
    """Who buys in a visitor's rehearsal: a buyer of its own, whom no cookie's hash can name.

    So the visitor's own open order stays payable, and *My orders* holds only what they bought.
    """
    return f"rehearsal-{visitor}"


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

    def run(self, context: ScenarioContext) -> list[RehearsedOrder]:
        """Run and judge the scenario, and compare its orders.

        An unexpected error fails this row and stops no other.
        """
        orders, self.state, started = None, "running", time.monotonic()
        try:
            result = self.scenario.run(context)
            self.number = result.number
            orders = compare_orders(context.stripe, context.numbers)
            differences = [order.difference for order in orders if order.difference]
            self.outcome = "; ".join([result.outcome, *differences])
            self.state = "passed" if result.passed and not differences else "failed"
        except NotApplicable as reason:
            self.state, self.outcome = "skipped", str(reason)
        except Exception as error:  # noqa: BLE001 - shown, and the next scenario runs
            self.state, self.outcome = "failed", sentence_of(error)
        self.milliseconds = round((time.monotonic() - started) * 1000)
        return compare_orders(context.stripe, context.numbers) if orders is None else orders


def sentence_of(error: Exception) -> str:
    """The error's own sentence; of an unexpected one, its id, under which the log has the rest."""
    return str(error) if isinstance(error, StoreError) else responses.log_unexpected(error)


@dataclass
class Progress:
    """Work that goes on: `done` of `total` parts of `name`; `part` is the one under way."""

    name: str
    total: int = 1
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


@dataclass
class Rehearsal:
    """The rehearsal of one visitor, who is known by the hash of their buyer's cookie."""

    visitor: str
    rehearsals: "Rehearsals"
    script: Script = field(default_factory=Script)
    rows: list[ResultRow] = field(default_factory=lambda: [ResultRow(s) for s in SCENARIOS])
    orders: dict[str, RehearsedOrder] = field(default_factory=dict)
    progress: Progress | None = None
    summary: str = ""
    good: bool = True
    _starting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def totals(self) -> Counter[str]:
        return totals(self.orders.values())

    def move_script(self, act: Callable[[], None]) -> None:
        """Do `act` to the script, and keep where it is now."""
        act()
        self.script.save(self.visitor)

    def start(self, name: str, store_url: str) -> None:
        """Start the work of the button `name`; Stripe sends buyers back to `store_url`."""
        context = ScenarioContext(rehearsal_buyer(self.visitor), store_url)
        if name == RUN_ALL:
            self._start(Progress(name, len(self.rows)), self._run_all, context)
        elif name == SAMPLE_ORDERS:
            total = len(sample_orders.SAMPLES)
            self._start(Progress(name, total), self._create_samples, context)
        else:
            rows = [row for row in self.rows if row.scenario.name == name]
            self._start(Progress(name), self._run, context, rows)

    def start_reset(self) -> None:
        self._start(Progress(RESET), self._reset)

    def _start(self, progress: Progress, work: Callable[..., None], *arguments: object) -> None:
        """Queue the work; does nothing while other work of this visitor goes on (double click)."""
        with self._starting:
            if self.progress:
                return
            self.progress = progress
        self.summary = ""
        self.rehearsals.executor.submit(self._work, progress, work, *arguments)

    def _work(self, progress: Progress, work: Callable[..., None], *arguments: object) -> None:
        progress.started = True
        try:
            work(progress, *arguments)
        except Exception as error:  # noqa: BLE001 - shown where the summary is
            self.summary, self.good = sentence_of(error), False
        finally:
            self.progress = None

    def _run_all(self, progress: Progress, context: ScenarioContext) -> None:
        self.clear()
        self._run(progress, context, self.rows)
        self._add(compare_orders(context.stripe, list(self.orders)))  # late webhooks count too
        passed = sum(row.state == "passed" for row in self.rows)
        self.good = (passed, self.totals["differing"]) == (len(self.rows), 0)
        self.summary = f"{passed} of {len(self.rows)} passed"

    def _run(self, progress: Progress, context: ScenarioContext, rows: Iterable[ResultRow]) -> None:
        for row in rows:
            progress.part = row.scenario.name
            context.numbers = []
            self._add(row.run(context))
            progress.done += 1

    def _add(self, orders: Iterable[RehearsedOrder]) -> None:
        self.orders.update({order.number: order for order in orders})

    def _create_samples(self, progress: Progress, context: ScenarioContext) -> None:
        are_new = not sample_orders.existing()
        for _ in sample_orders.create(context):
            progress.done += 1
        orders = sample_orders.existing().values()
        numbers, statuses = [order.number for order in orders], [order.status for order in orders]
        differing = totals(compare_orders(context.stripe, numbers))["differing"]
        as_planned = sorted(statuses) == sample_orders.planned_statuses() or not are_new
        self.good = as_planned and not differing
        kinds = f"{len(numbers)} sample orders over 90 days, in {len(set(statuses))} statuses"
        agree = f"{differing} differ from Stripe" if differing else "Stripe agrees"
        note = "" if as_planned else " (not as planned)"
        before = "" if are_new else "; they were here before"
        self.summary = f"{kinds}{note}; {agree}{before}"

    def _reset(self, _progress: Progress) -> None:
        reset.reset_demo(EmulatorClient.current())
        for rehearsal in list(self.rehearsals.by_visitor.values()):
            rehearsal.clear()
        self.summary, self.good = "A fresh demo: no orders, here or in the emulator", True

    def clear(self) -> None:
        """Clear the results."""
        self.orders.clear()
        self.summary = ""
        self.rows = [ResultRow(row.scenario) for row in self.rows]


class Rehearsals:
    """Every visitor's rehearsal in this process, and the one thread that works for them."""

    def __init__(self) -> None:
        self.by_visitor: dict[str, Rehearsal] = {}
        self.executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rehearsal")

    def of(self, visitor: str) -> Rehearsal:
        """This visitor's rehearsal, beside a running emulator; the oldest idle ones are dropped."""
        if not settings.current().offline:
            raise NotWithRealStripe
        if not EmulatorClient.current().is_up():
            raise EmulatorUnreachable
        rehearsal = self.by_visitor.get(visitor) or self.by_visitor.setdefault(
            visitor, Rehearsal(visitor, self, Script.load(visitor))
        )
        others = [one for one in self.by_visitor.values() if one is not rehearsal]
        idle = [one.visitor for one in others if not one.progress]
        for other in idle[: max(0, len(self.by_visitor) - MAX_REHEARSALS)]:
            self.by_visitor.pop(other, None)
        return rehearsal


REHEARSALS = Rehearsals()

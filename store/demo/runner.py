"""One visitor's rehearsal: its results, and the work in the background.

The work runs in a thread, so it survives a reload of the page. One thread works for all visitors:
a fault at the emulator could otherwise meet another visitor's order.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from store.core import settings
from store.core.errors import StoreError
from store.demo import reset, sample_orders
from store.demo.comparison import OrderComparison, Totals, compare_orders
from store.demo.context import ScenarioContext
from store.demo.emulator_client import EmulatorClient
from store.demo.errors import EmulatorUnreachable, NotApplicable, NotWithRealStripe
from store.demo.results import Progress, ResultRow, State
from store.demo.scenarios import SCENARIOS
from store.demo.script import Script
from store.demo.webhook_client import WebhookClient
from store.web import responses

MAX_REHEARSALS = 200
RUN_ALL, SAMPLE_ORDERS = "Run all", "25 sample orders"  # button labels
RESET = "Fresh demo"


def rehearsal_buyer(visitor: str) -> str:
    """Who buys in a visitor's rehearsal: a buyer of its own, whom no cookie's hash can name.

    So the visitor's own open order stays payable, and *My orders* holds only what they bought.
    """
    return f"rehearsal-{visitor}"


@dataclass
class Rehearsal:
    """The rehearsal of one visitor, who is known by the hash of their buyer's cookie."""

    visitor: str
    rehearsals: "Rehearsals"
    script: Script = field(default_factory=Script)
    rows: list[ResultRow] = field(default_factory=lambda: [ResultRow(s) for s in SCENARIOS])
    orders: dict[str, OrderComparison] = field(default_factory=dict)
    progress: Progress | None = None
    summary: str = ""
    good: bool = True
    _starting: threading.Lock = field(default_factory=threading.Lock)

    @property
    def buyer(self) -> str:
        return rehearsal_buyer(self.visitor)

    @property
    def totals(self) -> Totals:
        return Totals.of(list(self.orders.values()))

    def move_script(self, act: Callable[[], None]) -> None:
        """Do `act` to the script, and keep where it is now."""
        act()
        self.script.save(self.visitor)

    # --- starting --------------------------------------------------------------------------------

    def start(self, name: str, store_url: str) -> None:
        """Start the work of the button `name`; Stripe sends buyers back to `store_url`."""
        if name == RUN_ALL:
            self._start(Progress(name, len(self.rows)), lambda: self._run_all(store_url))
        elif name == SAMPLE_ORDERS:
            total = len(sample_orders.SAMPLES)
            self._start(Progress(name, total), lambda: self._create_samples(store_url))
        else:
            (row,) = [row for row in self.rows if row.scenario.name == name]
            self._start(Progress(name, 1), lambda: self._run([row], store_url))

    def start_reset(self) -> None:
        self._start(Progress(RESET, 1), self._reset)

    def _start(self, progress: Progress, work: Callable[[], None]) -> None:
        """Queue the work; does nothing while other work of this visitor goes on (double click)."""
        with self._starting:
            if self.progress:
                return
            self.progress = progress
        self.summary = ""
        self.rehearsals.executor.submit(self._work, progress, work)

    def _work(self, progress: Progress, work: Callable[[], None]) -> None:
        progress.started = True
        try:
            work()
        except StoreError as error:
            self.summary, self.good = str(error), False
        except Exception as error:  # noqa: BLE001 - shown with an error id; the log has the rest
            self.summary, self.good = responses.log_unexpected(error), False
        finally:
            self.progress = None

    # --- scenarios -------------------------------------------------------------------------------

    def _run_all(self, store_url: str) -> None:
        self.orders.clear()
        for row in self.rows:
            row.state, row.outcome, row.number = "waiting", "", None
        self._run(self.rows, store_url)
        self._compare(list(self.orders))  # again: late webhooks count too
        passed = sum(row.state == "passed" for row in self.rows)
        self.good = (passed, self.totals.differing) == (len(self.rows), 0)
        self.summary = f"{passed} of {len(self.rows)} passed"

    def _run(self, rows: Sequence[ResultRow], store_url: str) -> None:
        for row in rows:
            context = ScenarioContext(self.buyer, store_url, EmulatorClient.current())
            row.state = "running"
            if self.progress:
                self.progress.part = row.scenario.name
            started = time.monotonic()
            row.state, row.outcome = self._run_one(row, context)
            row.milliseconds = round((time.monotonic() - started) * 1000)
            self._compare(context.numbers)
            self._advance()

    def _run_one(self, row: ResultRow, context: ScenarioContext) -> tuple[State, str]:
        """Run and judge one scenario; an unexpected error fails this row and stops no other."""
        try:
            result = row.scenario.run(context)
            row.number = result.number
            orders = compare_orders(context.stripe, context.numbers)
        except NotApplicable as reason:
            return "skipped", str(reason)
        except StoreError as error:
            return "failed", str(error)
        except Exception as error:  # noqa: BLE001 - as above
            return "failed", responses.log_unexpected(error)
        differences = [order.difference for order in orders if order.difference]
        state: State = "passed" if result.passed and not differences else "failed"
        return state, "; ".join([result.outcome, *differences])

    def _compare(self, numbers: Sequence[str]) -> None:
        for order in compare_orders(EmulatorClient.current(), numbers):
            self.orders[order.number] = order

    def _advance(self) -> None:
        if self.progress:
            self.progress.done += 1

    # --- the shop's contents ---------------------------------------------------------------------

    def _create_samples(self, store_url: str) -> None:
        context = ScenarioContext(self.buyer, store_url, EmulatorClient.current())
        are_new = not sample_orders.existing()
        for _ in sample_orders.create(context):
            self._advance()
        numbers = list(sample_orders.existing().values())
        differing = Totals.of(compare_orders(context.stripe, numbers)).differing
        statuses = sample_orders.statuses()
        as_planned = statuses == sample_orders.planned_statuses() or not are_new
        self.good = as_planned and not differing
        kinds = f"{len(numbers)} sample orders over 90 days, in {len(set(statuses))} statuses"
        agree = f"{differing} differ from Stripe" if differing else "Stripe agrees"
        note = "" if as_planned else " (not as planned)"
        self.summary = f"{kinds}{note}; {agree}"
        if not are_new:
            self.summary += "; they were here before"

    def _reset(self) -> None:
        reset.reset_demo(EmulatorClient.current())
        self.rehearsals.clear()
        self.summary, self.good = "A fresh demo: no orders, here or in the emulator", True

    def clear(self) -> None:
        self.orders.clear()
        self.summary = ""
        self.rows = [ResultRow(scenario) for scenario in SCENARIOS]


class Rehearsals:
    """Every visitor's rehearsal in this process, and the one thread that works for them."""

    def __init__(self) -> None:
        self.by_visitor: dict[str, Rehearsal] = {}
        self.executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="rehearsal")

    def of(self, visitor: str) -> Rehearsal:
        """This visitor's rehearsal; the oldest idle ones are dropped.

        Raises:
            NotWithRealStripe, EmulatorUnreachable
        """
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

    def clear(self) -> None:
        """Clear the results of all visitors, because their orders were deleted."""
        for rehearsal in list(self.by_visitor.values()):
            rehearsal.clear()


REHEARSALS = Rehearsals()


def webhooks_are_up() -> bool:
    try:
        return bool(WebhookClient.connect(EmulatorClient.current()))
    except StoreError:
        return False


def reset_warning() -> str:
    """The warning shown before everything is deleted."""
    return (
        f"All orders of this shop ({reset.order_count()}), everybody's, are deleted here and in "
        "the emulator, and the products are as on the first day."
    )

"""Whether the shop stays as quick as its past grows: 1,000, 100,000 and 1,000,000 orders.

`python -m store bench scale [--orders 1000 100000 1000000] [--turns 5] [--database sqlite]`

One database of each size, queried in turns: first the pages' and the reconciler's questions in a
process each, from the functions that the pages call, and then the webhook server over HTTP (events
a second, 8 connections, each event paying an order of its own). All have as many orders a day; what
differs is how long the shop has been open.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import create_engine

from bench.scale import seed_history
from bench.support import databases
from bench.support.report import Report, machine_now, parser, publish, verdict
from bench.support.statistics import Spread, figure, ratios, say, spread
from bench.webhooks.__main__ import post_events
from bench.webhooks.targets import OURS, SECRET, Subject, serving
from store.db import engine as db
from tests.support import sample_event, sample_shop
from tests.support.child_process import ROOT
from tests.support.ports import free_port

ORDERS = (1_000, 100_000, 1_000_000)
AT_MOST = 1.3
TIMES = 25
ROUNDS = 10  # of queries for each turn of the webhook server, which takes far longer
OPEN = 20
WEBHOOKS = "webhooks"
WEBHOOK_LOAD = (8, 2.0, 4_000)  # connections, seconds, orders
Taken = dict[tuple[str, str, int], list[float]]  # milliseconds, by database, query and size


class QueryProcess:
    """The process that runs the queries on one database."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.names = self.answer().split("|")

    def answer(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        assert line, "the process ended; its error is above"
        return line

    def milliseconds(self, name: str) -> float:
        assert self.process.stdin
        self.process.stdin.write(f"{name} {TIMES}\n")
        self.process.stdin.flush()
        return float(self.answer())


@contextmanager
def query_process(count: int, environment: dict[str, str]) -> Iterator[QueryProcess]:
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "bench.scale.queries", str(count)],
        cwd=ROOT,
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield QueryProcess(process)
        assert process.stdin
        process.stdin.close()


def grow(count: int, environment: dict[str, str]) -> Subject:
    """A migrated database with `count` orders, and its webhook server, not yet started."""
    started = time.perf_counter()
    with sample_shop.entered(environment):
        seed_history.write(db.engine(), count)
        engine = create_engine(environment["DATABASE_URL"])
    say(f"{count:,} orders written in {time.perf_counter() - started:.1f} s")
    subject = Subject(OURS, free_port(), engine=engine, environment=environment)
    leave_open(subject)
    return subject


def leave_open(subject: Subject) -> None:
    """Expire what a turn left open, so that the reconciler finds as many open orders everywhere."""
    assert subject.engine
    with subject.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE orders SET status = 'expired', checkout_status = 'expired' "
            "WHERE checkout_status = 'open'"
        )
    subject.fill(OPEN)


def measure(database: str, arguments: argparse.Namespace, taken: Taken) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=arguments.folder)))
        new_database = stack.enter_context(databases.fresh(database, folder))
        shops = {}
        for count in arguments.orders:
            environment = sample_shop.environment(new_database(), folder / str(count), SECRET)
            shops[count] = grow(count, environment)
        measure_queries(database, shops, arguments.turns * ROUNDS, taken)
        measure_webhooks(database, shops, arguments.turns, taken)
        for subject in shops.values():
            assert subject.engine
            subject.engine.dispose()


def measure_queries(database: str, shops: dict[int, Subject], turns: int, taken: Taken) -> None:
    """Run each query on one database after the other, in both directions by turns."""
    with ExitStack() as stack:
        processes = {
            count: stack.enter_context(query_process(count, subject.environment))
            for count, subject in shops.items()
        }
        for turn in range(turns + 1):  # the first one warms up
            for name in next(iter(processes.values())).names:
                for count in list(processes)[:: 1 if turn % 2 else -1]:
                    milliseconds = processes[count].milliseconds(name)
                    if turn:
                        taken[database, name, count].append(milliseconds)
        say(f"{database}, {turns} turns of queries done")


def measure_webhooks(database: str, shops: dict[int, Subject], turns: int, taken: Taken) -> None:
    """Measure the webhook servers last: each turn adds thousands of orders of today."""
    template = sample_event.template()
    with serving(list(shops.values())):
        for turn in range(turns + 1):
            for count, subject in shops.items():
                met = post_events(subject, *WEBHOOK_LOAD, template)
                assert met.lost == 0, f"{met.lost} events lost"
                leave_open(subject)
                if turn:
                    taken[database, WEBHOOKS, count].append(1000 / met.per_second)
            say(f"{database}, turn {turn} of the webhooks{'' if turn else ' (not counted)'} done")


def compared(taken: Taken, sizes: list[int]) -> tuple[list[list[str]], list[str]]:
    """The table, and for each query whether it stays as quick."""
    rows, verdicts = [], []
    for database, name in dict.fromkeys((key[0], key[1]) for key in taken):
        few = taken[database, name, sizes[0]]
        row = [database, name]
        beside: Spread | None = None
        for count in sizes:
            mine = taken[database, name, count]
            beside = ratios(mine, few)
            row.append(str(spread(mine)))
        row.append(str(beside))
        rows.append(row)
        assert beside
        sentence = f"{database}, {name}: {figure(beside.median)} times, at most {AT_MOST}"
        verdicts.append(verdict(sentence, beside.median <= AT_MOST))
    return rows, verdicts


def main() -> None:
    command = parser("scale", __doc__)
    command.add_argument("--orders", type=int, nargs="+", default=list(ORDERS))
    command.add_argument("--turns", type=int, default=5)
    command.add_argument("--database", nargs="+", default=databases.NAMES, choices=databases.NAMES)
    command.add_argument("--folder", type=Path, help="where the databases lie (default: temporary)")
    arguments = command.parse_args()
    here = machine_now(arguments.folder)
    taken: Taken = defaultdict(list)
    for database in arguments.database:
        measure(database, arguments, taken)
    rows, verdicts = compared(taken, arguments.orders)
    most, least = f"{arguments.orders[-1]:,}", f"{arguments.orders[0]:,}"
    publish(
        Report(
            name="scale",
            machine=here,
            columns=(
                *("database", "what"),
                *(f"ms at {count:,}" for count in arguments.orders),
                f"{most} is … times {least}",
            ),
            rows=rows,
            verdicts=verdicts,
            figures={" ".join(map(str, key)): each for key, each in taken.items()},
        ),
        dry=arguments.dry,
    )


if __name__ == "__main__":
    main()

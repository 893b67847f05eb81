"""How many webhooks a second: signed, distinct, each durable and its order paid before its 2xx.

`python -m store bench webhooks [--seconds 3] [--turns 5] [--database sqlite] [--only ours bare]`

Our server (`uvicorn webhook_server:app`, one process) and its yardsticks take turns, each on a
database of its own with fresh open orders: the bare batching endpoint (`baseline_raw_driver.py`),
the plain FastAPI + ORM endpoint (`baseline_fastapi_sqlmodel.py`), dj-stripe
(`baseline_djstripe.py`). Before each turn the events are signed; after it the database is asked
whether each accepted event has paid its order. `baseline_constant.py` is what the load reaches
against a socket that does nothing.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from bench.support import databases
from bench.support.report import Report, machine_now, parser, publish, verdict
from bench.support.statistics import Spread, figure, ratios, say, spread
from bench.webhooks.targets import (
    BARE,
    NOTHING,
    OURS,
    PEER,
    PLAIN,
    SECRET,
    Subject,
    peer_python,
    served,
)
from tests.support import sample_event
from tests.support.child_process import ROOT
from tests.support.load_generator import Job, LoadResult

CONNECTIONS = (1, 8, 64)
WARM_SECONDS, WARM_ORDERS = 1.0, 6_000
SPARE = 1.6  # how many more events are signed than the last turn would have used
MUST = {BARE: 0.5, PLAIN: 8.0, PEER: 20.0}  # at 64 connections, so many times each at least
LONGEST_P99_MILLISECONDS = 100
Turns = dict[tuple[str, int, str], list[LoadResult]]  # by database, connections and subject


def post_events(
    subject: Subject, connections: int, seconds: float, count: int, template: str
) -> LoadResult:
    """One turn: insert orders, post their events, and check that each has paid its order."""
    if subject.name == PEER:  # see baseline_djstripe.py
        template = template.replace(f'"{sample_event.PAYMENT}"', "null")
    job = Job(
        port=subject.port,
        path=subject.path,
        connections=connections,
        seconds=seconds,
        first=subject.fill(count),
        count=count,
        secret=SECRET,
        template=template,
        marks=sample_event.MARKS,
    )
    cpu_seconds = subject.cpu_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.load_generator"],
        input=json.dumps(dataclasses.asdict(job)),
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    met = LoadResult(**json.loads(done.stdout))
    met.server_cpu_seconds = subject.cpu_seconds() - cpu_seconds
    met.lost = subject.lost(met.accepted)
    return met


def measure(database: str, names: list[str], arguments: argparse.Namespace, turns: Turns) -> None:
    template = sample_event.template()
    with (
        tempfile.TemporaryDirectory(dir=arguments.folder) as name,
        databases.fresh(database, Path(name)) as new_database,
        served(names, new_database, Path(name)) as subjects,
    ):
        for connections in arguments.connections:
            rates = {}
            for subject in subjects.values():
                warm = post_events(subject, connections, WARM_SECONDS, WARM_ORDERS, template)
                rates[subject.name] = warm.per_second
            for turn in range(arguments.turns):
                for subject in subjects.values():
                    count = int(rates[subject.name] * arguments.seconds * SPARE) + 200
                    met = post_events(subject, connections, arguments.seconds, count, template)
                    rates[subject.name] = max(met.per_second, rates[subject.name])
                    turns[database, connections, subject.name].append(met)
                    say(
                        f"{database}, {connections} connections, turn {turn + 1}: "
                        f"{subject.name} {figure(met.per_second)}/s, p99 "
                        f"{figure(met.p99_milliseconds)} ms, {figure(met.cpu_microseconds)} µs of "
                        f"the processor each, lost {met.lost}, {met.statuses}"
                    )


def rates(turns: list[LoadResult]) -> list[float]:
    return [max(met.per_second, 1e-9) for met in turns]


COLUMNS = (
    *("database", "connections", "server", "events/s", "p50 ms", "p99 ms", "CPU µs each"),
    *("accepted", "refused", "lost", "ours is … times"),
)


def row(key: tuple[str, int, str], turns: Turns) -> list[str]:
    database, connections, name = key
    mine = turns[key]
    ours = turns.get((database, connections, OURS))
    accepted = sum(len(met.accepted) for met in mine)
    return [
        database,
        str(connections),
        name,
        str(spread(rates(mine))),
        str(spread(met.p50_milliseconds for met in mine)),
        str(spread(met.p99_milliseconds for met in mine)),
        str(spread(met.cpu_microseconds for met in mine)),
        f"{accepted:,}",
        f"{sum(sum(met.statuses.values()) for met in mine) - accepted:,}",
        str(sum(met.lost for met in mine)),
        str(ratios(rates(ours), rates(mine))) if ours and name != OURS else "",
    ]


def verdicts(turns: Turns) -> list[str]:
    """One sentence per limit."""
    sentences = []
    for database, connections, name in turns:
        ours = turns.get((database, connections, OURS))
        if not ours:
            continue
        beside = ratios(rates(ours), rates(turns[database, connections, name]))
        if connections == 64 and name in MUST:
            sentences.append(ratio_verdict(f"{database}: ours beside {name}", beside, MUST[name]))
        if connections == 1 and name == PLAIN:
            compared = f"{database}, one connection: ours beside {name}"
            sentences.append(ratio_verdict(compared, beside, 1.0))
        if connections == 64 and name == OURS:
            worst = spread(met.p99_milliseconds for met in ours)
            sentence = f"{database}: p99 {worst} ms, under {LONGEST_P99_MILLISECONDS}"
            sentences.append(verdict(sentence, worst.maximum < LONGEST_P99_MILLISECONDS))
    lost = sum(met.lost for key, mine in turns.items() if key[2] == OURS for met in mine)
    sentences.append(verdict(f"accepted by ours and lost: {lost}, wanted 0", not lost))
    return sentences


def ratio_verdict(compared: str, found: Spread, minimum: float) -> str:
    return verdict(f"{compared}: {found} times, at least {minimum:g}", found.median >= minimum)


def available(wanted: list[str]) -> tuple[list[str], list[str]]:
    """The servers that can be measured here, and what to say of those that cannot."""
    if PEER not in wanted:
        return wanted, []
    try:
        peer_python()
    except (subprocess.CalledProcessError, OSError):
        left = [name for name in wanted if name != PEER]
        return left, [f"{PEER} was not measured: it could not be installed from PyPI."]
    return wanted, []


def main() -> None:
    command = parser("webhooks", __doc__)
    command.add_argument("--seconds", type=float, default=3.0, help="how long each turn lasts")
    command.add_argument("--turns", type=int, default=5)
    command.add_argument("--connections", type=int, nargs="+", default=list(CONNECTIONS))
    command.add_argument("--database", nargs="+", default=databases.NAMES, choices=databases.NAMES)
    everyone = [OURS, BARE, PLAIN, PEER, NOTHING]
    command.add_argument("--only", nargs="+", default=everyone, choices=everyone)
    command.add_argument("--folder", type=Path, help="where the databases lie (default: temporary)")
    arguments = command.parse_args()
    names, remarks = available(arguments.only)
    here = machine_now(arguments.folder)
    turns: Turns = defaultdict(list)
    for database in arguments.database:
        measure(database, names, arguments, turns)
    publish(
        Report(
            name="webhooks",
            machine=here,
            columns=COLUMNS,
            rows=[row(key, turns) for key in turns],
            verdicts=[*verdicts(turns), *remarks],
            figures={
                " ".join(map(str, key)): [figures_of(met) for met in turns[key]] for key in turns
            },
        ),
        dry=arguments.dry,
    )


def figures_of(met: LoadResult) -> dict[str, object]:
    """What is kept of a turn; the list of accepted orders has been checked and is only counted."""
    kept = dataclasses.asdict(met)
    return kept | {"accepted": len(met.accepted), "per_second": round(met.per_second, 1)}


if __name__ == "__main__":
    main()

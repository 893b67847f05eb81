"""What a rerun of our pages takes, beside a page that shows the same and works nothing out.

`python -m store bench rerun [--turns 7] [--reruns 40] [--sessions 1 20]`

Both are served by Streamlit, each in a process of its own, and are asked in turns over its own
WebSocket, from the question to the message that the script has finished. `shop` changes a
quantity at each rerun; `order` looks again at a paid order. With many sessions each of them asks
again as soon as it has its answer, all at once. The yardstick is made from the messages that drew
our page just before, so it has exactly its elements.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from bench.rerun import element_recorder
from bench.support.report import Report, machine_now, parser, publish, verdict
from bench.support.servers import running
from bench.support.statistics import figure, ratios, say, spread
from store.db import engine as db
from store.db.models import Order
from store.orders import checkout
from store.web import buyer_cookie
from tests.support import sample_shop
from tests.support.ports import free_port
from tests.support.websocket_client import Visitor

AT_MOST = 1.5
ORDERS = 6
QUIET = ("--server.headless", "true", "--logger.level", "error", "--logger.hideWelcomeMessage")
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
COLUMNS = (
    *("page", "elements", "sessions", "ours ms", "empty ms", "ours is … times"),
    *("ours: processor ms", "empty: processor ms", "ours is … times"),
)
Times = dict[tuple[str, int, str], list["Turn"]]  # by page, sessions and server


class Turn(NamedTuple):
    """A rerun in one turn: how long it took, and how long a processor worked on it."""

    milliseconds: float
    processor: float


def bought(cookie: str) -> str:
    """Let this buyer have some paid orders; the number of the last one."""
    who = buyer_cookie.buyer_hash(cookie)
    for _ in range(ORDERS):
        number = checkout.place(
            who,
            {"red-t-shirt": 2},
            shown_amount=sample_shop.AMOUNT,
            store_url="http://x",
            again=True,
        )
        with db.unit_of_work() as session:
            table = Order.metadata.tables["orders"]
            session.connection().execute(
                table.update()
                .where(table.c.number == number)
                .values(
                    status="paid",
                    checkout_status="complete",
                    payment_status="paid",
                    paid_at=table.c.created_at,
                    payment_intent_id=f"pi_{number}",
                    checkout_session_id=f"cs_test_{number}",
                )
            )
    return number


@contextmanager
def streamlit(script: str, environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """A Streamlit server: its port and its process."""
    port = free_port()
    command = ["streamlit", "run", script, "--server.port", str(port), *QUIET, "true"]
    with running(command, port, environment=environment) as process:
        yield port, process.pid


def worked(process: int) -> float:
    """Milliseconds of processor that a process has had; 0 where the system does not tell."""
    stat = Path(f"/proc/{process}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / TICKS


def question(visitor: Visitor, counts: Iterator[float]) -> dict[str, float]:
    """What changes with the next rerun: the first quantity, where the page has one."""
    first = next(iter(visitor.numbers.values()), None)
    return {first: next(counts)} if first else {}


def reruns(visitor: Visitor, times: int) -> list[float]:
    counts = cycle((1.0, 2.0))
    return [visitor.seconds(**question(visitor, counts)) * 1000 for _ in range(times)]


@contextmanager
def opened(count: int, port: int, page: str, query: str, cookie: str) -> Iterator[list[Visitor]]:
    """So many new sessions: the server reads only the first messages of each without a pause."""
    with ExitStack() as stack:
        yield [stack.enter_context(Visitor(port, page, query, cookie)) for _ in range(count)]


def turn(process: int, visitors: Sequence[Visitor], times: int) -> Turn:
    """The median rerun while so many sessions ask at once."""
    before = worked(process)
    with ThreadPoolExecutor(len(visitors)) as pool:
        taken = list(pool.map(lambda visitor: reruns(visitor, times), visitors))
    work = (worked(process) - before) / (times * len(visitors))
    return Turn(statistics.median(each for one in taken for each in one), work)


def compare(page: str, arguments: argparse.Namespace, folder: Path, times: Times) -> int:
    """Fill in `times` for one page; answers how many elements it has."""
    environment = sample_shop.environment(
        f"sqlite:///{(folder / f'{page}.db').as_posix()}", folder, "whsec_x"
    )
    cookie = buyer_cookie.new_cookie()
    with sample_shop.entered(environment):
        number = bought(cookie)
    page_name, query = ("order", f"number={number}") if page == "order" else ("", "")
    with ExitStack() as stack:
        ours, our_process = stack.enter_context(streamlit("streamlit_app.py", environment))
        with Visitor(ours, page_name, query, cookie) as visitor:
            drawn = element_recorder.elements_of(visitor.deltas)
        (folder / f"{page}.json").write_text(json.dumps(drawn), "utf-8")
        recorded = {"EMPTY_PAGE": str(folder / f"{page}.json")}
        empty, empty_process = stack.enter_context(
            streamlit("bench/rerun/replayed_page.py", recorded)
        )
        both = (
            ("ours", our_process, (ours, page_name, query, cookie)),
            ("empty", empty_process, (empty, "", "", cookie)),
        )
        for sessions in arguments.sessions:
            each = max(arguments.reruns // sessions, 5)
            for taken in range(arguments.turns + 1):
                for name, process, where in both:
                    with opened(sessions, *where) as visitors:
                        found = turn(process, visitors, each)
                    if taken:  # the first one warms up
                        times[page, sessions, name].append(found)
    return element_recorder.count(drawn)


def main() -> None:
    command = parser("rerun", __doc__)
    command.add_argument("--turns", type=int, default=7)
    command.add_argument("--reruns", type=int, default=50, help="in each turn, of all sessions")
    command.add_argument("--sessions", type=int, nargs="+", default=[1, 20])
    command.add_argument("--pages", nargs="+", default=["shop", "order"])
    arguments = command.parse_args()
    here = machine_now()
    times: Times = defaultdict(list)
    rows, verdicts = [], []
    for page in arguments.pages:
        with tempfile.TemporaryDirectory() as name:
            shown = compare(page, arguments, Path(name), times)
        for sessions in arguments.sessions:
            ours, empty = (times[page, sessions, name] for name in ("ours", "empty"))
            clocks = [[each.milliseconds for each in turns] for turns in (ours, empty)]
            work = [[max(each.processor, 0.01) for each in turns] for turns in (ours, empty)]
            beside = ratios(*clocks)
            rows.append([page, str(shown), str(sessions), *(str(spread(c)) for c in clocks)])
            rows[-1] += [str(beside), *(str(spread(w)) for w in work), str(ratios(*work))]
            sentence = f"{page}, {sessions} sessions: {figure(beside.median)} times the empty page"
            verdicts.append(verdict(f"{sentence}, at most {AT_MOST}", beside.median <= AT_MOST))
            say(verdicts[-1])
    publish(
        Report(
            name="rerun",
            machine=here,
            columns=COLUMNS,
            rows=rows,
            verdicts=verdicts,
            figures={" ".join(map(str, key)): turns for key, turns in times.items()},
        ),
        dry=arguments.dry,
    )


if __name__ == "__main__":
    main()

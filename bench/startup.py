"""How long a second start takes, beside `streamlit hello`.

`python -m store bench startup [--turns 5]`

Ours is `python -m store` in a data folder that it has used before, the yardstick is Streamlit's own
demonstration. Each is started twice in a turn: once without a visitor, timed from the command until
a browser is given its page, and ours also until the webhook server and the emulator are ready; once
with a visitor from the first moment, timed until all of the first page has been sent.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.support.report import Report, machine_now, parser, publish, verdict
from bench.support.statistics import figure, ratios, say, spread
from store.core.local_http import is_up
from store.web.buyer_cookie import new_cookie
from tests.support import sample_shop
from tests.support.child_process import ROOT
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.support.websocket_client import Visitor

AT_MOST = 1.5
LONGEST_SECONDS = 120
# What is timed, and what of `streamlit hello` it is put beside.
ROWS = {
    "page": ("a browser is given the shop's page", "hello page"),
    "ready": ("the webhook server and the emulator are ready as well", "hello page"),
    "sent": ("a visitor of the first moment has all of the page", "hello sent"),
}
LIMITED = "page"  # what the yardstick does as well

Until = Callable[[str], float]


@contextmanager
def started(command: Sequence[str]) -> Iterator[Until]:
    """Waits until an address answers, and returns how long that was from the command on."""
    environment = os.environ | dict.fromkeys(sample_shop.UNSET, " ")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a second start finds what the first compiled
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def until(address: str) -> float:
        wait_until(lambda: is_up(address), LONGEST_SECONDS, process=process, pause_seconds=0.01)
        return time.perf_counter() - began

    try:
        yield until
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def ours(folder: Path) -> tuple[list[str], int, list[str]]:
    """The command, the shop's port, and the health addresses of the others."""
    port, webhooks, emulator = (free_port() for _ in range(3))
    ports = ("--port", port, "--webhook-port", webhooks, "--emulator-port", emulator)
    others = [
        f"http://127.0.0.1:{webhooks}/readyz",
        f"http://127.0.0.1:{emulator}/emulator/health",
    ]
    return ["store", "run", *map(str, ports), "--data-dir", str(folder)], port, others


def hello() -> tuple[list[str], int, list[str]]:
    port = free_port()
    options = ("--server.port", str(port), "--server.headless", "true")
    return ["streamlit", "hello", *options], port, []


def opening(command: Sequence[str], port: int, others: Sequence[str]) -> tuple[float, float]:
    """Seconds until a browser is given the page, and until the others are ready as well."""
    with started(command) as until:
        page = until(f"http://127.0.0.1:{port}/")
        return page, max([page, *map(until, others)])


def visited(command: Sequence[str], port: int, _others: Sequence[str]) -> float:
    """Seconds until a visitor of the first moment has been sent everything."""
    began = time.perf_counter()
    with started(command) as until:
        until(f"http://127.0.0.1:{port}/")
        with Visitor(port, cookie=new_cookie()):
            return time.perf_counter() - began


def main() -> None:
    command = parser("startup", __doc__)
    command.add_argument("--turns", type=int, default=5)
    arguments = command.parse_args()
    here = machine_now()
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        visited(*ours(folder))  # the first start here, and everything read from the disk once
        visited(*hello())
        for turn in range(arguments.turns):
            page, ready = opening(*ours(folder))
            took = {"page": page, "ready": ready, "hello page": opening(*hello())[0]}
            took |= {"sent": visited(*ours(folder)), "hello sent": visited(*hello())}
            for what, seconds in took.items():
                times.setdefault(what, []).append(seconds)
            last = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in took.items())
            say(f"turn {turn + 1}: {last}")
    beside = {what: ratios(times[what], times[other]) for what, (_, other) in ROWS.items()}
    median = beside[LIMITED].median
    publish(
        Report(
            name="startup",
            machine=here,
            columns=("until", "ours s", "streamlit hello s", "ours is … times"),
            rows=[
                [said, str(spread(times[what])), str(spread(times[other])), str(beside[what])]
                for what, (said, other) in ROWS.items()
            ],
            verdicts=[
                verdict(
                    f"{ROWS[LIMITED][0]}: {figure(median)} times, at most {AT_MOST}",
                    median <= AT_MOST,
                )
            ],
            figures=dict(times),
        ),
        dry=arguments.dry,
    )


if __name__ == "__main__":
    main()

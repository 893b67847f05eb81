"""How long a second start takes, beside `streamlit hello`.

`python -m store bench start [--turns 5]`

Ours is `python -m store` in a data folder that it has used before: from the command to the moment
at which the shop answers, and to that at which the sidecar and the emulator do as well. The
yardstick is Streamlit's own demonstration until its server answers. They take turns.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.common import machine, shop
from bench.common.measuring import figure, ratios, say, spread
from bench.common.report import Report, publish
from bench.common.servers import ROOT, free_port
from store.launcher.serve import answers

AT_MOST = 1.5
LONGEST_SECONDS = 120
OURS = {"shop": "the shop answers", "everything": "sidecar and emulator do as well"}


def seconds_until(command: Sequence[str], addresses: Sequence[str]) -> list[float]:
    """From the command to the first moment at which each address answers."""
    environment = os.environ | dict.fromkeys(shop.UNSET, " ")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a second start finds what the first compiled
    answered: dict[str, float] = {}
    started = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while waiting := [address for address in addresses if address not in answered]:
            for address in filter(answers, waiting):
                answered[address] = time.perf_counter() - started
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.perf_counter() - started < LONGEST_SECONDS, f"no answer from {waiting}"
            time.sleep(0.01)
        return [answered[address] for address in addresses]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def ours(folder: Path) -> tuple[float, float]:
    """Seconds until the shop answers, and until everything does."""
    shop_port, sidecar, emulator = (free_port() for _ in range(3))
    ports = ("--port", shop_port, "--webhook-port", sidecar, "--emulator-port", emulator)
    page, *others = seconds_until(
        ["store", "run", *map(str, ports), "--data-dir", str(folder)],
        [
            f"http://127.0.0.1:{shop_port}/_stcore/health",
            f"http://127.0.0.1:{sidecar}/readyz",
            f"http://127.0.0.1:{emulator}/emulator/health",
        ],
    )
    return page, max(page, *others)


def hello() -> float:
    port = free_port()
    (page,) = seconds_until(
        ["streamlit", "hello", "--server.port", str(port), "--server.headless", "true"],
        [f"http://127.0.0.1:{port}/_stcore/health"],
    )
    return page


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m store bench start", description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="do not replace the kept results")
    asked = parser.parse_args()
    found = machine.describe(Path(tempfile.gettempdir()))
    say(machine.sentence(found))
    times: dict[str, list[float]] = {"shop": [], "everything": [], "hello": []}
    with tempfile.TemporaryDirectory() as name:
        ours(Path(name))  # the first start of this folder, and everything read from the disk once
        hello()
        for turn in range(asked.turns):
            for what, seconds in zip(times, (*ours(Path(name)), hello()), strict=True):
                times[what].append(seconds)
            last = ", ".join(f"{what} {seconds[-1]:.2f} s" for what, seconds in times.items())
            say(f"turn {turn + 1}: {last}")
    beside = {what: ratios(times[what], times["hello"]) for what in ("shop", "everything")}
    publish(
        Report(
            name="start",
            command=" ".join(["python -m store bench start", *sys.argv[1:]]),
            machine=found,
            columns=("until", "ours s", "streamlit hello s", "ours is … times"),
            rows=[
                [OURS[what], str(spread(times[what])), str(spread(times["hello"])), str(ratio)]
                for what, ratio in beside.items()
            ],
            verdicts=[
                f"{OURS[what]}: {figure(ratio.median)} times, at most {AT_MOST}: "
                f"{'reached' if ratio.median <= AT_MOST else 'NOT reached'}"
                for what, ratio in beside.items()
            ],
            figures=dict(times),
        ),
        keep=not asked.dry,
    )


if __name__ == "__main__":
    main()

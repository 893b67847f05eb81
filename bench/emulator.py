"""What the emulator costs: a session created, beside a bare FastAPI app that answers a constant.

`python -m bench.emulator [--stored 100000] [--requests 2000]`

Both servers run at the same time, each in a process of its own, and are asked in turns over one
kept connection each, so that whatever else the machine does slows both. Prints the median times,
their ratio, and the same with many stored sessions.
"""

import argparse
import http.client
import statistics
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI

from bench.support.servers import running
from bench.support.statistics import say
from stripe_emulator.account.account import Account
from stripe_emulator.base.config import Config
from stripe_emulator.resources import checkout_sessions
from tests.support.ports import free_port

BATCH = 100
PARAMETERS = {
    "mode": "payment",
    "success_url": "http://127.0.0.1:8501/order?session_id={CHECKOUT_SESSION_ID}",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "1999",
    "line_items[0][price_data][product_data][name]": "Red T-Shirt",
    "line_items[0][quantity]": "2",
    "metadata[order]": "1001",
}
FORM = urllib.parse.urlencode(PARAMETERS).encode()

bare = FastAPI()


@bare.post("/v1/checkout/sessions")
def constant() -> dict[str, str]:
    """The least a FastAPI app can do."""
    return {"object": "checkout.session"}


@contextmanager
def served(command: list[str], port: int) -> Iterator[http.client.HTTPConnection]:
    """A server in a process of its own, and a connection to it."""
    with running(command, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        yield connection
        connection.close()


def seconds_each(connection: http.client.HTTPConnection, key: str) -> list[float]:
    """How long each of a batch of creations took."""
    times = []
    for number in range(BATCH):
        headers = {
            "Authorization": "Bearer sk_test_benchmark00",
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": f"{key}-{number}",
        }
        started = time.perf_counter()
        connection.request("POST", "/v1/checkout/sessions", FORM, headers)
        response = connection.getresponse()
        response.read()
        times.append(time.perf_counter() - started)
        assert response.status == 200, response.status
    return times


def store(path: Path, count: int) -> None:
    """Put so many sessions into an account."""
    account = Account(Config(data_path=path))
    price = {"currency": "usd", "unit_amount": 1999, "product_data": {"name": "Red T-Shirt"}}
    given = {
        "mode": "payment",
        "success_url": PARAMETERS["success_url"],
        "line_items": [{"price_data": price, "quantity": 2}],
        "metadata": {"order": "1001"},
    }
    for start in range(0, count, 1000):
        with account.writing() as tx:
            for _ in range(min(1000, count - start)):
                checkout_sessions.create(tx, given)
    account.storage.close()


def compare(folder: Path, stored: int, requests: int) -> None:
    """Ask all three in turns and print what came out."""
    files = [folder / "few.db", folder / "many.db"]
    started = time.perf_counter()
    store(files[1], stored)
    say(f"{stored} sessions stored in {time.perf_counter() - started:.1f} s")
    ports = [free_port() for _ in range(3)]
    commands = [
        ["uvicorn", "bench.emulator:bare", "--port", str(ports[0]), "--log-level", "warning"],
        *(
            ["stripe_emulator", "--port", str(port), "--data", str(file), "--secret", "whsec_x"]
            for port, file in zip(ports[1:], files, strict=True)
        ),
    ]
    times: list[list[float]] = [[], [], []]
    with (
        served(commands[0], ports[0]) as first,
        served(commands[1], ports[1]) as second,
        served(commands[2], ports[2]) as third,
    ):
        for turn in range(requests // BATCH + 1):
            for index, connection in enumerate((first, second, third)):
                taken = seconds_each(connection, f"{turn}")
                if turn:  # the first turn warms up
                    times[index] += taken
    plain, few, many = (statistics.median(taken) * 1000 for taken in times)
    say(f"bare FastAPI, a constant:        {plain:.3f} ms")
    say(f"emulator, few stored sessions:   {few:.3f} ms = {few / plain:.2f} times (at most 8)")
    say(
        f"emulator, {stored} stored:      {many:.3f} ms = {many / few:.2f} times few (at most 1.25)"
    )


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), arguments.stored, arguments.requests)


if __name__ == "__main__":
    main()

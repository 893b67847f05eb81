"""How quickly others are served during an attack: 200 buyers, 64 webhook connections.

`python -m store bench crowd [--seconds 60] [--buyers 200] [--webhooks 1000] [--database sqlite]`

Each buyer opens the shop within the first 30 seconds, then changes a quantity every ten seconds,
buys once, and comes back to the page of the order; they are measured for the given time after
that. Meanwhile signed webhooks arrive over 64 connections, so many in a second, each connection
sending its next event once the last one is answered. The same is measured twice: alone, and
beside one WebSocket that sends 420 reruns a second, 32 requests for `/go/…` of an order whose
answer from Stripe hangs, and 300 connections that send half a header. At the end every accepted
webhook has paid its order. Buyers, attackers and webhooks are processes of their own.
"""

import argparse
import json
import logging
import multiprocessing
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from bench.support import databases
from bench.support.report import Report, machine_now, parser, publish, verdict
from bench.support.statistics import figure, say
from store.core import clock
from store.db import engine as db
from store.db.models import Order
from store.orders import checkout, queries
from store.web import buyer_cookie
from tests.support import sample_event
from tests.support.child_process import ROOT
from tests.support.load_generator import Job, LoadResult
from tests.support.percentiles import percentile
from tests.support.processes import RunningShop
from tests.support.sample_shop import fill, number
from tests.support.websocket_client import Visitor

AT_MOST_SECONDS = 1.0  # p95 of a page or a click of the other buyers
CONNECTIONS, WAYS, HALF_OPEN, RERUNS_PER_SECOND = 64, 32, 300, 420
ARRIVE_WITHIN_SECONDS = 30.0
BETWEEN_SECONDS = 10.0  # between two clicks of a buyer, on average
BUYER_PROCESSES = 2
SHIRT = "Quantity of Red T-Shirt"
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Addresses:
    """Where the buyers and attackers go."""

    storefront_port: int
    webhook_port: int
    stripe: str

    @property
    def storefront(self) -> str:
        return f"http://127.0.0.1:{self.storefront_port}"


@dataclass
class Times:
    """What the buyers waited for, in seconds, and what failed."""

    pages: list[float] = field(default_factory=list)
    clicks: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    paid: int = 0

    def add(self, other: "Times") -> None:
        self.pages += other.pages
        self.clicks += other.clicks
        self.failures.update(other.failures)
        self.paid += other.paid


# --- the buyers -----------------------------------------------------------------------------------


class Buyer:
    """One browser: the page stays open until the end; what takes longer than others is kept."""

    def __init__(self, where: Addresses, seed: int, times: Times) -> None:
        self.where, self.times = where, times
        self.chance = random.Random(seed)  # noqa: S311
        self.cookie = buyer_cookie.new_cookie()
        self.browser = httpx.Client(
            base_url=where.storefront,
            cookies={buyer_cookie.COOKIE_NAME: self.cookie},
            timeout=60,
            limits=httpx.Limits(keepalive_expiry=2),  # uvicorn closes idle connections after 5 s
            verify=False,  # noqa: S501 - plain HTTP; without it each client reads all certificates
        )

    def shop(self, until: float) -> None:
        time.sleep(self.chance.random() * ARRIVE_WITHIN_SECONDS)
        buys_after = self.chance.randrange(1, 5)
        while time.monotonic() < until:
            try:
                self.visit(until, buys_after)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is counted and shown
                self.times.failures[type(error).__name__] += 1
            buys_after = 0

    def visit(self, until: float, buys_after: int) -> None:
        """The shop, clicks with pauses, and one purchase after so many clicks (0: none)."""
        quantity = clicks = 0
        with self.opened() as page:
            while time.monotonic() < until:
                time.sleep(self.chance.random() * 2 * BETWEEN_SECONDS)
                quantity = quantity % 10 + 1
                self.times.clicks.append(page.seconds(**{page.numbers[SHIRT]: quantity}))
                clicks += 1
                if clicks == buys_after:
                    self.buy()

    def opened(self, path: str = "", query: str = "") -> Visitor:
        """A page, from the request for it to the end of its first run."""
        started = time.monotonic()
        self.browser.get(f"/{path}?{query}").raise_for_status()
        visitor = Visitor(self.where.storefront_port, path, query, self.cookie)
        visitor.__enter__()
        self.times.pages.append(time.monotonic() - started)
        return visitor

    def buy(self) -> None:
        """Place an order, pay for it at Stripe, and come back."""
        buyer, cart = buyer_cookie.buyer_hash(self.cookie), {"red-t-shirt": 2}
        placed = checkout.place(buyer, cart, shown_amount=3998, store_url=self.where.storefront)
        session_id = self.browser.get(f"/go/{placed}").headers["location"].rpartition("/")[2]
        paying = f"{self.where.stripe}/emulator/sessions/{session_id}/pay"
        answer = self.browser.post(paying, json={}).raise_for_status().json()
        self.times.paid += answer["outcome"] == "succeeded"
        self.opened("order", f"number={placed}&session_id={session_id}").__exit__()


def shop_together(
    where: Addresses, seeds: range, seconds: float, results: "multiprocessing.Queue[Times]"
) -> None:
    """The life of one process of buyers."""
    times, until = Times(), time.monotonic() + seconds
    threads = [
        threading.Thread(target=Buyer(where, seed, times).shop, args=(until,)) for seed in seeds
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(times)


# --- the attacks ----------------------------------------------------------------------------------


def flood(where: Addresses) -> None:
    """One WebSocket that sends reruns and reads nothing; a closed one is opened again."""
    while True:
        with (
            suppress(Exception),
            Visitor(where.storefront_port, cookie=buyer_cookie.new_cookie()) as visitor,
        ):
            while True:
                visitor.ask()
                time.sleep(1 / RERUNS_PER_SECOND)
        time.sleep(0.05)


def hang(where: Addresses, cookie: str, placed: str) -> None:
    """One visitor who asks for the way to Stripe again and again."""
    browser = httpx.Client(
        base_url=where.storefront,
        cookies={buyer_cookie.COOKIE_NAME: cookie},
        timeout=60,
        verify=False,  # noqa: S501 - plain HTTP
    )
    while True:
        with suppress(httpx.HTTPError):
            browser.get(f"/go/{placed}")


def half_open(where: Addresses) -> None:
    """Connections that send half a header and then nothing; closed ones are opened again."""
    while True:
        with ExitStack() as stack:
            for place in range(HALF_OPEN):
                port = (where.storefront_port, where.webhook_port)[place % 2]
                with suppress(OSError):
                    half = socket.create_connection(("127.0.0.1", port), timeout=10)
                    stack.enter_context(half).sendall(b"GET / HTTP/1.1\r\nHost: shop\r\nX-Half")
            time.sleep(10)


def attack(where: Addresses, cookie: str, placed: str) -> None:
    """The life of the attackers' process, until it is killed."""
    logging.disable()  # what becomes of their connections is nobody's concern
    works: list[Callable[[], None]] = [lambda: flood(where), lambda: half_open(where)]
    works += [lambda: hang(where, cookie, placed)] * WAYS
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()


@contextmanager
def attacked(where: Addresses) -> Iterator[None]:
    """Everything of the above until the end of the block."""
    cookie = buyer_cookie.new_cookie()
    buyer = buyer_cookie.buyer_hash(cookie)
    placed = checkout.place(buyer, {"sneakers": 1}, shown_amount=7999, store_url=where.storefront)
    checkout.checkout_url(buyer, placed)
    with db.reading() as session:
        session_id = queries.order_of_buyer(session, buyer, placed).checkout_session_id
    trouble = {
        "target": "request",
        "kind": "slow",
        "value": "8000",
        "times": None,
        "match": f"*{session_id}*",
    }
    httpx.post(f"{where.stripe}/emulator/troubles", json=trouble).raise_for_status()
    process = SPAWN.Process(target=attack, args=(where, cookie, placed), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()
        httpx.delete(f"{where.stripe}/emulator/troubles").raise_for_status()


# --- the measurement ------------------------------------------------------------------------------


@contextmanager
def webhooks(
    arguments: argparse.Namespace, where: Addresses, secret: str, first: int
) -> Iterator[Callable[[], LoadResult]]:
    """Signed events of seeded orders over so many connections, in a process of its own."""
    job = Job(
        port=where.webhook_port,
        path="/webhooks/stripe/",
        connections=CONNECTIONS,
        seconds=arguments.seconds + ARRIVE_WITHIN_SECONDS,
        first=first,
        count=events(arguments),
        secret=secret,
        template=sample_event.template(),
        marks=sample_event.MARKS,
        per_second=arguments.webhooks,
    )
    load = subprocess.Popen(
        [sys.executable, "-m", "tests.support.load_generator"],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert load.stdin is not None
    load.stdin.write(json.dumps(asdict(job)))
    load.stdin.close()
    load.stdin = None
    yield lambda: LoadResult(**json.loads(load.communicate()[0]))


def events(arguments: argparse.Namespace) -> int:
    """How many events are signed for one measurement."""
    return int(arguments.webhooks * (arguments.seconds + ARRIVE_WITHIN_SECONDS)) + CONNECTIONS


def hide_from_the_reconciler() -> None:
    """Stripe knows nothing of the seeded orders; one of the future is not looked up yet."""
    table = Order.metadata.tables["orders"]
    later = clock.now() + timedelta(days=1)
    with db.unit_of_work() as session:
        update = table.update().values(created_at=later, checkout_expires_at=later)
        session.connection().execute(update)


def lost(accepted: list[int]) -> int:
    """How many accepted events have not paid their order."""
    table = Order.metadata.tables["orders"]
    with db.reading() as session:
        query = table.select().with_only_columns(table.c.number).where(table.c.status == "paid")
        paid = set(session.connection().execute(query).scalars())
    return sum(number(place) not in paid for place in accepted)


def measure(
    arguments: argparse.Namespace, where: Addresses, secret: str, first: int
) -> tuple[Times, LoadResult]:
    times, seconds = Times(), ARRIVE_WITHIN_SECONDS + arguments.seconds
    results: Any = SPAWN.Queue()
    shares = [
        range(first + place, first + arguments.buyers, BUYER_PROCESSES)
        for place in range(BUYER_PROCESSES)
    ]
    with webhooks(arguments, where, secret, first) as met:
        for seeds in shares:
            SPAWN.Process(
                target=shop_together, args=(where, seeds, seconds, results), daemon=True
            ).start()
        for _ in shares:
            times.add(results.get(timeout=seconds + 120))
        found = met()
    found.lost = lost(found.accepted)
    return times, found


def main() -> None:
    command = parser("crowd", __doc__)
    command.add_argument("--seconds", type=float, default=60)
    command.add_argument("--buyers", type=int, default=200)
    command.add_argument("--webhooks", type=int, default=1000, help="in a second")
    command.add_argument("--database", choices=databases.NAMES, default="sqlite")
    arguments = command.parse_args()
    here = machine_now()
    measured: dict[str, tuple[Times, LoadResult]] = {}
    with (
        tempfile.TemporaryDirectory() as name,
        databases.fresh(arguments.database, Path(name)) as new_database,
    ):
        running_shop = RunningShop(Path(name), new_database(), reconcile_seconds=3600)
        where = Addresses(running_shop.ports[0], running_shop.ports[1], running_shop.stripe_address)
        try:
            with running_shop.entered():
                from store.core import settings  # noqa: PLC0415 - of this shop

                secret = settings.current().webhook_secrets[0]
                fill(0, 2 * events(arguments))
                hide_from_the_reconciler()
                running_shop.open()
                measured["alone"] = measure(arguments, where, secret, 0)
                say(p95_verdict("alone", measured["alone"][0]))
                with attacked(where):
                    time.sleep(2)
                    measured["attacked"] = measure(arguments, where, secret, events(arguments))
        finally:
            running_shop.close()
    publish(report(here, measured), dry=arguments.dry)


def p95_verdict(name: str, times: Times) -> str:
    worst = max(percentile(seconds, 95) for seconds in (times.pages, times.clicks))
    limit = figure(AT_MOST_SECONDS)
    return verdict(
        f"{name}: p95 at most {figure(worst)} s, at most {limit}", worst <= AT_MOST_SECONDS
    )


def report(here: dict[str, object], measured: dict[str, tuple[Times, LoadResult]]) -> Report:
    rows, verdicts = [], []
    for name, (times, met) in measured.items():
        p95 = [percentile(seconds, 95) for seconds in (times.pages, times.clicks)]
        rows.append(
            [
                *(name, str(len(times.pages)), figure(p95[0]), str(len(times.clicks))),
                *(figure(p95[1]), str(times.paid), str(dict(times.failures))),
                *(str(len(met.accepted)), str(met.statuses), str(met.lost)),
            ]
        )
        verdicts.append(p95_verdict(name, times))
    return Report(
        name="crowd",
        machine=here,
        columns=(
            *("", "pages", "p95 s", "clicks", "p95 s", "purchases", "failures"),
            *("webhooks", "statuses", "lost"),
        ),
        rows=rows,
        verdicts=verdicts,
        figures={
            name: {"pages": times.pages, "clicks": times.clicks, "per_second": met.per_second}
            for name, (times, met) in measured.items()
        },
    )


if __name__ == "__main__":
    main()

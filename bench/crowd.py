"""How quickly others are served while somebody attacks: 200 buyers, 64 webhook connections.

`python -m store bench crowd [--seconds 60] [--buyers 200] [--database sqlite]`

Each buyer opens the shop, changes quantities every few seconds, and buys once. Meanwhile signed
webhooks arrive over 64 connections, each sending its next event once the last one is answered.
The same is measured twice: alone, and beside one WebSocket that sends 420 reruns a second, 32
requests for `/go/…` of an order whose answer from Stripe hangs, and 300 connections that send half
a header. At the end every accepted webhook has paid its order, and both books are equal.
"""

import argparse
import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx

from bench.common import databases, machine
from bench.common.measuring import figure, percentile, say
from bench.common.report import Report, publish
from bench.common.servers import ROOT
from bench.common.shop import fill, number
from bench.rerun.visitor import Visitor
from bench.webhooks import event
from bench.webhooks.load import Job, Met
from store import buyers, checkout, clock, db, orders
from store.models import Order
from tests.whole.running import House

AT_MOST_SECONDS = 1.0  # p95 of a page or a click of the other buyers
CONNECTIONS, WAYS, HALF_OPEN, RERUNS_PER_SECOND = 64, 32, 300, 420
EVENTS = 90_000  # that are signed; more than one minute has ever used
BETWEEN_SECONDS = 5.0  # between two clicks of a buyer, on average
SHIRT = "Quantity of Red T-Shirt"
MARKS = {
    event.EVENT: "evt_bench{:020}",
    event.NUMBER: "BENCH-{:09}",
    event.SESSION: "cs_test_bench{:050}",
    event.PAYMENT: "pi_bench{:020}",
}


@dataclass
class Times:
    """What the buyers waited for, in seconds, and what failed."""

    pages: list[float] = field(default_factory=list)
    clicks: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    paid: int = 0


def shop(house: House, seed: int, until: float, times: Times) -> None:
    """One buyer: the page, clicks with pauses, one purchase, and the page again."""
    chance = random.Random(seed)  # noqa: S311
    cookie = buyers.new_cookie()
    time.sleep(chance.random() * BETWEEN_SECONDS)
    quantity, buys_at = 0, chance.randrange(3)
    while time.monotonic() < until:
        try:
            started = time.monotonic()
            httpx.get(house.address, cookies={buyers.COOKIE: cookie}, timeout=60)
            with Visitor(house.ports[0], cookie=cookie) as visitor:
                times.pages.append(time.monotonic() - started)
                for click in range(4):
                    time.sleep(chance.random() * 2 * BETWEEN_SECONDS)
                    if time.monotonic() > until:
                        return
                    quantity = quantity % 10 + 1
                    times.clicks.append(visitor.seconds(**{visitor.numbers[SHIRT]: quantity}))
                    if click == buys_at:
                        buys_at = -1
                        times.paid += buy(house, cookie)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted and shown
            times.failures[type(error).__name__] += 1


def buy(house: House, cookie: str) -> bool:
    """Place an order, pay for it at Stripe, and come back; True where it was paid."""
    buyer, cart = buyers.digest(cookie), {"red-t-shirt": 2}
    placed = checkout.place(buyer, cart, shown_amount=3998, store_url=house.address)
    cookies = {buyers.COOKIE: cookie}
    answer = httpx.get(f"{house.address}/go/{placed}", cookies=cookies, timeout=60)
    session_id = answer.headers["location"].rpartition("/")[2]
    paying = f"{house.stripe_address}/emulator/sessions/{session_id}/pay"
    paid = bool(httpx.post(paying, json={}, timeout=60).json()["outcome"] == "succeeded")
    back = {"number": placed, "session_id": session_id}
    httpx.get(f"{house.address}/order", params=back, cookies=cookies, timeout=60)
    return paid


# --- the attacks ----------------------------------------------------------------------------------


def flood(house: House, over: threading.Event) -> None:
    """One WebSocket that sends reruns and reads nothing."""
    with suppress(Exception), Visitor(house.ports[0], cookie=buyers.new_cookie()) as visitor:
        while not over.is_set():
            visitor.ask()
            time.sleep(1 / RERUNS_PER_SECOND)


def hang(house: House, cookie: str, placed: str, over: threading.Event) -> None:
    """One visitor who asks for the way to Stripe again and again."""
    while not over.is_set():
        with suppress(httpx.HTTPError):
            httpx.get(f"{house.address}/go/{placed}", cookies={buyers.COOKIE: cookie}, timeout=60)


def half_open(house: House, over: threading.Event) -> None:
    """Connections that send half a header and then nothing; a closed one is opened again."""
    with ExitStack() as stack:
        sockets = []
        for place in range(HALF_OPEN):
            port = house.ports[place % 2]  # the storefront and the sidecar
            sockets.append(stack.enter_context(socket.create_connection(("127.0.0.1", port))))
            sockets[-1].sendall(b"GET / HTTP/1.1\r\nHost: shop\r\nX-Half")
        over.wait()


@contextmanager
def attacked(house: House) -> Iterator[None]:
    """Everything of the above until the end of the block."""
    over, cookie = threading.Event(), buyers.new_cookie()
    placed = checkout.place(
        buyers.digest(cookie), {"sneakers": 1}, shown_amount=7999, store_url=house.address
    )
    checkout.open_checkout(buyers.digest(cookie), placed)
    with db.reading() as session:
        session_id = orders.owned(session, buyers.digest(cookie), placed).checkout_session_id
    trouble = {
        "target": "request",
        "kind": "slow",
        "value": "8000",
        "times": None,
        "match": f"*{session_id}*",
    }
    httpx.post(f"{house.stripe_address}/emulator/troubles", json=trouble).raise_for_status()
    works: list[Callable[[], None]] = [lambda: flood(house, over), lambda: half_open(house, over)]
    works += [lambda: hang(house, cookie, placed, over)] * WAYS
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        httpx.delete(f"{house.stripe_address}/emulator/troubles").raise_for_status()


# --- the measurement ------------------------------------------------------------------------------


@contextmanager
def webhooks(house: House, secret: str, first: int, seconds: float) -> Iterator[Callable[[], Met]]:
    """Signed events of seeded orders over so many connections, in a process of its own."""
    job = Job(
        port=house.ports[1],
        path="/webhooks/stripe/",
        connections=CONNECTIONS,
        seconds=seconds,
        first=first,
        count=EVENTS,
        secret=secret,
        template=event.template(),
        marks=MARKS,
    )
    load = subprocess.Popen(
        [sys.executable, "-m", "bench.webhooks.load"],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert load.stdin is not None
    load.stdin.write(json.dumps(asdict(job)))
    load.stdin.close()
    load.stdin = None
    yield lambda: Met(**json.loads(load.communicate()[0]))


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


def measure(asked: argparse.Namespace, house: House, secret: str, first: int) -> tuple[Times, Met]:
    times = Times()
    until = time.monotonic() + asked.seconds
    with (
        webhooks(house, secret, first, asked.seconds) as met,
        ThreadPoolExecutor(asked.buyers) as pool,
    ):
        for seed in range(asked.buyers):
            pool.submit(shop, house, first + seed, until, times)
        pool.shutdown()
        found = met()
    found.lost = lost(found.accepted)
    return times, found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m store bench crowd", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--buyers", type=int, default=200)
    parser.add_argument("--database", choices=databases.NAMES, default="sqlite")
    parser.add_argument("--dry", action="store_true", help="do not replace the kept results")
    asked = parser.parse_args()
    found = machine.describe(Path(tempfile.gettempdir()))
    say(machine.sentence(found))
    measured: dict[str, tuple[Times, Met]] = {}
    with (
        tempfile.TemporaryDirectory() as name,
        databases.fresh(asked.database, Path(name)) as new_database,
    ):
        house = House(Path(name), new_database(), reconcile_seconds=3600)
        try:
            with house.entered():
                from store import settings  # noqa: PLC0415 - of this house

                secret = settings.current().webhook_secrets[0]
                fill(0, 2 * EVENTS)
                hide_from_the_reconciler()
                house.open()
                measured["alone"] = measure(asked, house, secret, 0)
                with attacked(house):
                    time.sleep(2)
                    measured["attacked"] = measure(asked, house, secret, EVENTS)
        finally:
            house.close()
    publish(report(found, measured), keep=not asked.dry)


def report(found: dict[str, object], measured: dict[str, tuple[Times, Met]]) -> Report:
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
        reached = "reached" if max(p95) <= AT_MOST_SECONDS else "NOT reached"
        verdicts.append(f"{name}: p95 at most {figure(max(p95))} s of {AT_MOST_SECONDS}: {reached}")
    return Report(
        name="crowd",
        command=" ".join(["python -m store bench crowd", *sys.argv[1:]]),
        machine=found,
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

"""Twenty buyers shop while everything around them is killed; then both books must be equal.

    python -m tests.whole.storm --seconds 60 --seed 1 [--runs 10]

Two sidecars and two storefronts share one PostgreSQL. Every 200 ms one of them gets SIGKILL and is
started again; half way PostgreSQL itself is stopped in immediate mode. The emulator, which plays
Stripe, fails at random on calls and deliveries. Each buyer places orders, goes to Stripe through
whichever storefront answers, pays, cancels, changes the cart, asks for refunds and comes back.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
from sqlmodel import text

from store import audit, buyers, catalog, checkout, db, reconcile, refunds, settings
from store.errors import StoreError
from store.launcher.serve import Shop, answers
from tests.counting import COUNTED, count
from tests.emulator.running import free_port
from tests.whole.conftest import Postgres
from tests.whole.running import House, Process, eventually

BUYERS = 20
KILL_SECONDS = 0.2
CARTS = ({"red-t-shirt": 2}, {"blue-jeans": 1}, {"sneakers": 1, "red-t-shirt": 1})
FAULTS = (
    *(
        ("request", kind)
        for kind in ("rate_limit", "error_before", "error_after", "error_kept", "cut")
    ),
    *(("delivery", kind) for kind in ("drop", "duplicate", "reorder", "wrong_secret")),
)


class Storm:
    """One run: the processes, the buyers, and what was counted."""

    def __init__(self, postgres: Postgres, folder: Path, seed: int) -> None:
        self.seed, self.random = seed, random.Random(seed)
        self.postgres, self.counts = postgres, Counter[str]()
        self.over = threading.Event()
        self.house = House(folder, postgres.new_database(), reconcile_seconds=5)
        self.processes: list[Process] = []
        self.shops: list[str] = []

    def second_pair(self) -> list[Process]:
        """A sidecar with an endpoint of its own and a storefront more, on the same database."""
        ports = Namespace(
            port=free_port(), webhook_port=free_port(), emulator_port=self.house.ports[2]
        )
        second = Shop(settings.current(), ports, has_emulator=False)
        endpoint = self.house.stripe.webhook_endpoints.create(
            {"url": f"{second.sidecar}/webhooks/stripe/", "enabled_events": ["*"]}
        )
        assert endpoint.secret
        self.house.secrets.add(endpoint.secret)
        health, environment = second.health(), dict(self.house.sidecar.environment)
        environment["STRIPE_WEBHOOK_SECRET"] = endpoint.secret
        return [
            Process(
                program,
                health[program.name],
                environment,
                self.house.folder / f"second-{program.name}.log",
            )
            for program in second.programs()
        ]

    def run(self, seconds: float, least_kills: int = 0) -> audit.Audit:
        """Rage for so long, and until so many were killed: a busy machine kills slowly."""
        self.house.emulator.restart()
        with self.house.entered():
            self.processes = [self.house.sidecar, self.house.storefront, *self.second_pair()]
            self.shops = [
                process.health.removesuffix("/_stcore/health")
                for process in self.processes
                if process.program.name == "storefront"
            ]
            for process in self.processes:
                process.start()
            for process in self.processes:
                process.wait_until_ready()
            workers = [threading.Thread(target=self.shop, args=(n,)) for n in range(BUYERS)]
            for worker in workers:
                worker.start()
            self.rage(seconds, least_kills)
            self.over.set()
            for worker in workers:
                worker.join()
            return self.calm()

    # --- the weather -----------------------------------------------------------------------------

    def rage(self, seconds: float, least_kills: int) -> None:
        started, crashed = time.monotonic(), False
        while time.monotonic() < started + seconds or self.counts["kills"] < least_kills:
            self.kill_one()
            if self.random.random() < 0.3:
                self.trouble()
            if not crashed and time.monotonic() > started + seconds / 2:
                crashed = True
                self.postgres.crash()
                self.postgres.restart()
                self.counts["database crashes"] += 1
                count("database crashes")
            time.sleep(KILL_SECONDS)

    def kill_one(self) -> None:
        """Mostly sidecars: a storefront takes seconds to start, and should also sell."""
        weights = [5 if process.program.name == "sidecar" else 1 for process in self.processes]
        (process,) = self.random.choices(self.processes, weights)
        if process.running and process.running.poll() is None:
            process.kill()
            self.counts["kills"] += 1
        else:
            process.running = None  # it ended by itself: the database was away as it started
        process.start()

    def trouble(self) -> None:
        target, kind = self.random.choice(FAULTS)
        asked = {"target": target, "kind": kind, "times": self.random.randint(1, 3)}
        self.control("troubles", asked)
        self.counts["faults"] += 1

    def control(self, path: str, asked: dict[str, object]) -> httpx.Response:
        return httpx.post(f"{self.house.stripe_address}/emulator/{path}", json=asked, timeout=30)

    # --- the buyers ------------------------------------------------------------------------------

    def shop(self, number: int) -> None:
        chance = random.Random(f"{self.seed}/{number}")
        cookie = buyers.new_cookie()
        self.house.secrets |= {cookie, buyers.digest(cookie)}
        while not self.over.is_set():
            with suppress(StoreError, httpx.HTTPError):
                self.buy(chance, cookie)
            time.sleep(chance.random() * 0.3)

    def buy(self, chance: random.Random, cookie: str) -> None:
        """One visit; whatever fails on the way, the next visit starts anew."""
        buyer, cart = buyers.digest(cookie), chance.choice(CARTS)
        with db.reading() as session:
            shown = catalog.total_amount(catalog.on_sale(session), cart)
        number = checkout.place(
            buyer, cart, shown_amount=shown, store_url=self.shops[0], again=True
        )
        self.counts["clicks"] += 1
        for _ in range(chance.randint(1, 2)):  # some click twice
            answer = httpx.get(
                f"{chance.choice(self.shops)}/go/{number}",
                cookies={buyers.COOKIE: cookie},
                timeout=30,
            )
        if "/c/pay/" not in answer.headers.get("location", ""):
            return
        session_id = answer.headers["location"].rpartition("/")[2]
        if chance.random() < 0.2:
            checkout.cancel(buyer, number)
            return
        paid = self.control(f"sessions/{session_id}/pay", {}).json()
        self.counts["payments"] += paid.get("outcome") == "succeeded"
        if chance.random() < 0.5:
            checkout.settle(buyer, number)
        if chance.random() < 0.2:
            row = refunds.request(number, chance.choice([None, 500]), key=f"storm-{number}")
            refunds.send(row, source="operator")

    # --- and then --------------------------------------------------------------------------------

    def calm(self) -> audit.Audit:
        """Everything runs again and nothing fails any more: catch up, and read both books."""
        httpx.delete(f"{self.house.stripe_address}/emulator/troubles").raise_for_status()
        for process in self.processes:
            if not answers(process.health):
                if process.running:
                    process.kill()
                process.running = None
                process.restart()
        reconcile.IN_FLIGHT *= 0
        eventually(self.nothing_is_waiting, seconds=60)
        return audit.audit()

    def nothing_is_waiting(self) -> bool:
        reconcile.catch_up()
        with db.reading() as session:
            return not refunds.waiting(session)

    def rows(self) -> str:
        """How much the shop has written down, in words."""
        tables = ("orders", "refunds", "stripe_events")
        with self.house.engine.connect() as connection:
            counted = [
                f"{connection.scalar(text(f'SELECT count(*) FROM {table}')):,} {table}"
                for table in tables
            ]
        return ", ".join(counted)

    def close(self) -> None:
        for process in self.processes:
            if process.running:
                process.end()
        self.house.close()


def verdict(storm: Storm, books: audit.Audit) -> list[str]:
    """What is wrong after a run; empty when every payment is kept once and in both books."""
    faults = [f"{entry.number}: books differ" for entry in books.entries if not entry.agrees]
    try:
        storm.house.judge()
    except AssertionError as wrong:
        faults.append(str(wrong))
    return faults + storm.house.leaks()


def one_run(seconds: float, seed: int) -> bool:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        postgres = Postgres(Path(folder) / "postgres")
        (shop_folder := Path(folder) / "shop").mkdir()
        storm = Storm(postgres, shop_folder, seed)
        COUNTED.clear()
        try:
            books = storm.run(seconds)
            faults = verdict(storm, books)
            rows = storm.rows()
        finally:
            storm.close()
            postgres.server.cleanup()
    paid = sum(entry.ours.paid_amount for entry in books.entries)
    told = ", ".join(f"{number} {name}" for name, number in sorted(storm.counts.items()))
    print(
        f"seed {seed}: {told}; {rows}; {paid} taken, difference {books.difference_amount}, "
        f"{COUNTED['payments']} charges at Stripe: {COUNTED['lost']} lost, "
        f"{COUNTED['double']} double. {faults or 'Books equal.'}",
        flush=True,
    )
    return not faults


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    words.add_argument("--seconds", type=float, default=60)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--runs", type=int, default=1)
    asked = words.parse_args()
    results = [one_run(asked.seconds, asked.seed + run) for run in range(asked.runs)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())

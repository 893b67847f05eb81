"""Twenty buyers shop while everything around them is killed; then we and Stripe must agree.

    python -m tests.e2e.storm --seconds 60 --seed 1 [--runs 10]

Two webhook servers and two storefronts share one PostgreSQL. Every 200 ms one of them gets SIGKILL
and is started again; half way PostgreSQL itself is stopped in immediate mode. The emulator, in
Stripe's place, fails at random on calls and deliveries. What the buyers do is in buyers.py.

A process takes seconds to start, so most of what a kill meets is still starting. Where two of a
kind serve, one of them is killed; else whoever was started last, which delays the others least;
and one time in ten anybody. So the shop goes on selling while it is killed at that rate.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from argparse import Namespace
from collections import Counter
from pathlib import Path

from sqlmodel import text

from store.cli.launch import ShopProcesses
from store.core import settings
from store.core.local_http import is_up
from store.db import engine as db
from store.orders import refunds
from store.reconciliation import audit, open_orders, reconciler
from tests.support import loopback
from tests.support.buyers import Crowd
from tests.support.counting import COUNTED, count
from tests.support.databases import Postgres
from tests.support.ports import free_port
from tests.support.processes import Process, RunningShop
from tests.support.waiting import wait_until

KILL_SECONDS = 0.2
TROUBLE_SECONDS = 0.7
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
        self.running_shop = RunningShop(folder, postgres.new_database(), reconcile_seconds=5)
        self.processes: list[Process] = []

    def second_pair(self) -> list[Process]:
        """Another webhook server, with an endpoint of its own, and another storefront."""
        ports = Namespace(
            host=None,
            port=free_port(),
            webhook_port=free_port(),
            emulator_port=self.running_shop.ports[2],
        )
        second = ShopProcesses(settings.current(), ports, has_emulator=False)
        endpoint = self.running_shop.stripe.webhook_endpoints.create(
            {"url": f"{second.webhook_server_url}/webhooks/stripe/", "enabled_events": ["*"]}
        )
        assert endpoint.secret
        self.running_shop.secrets.add(endpoint.secret)
        health, environment = (
            second.health_urls(),
            dict(self.running_shop.webhook_server.environment),
        )
        environment["STRIPE_WEBHOOK_SECRET"] = endpoint.secret
        return [
            Process(
                program,
                health[program.name],
                environment,
                self.running_shop.folder / f"second-{program.name}.log",
            )
            for program in second.programs()
        ]

    def run(self, seconds: float, least_kills: int = 0) -> audit.Audit:
        """Rage for so long, and until so many were killed."""
        self.running_shop.emulator.restart()
        with self.running_shop.entered():
            self.processes = [
                self.running_shop.webhook_server,
                self.running_shop.storefront,
                *self.second_pair(),
            ]
            shops = [
                process.health.removesuffix("/_stcore/health")
                for process in self.processes
                if process.program.name == "storefront"
            ]
            for process in self.processes:
                process.start()
            for process in self.processes:
                process.wait_until_ready()
            crowd = Crowd(self.seed, shops, self.running_shop.stripe_address)
            with crowd.shopping():
                self.rage(seconds, least_kills)
            self.counts.update(crowd.counts)
            self.running_shop.secrets |= crowd.secrets
            return self.calm()

    # --- the weather -----------------------------------------------------------------------------

    def rage(self, seconds: float, least_kills: int) -> None:
        """Kill on time, whatever else takes its time: by schedule, not by pauses in between."""
        others = [
            threading.Thread(target=self.make_trouble),
            threading.Timer(seconds / 2, self.crash_the_database),
        ]
        for other in others:
            other.start()
        due = started = time.monotonic()
        while time.monotonic() < started + seconds or self.counts["kills"] < least_kills:
            self.kill_one()
            due = max(due + KILL_SECONDS, time.monotonic())
            time.sleep(max(0, due - time.monotonic()))
        self.over.set()
        for other in others:
            other.join()

    def kill_one(self) -> None:
        serving = [process for process in self.processes if process.listens()]
        process = self.victim(serving)
        if process.running and process.running.poll() is None:
            process.kill()
            self.counts["kills"] += 1
            self.counts["kills while serving"] += process in serving
        else:
            process.running = None  # it ended by itself: the database was away as it started
        process.start()
        self.processes.remove(process)
        self.processes.append(process)

    def victim(self, serving: list[Process]) -> Process:
        """As the head of this file says; `processes` are in the order of their starts."""
        kinds = Counter(process.program.name for process in serving)
        spare = [process for process in serving if kinds[process.program.name] > 1]
        if self.random.random() < 0.1:
            return self.random.choice(self.processes)
        return self.random.choice(spare) if spare else self.processes[-1]

    def crash_the_database(self) -> None:
        self.postgres.crash()
        self.postgres.restart()
        self.counts["database crashes"] += 1
        count("database crashes")

    def make_trouble(self) -> None:
        chance = random.Random(f"{self.seed}/troubles")
        while not self.over.wait(chance.random() * 2 * TROUBLE_SECONDS):
            target, kind = chance.choice(FAULTS)
            asked = {"target": target, "kind": kind, "times": chance.randint(1, 3)}
            loopback.post(
                f"{self.running_shop.stripe_address}/emulator/troubles", json=asked, timeout=30
            )
            self.counts["faults"] += 1

    # --- and then --------------------------------------------------------------------------------

    def calm(self) -> audit.Audit:
        """Once everything runs and nothing fails any more: catch up, and compare with Stripe."""
        loopback.delete(f"{self.running_shop.stripe_address}/emulator/troubles").raise_for_status()
        for process in self.processes:
            if not is_up(process.health):
                if process.running:
                    process.kill()
                process.running = None
                process.restart()
        open_orders.MIN_ORDER_AGE *= 0
        wait_until(self.nothing_is_waiting, seconds=60)
        return audit.audit()

    def nothing_is_waiting(self) -> bool:
        reconciler.reconcile_everything()
        with db.reading() as session:
            return not refunds.pending_refunds(session)

    def rows(self) -> str:
        """How much the shop has written down, in words."""
        tables = ("orders", "refunds", "stripe_events")
        with self.running_shop.engine.connect() as connection:
            counted = [
                f"{connection.scalar(text(f'SELECT count(*) FROM {table}')):,} {table}"
                for table in tables
            ]
        return ", ".join(counted)

    def close(self) -> None:
        for process in self.processes:
            if process.running:
                process.end()
        self.running_shop.close()


def verdict(storm: Storm, comparison: audit.Audit) -> list[str]:
    """What is wrong after a run; empty when each payment is recorded once, here and at Stripe."""
    faults = [f"{entry.number} differs" for entry in comparison.entries if not entry.agrees]
    try:
        storm.running_shop.judge()
    except AssertionError as wrong:
        faults.append(str(wrong))
    return faults + storm.running_shop.leaks()


def one_run(seconds: float, seed: int) -> bool:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        postgres = Postgres(Path(folder) / "postgres")
        (shop_folder := Path(folder) / "shop").mkdir()
        storm = Storm(postgres, shop_folder, seed)
        COUNTED.clear()
        try:
            comparison = storm.run(seconds)
            faults = verdict(storm, comparison)
            rows = storm.rows()
        finally:
            storm.close()
            postgres.server.cleanup()
    paid = sum(entry.ours.total.paid_amount for entry in comparison.entries)
    counts = ", ".join(f"{number} {name}" for name, number in sorted(storm.counts.items()))
    print(
        f"seed {seed}: {counts}; {rows}; {paid} taken, difference {comparison.difference_amount}, "
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

"""The commands that do one thing and end; each returns the exit code."""

import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from store.catalog import products, seeding
from store.cli import benchmarks, preflight
from store.cli.preflight import CannotStart
from store.cli.shop import answers
from store.cli.virtualenv import ROOT
from store.core import settings
from store.core.errors import (
    DatabaseUnavailable,
    StripeError,
    StripeKeyRefused,
    StripeUnreachable,
)
from store.core.wording import counted
from store.db import backup as backups
from store.db import engine as db
from store.reconciliation import reconciler, retention
from store.reports import csv_export as exporter

# Tests wait for each other's processes more than for a processor; each worker has its own
# PostgreSQL and browser.
WORKERS = min((os.cpu_count() or 1) + 1, 4)
WHILE_RUNNING = "While it runs, Fresh demo on its Rehearsal page does the same."
QUICK = (("ruff", "format", "--check"), ("ruff", "check"))
BESIDE = (("mypy",), ("scripts.audit_dependencies",))
TESTS = ("pytest", "-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")


def test(arguments: Namespace) -> int:
    """Everything that must hold; arguments for pytest mean that only some tests are wanted."""
    if arguments.rest:
        return in_turn([("pytest", *arguments.rest)])
    worst = in_turn(QUICK)
    with ThreadPoolExecutor() as pool:
        beside = [pool.submit(run, step, quietly=True) for step in BESIDE]
        return max(worst, run(TESTS), *(each.result() for each in beside))


def in_turn(steps: Sequence[Sequence[str]]) -> int:
    """Run Python modules one after the other, all of them, and return the worst exit code."""
    return max((run(step) for step in steps), default=0)


def run(step: Sequence[str], *, quietly: bool = False) -> int:
    """Run a Python module and say how it ended; quietly means that it speaks only then."""
    name = " ".join(step)
    if not quietly:
        print(f"\n── {name}", flush=True)
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", *step],
        cwd=ROOT,
        stdout=subprocess.PIPE if quietly else None,
        stderr=subprocess.STDOUT if quietly else None,
        text=True,
        encoding="utf-8",
        check=False,
    )
    code = abs(done.returncode)
    outcome = f"failed with exit code {code}" if code else "passed"
    told = f"\n{done.stdout}" if quietly else ""
    print(f"{told}── {name}: {outcome} in {time.monotonic() - started:.1f} s", flush=True)
    return code


def migrate(arguments: Namespace) -> int:
    chosen = preflight.settings_for(arguments)
    preflight.database(chosen)
    print(f"The schema of {db.place()} is up to date.")
    return 0


def reconcile(arguments: Namespace) -> int:
    """Look up every open order at Stripe, and take in the events that were missed."""
    chosen = preflight.settings_for(arguments)
    preflight.shop_database(chosen)
    with from_stripe(chosen):
        done = reconciler.catch_up()
    print(f"Caught up with Stripe: {done}.")
    for number in done.restored:
        print(f"Order {number} is back, from what Stripe knows; its buyer's browser is not known.")
    for number, why in done.lost.items():
        print(f"Order {number} is at Stripe and could not be brought back: {why}.")
    return 1 if done.troubles else 0


@contextmanager
def from_stripe(chosen: settings.Settings) -> Iterator[None]:
    """Say to the person at the keyboard what the errors say to buyers."""
    try:
        yield
    except StripeKeyRefused:
        raise CannotStart(preflight.KEY_REFUSED) from None
    except StripeUnreachable as error:
        if not chosen.offline:
            raise CannotStart(error.for_operator) from None
        raise CannotStart(
            f"Stripe does not answer at {chosen.api_base}; start the shop first: python -m store."
        ) from None
    except StripeError as error:
        raise CannotStart(error.for_operator) from None


def export(arguments: Namespace) -> int:
    chosen = preflight.settings_for(arguments)
    preflight.shop_database(chosen)
    try:
        with db.reading() as session:
            count = exporter.write_csv(session, arguments.file)
    except OSError as error:
        raise CannotStart(f"Cannot write {arguments.file} ({error.strerror}).") from None
    print(f"Wrote {counted(count, 'order')} to {arguments.file}.")
    return 0


def backup(arguments: Namespace) -> int:
    """Copy the shop's database while it runs; nothing there is changed, its schema neither."""
    chosen = preflight.settings_for(arguments)
    if chosen.database_url is None or chosen.database.startswith("sqlite"):
        preflight.require_shop(chosen)
    size = backups.write(arguments.file)
    print(f"Wrote {arguments.file} ({size:,} bytes): every order up to now.")
    return 0


def prune(arguments: Namespace) -> int:
    chosen = preflight.settings_for(arguments)
    preflight.shop_database(chosen)
    gone = retention.prune(arguments.days, arguments.history_days)
    entries = counted(gone.history, "history entry", "history entries")
    print(
        f"Deleted {counted(gone.events, 'event')} and {counted(gone.repeats, 'repetition')} older "
        f"than {arguments.days} days, and {entries}."
    )
    return 0


def reset(arguments: Namespace) -> int:
    """Forget every order, here and in the emulator, and seed the products anew."""
    chosen = preflight.settings_for(arguments)
    if not chosen.offline:
        raise CannotStart(
            "reset is for the offline demo only: with STRIPE_SECRET_KEY set, Stripe would "
            "remember orders that the shop has forgotten."
        )
    with stopped(chosen):
        if answers(f"{chosen.api_base}/emulator/health"):
            raise CannotStart(f"An emulator is running at {chosen.api_base}; stop it first.")
        products.seeds()  # a mistake in the products file must not be found after the deleting
        # Before the question: what is another program's is refused.
        preflight.emulator_file(chosen.data_dir, garbage_too=False)
        preflight.shop_database(chosen)
        where = db.place()
        if not arguments.yes and not agreed(f"Forget every order in {where}? [y/N] "):
            print("Nothing was changed.")
            return 0
        forget(chosen)
    print("A fresh demo is ready: python -m store")
    return 0


@contextmanager
def stopped(chosen: settings.Settings) -> Iterator[None]:
    """Hold the data folder and the emulator's file, so that no shop starts meanwhile.

    Raises:
        CannotStart: there is no shop, or it runs.
    """
    if not (chosen.data_dir / "emulator.db").exists():
        preflight.require_shop(chosen)
    try:
        with preflight.alone(chosen.data_dir), preflight.emulator_alone(chosen.data_dir):
            yield
    except preflight.AlreadyRunning as error:
        raise CannotStart(f"{error} {WHILE_RUNNING}") from None


def agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CannotStart("Nobody is there to be asked; say it with: python -m store reset --yes")
    return input(question).strip().lower() in ("y", "yes")


def forget(chosen: settings.Settings) -> None:
    """Empty our tables, and nobody else's, with the emulator's file, in one transaction.

    Where anything fails, or the process dies before the end, the orders are still there; should
    it die between the file and the commit, the next reset finishes.
    """
    names = ("emulator.db", "emulator.db-wal", "emulator.db-shm", "emulator.db-journal")
    try:
        with seeding.recreated():
            for name in names:
                (chosen.data_dir / name).unlink(missing_ok=True)
    except OSError as error:
        raise CannotStart(f"Cannot delete {error.filename} ({error.strerror}).") from None
    except (DatabaseUnavailable, DBAPIError) as error:
        raise CannotStart(f"Nothing was deleted in {db.place()}: {db.reason(error)}.") from None


def bench(arguments: Namespace) -> int:
    """Every benchmark, or the named one with the arguments that follow it."""
    if arguments.name is None:
        return in_turn([(f"bench.{name}",) for name in benchmarks.names()])
    return in_turn([(f"bench.{arguments.name}", *arguments.rest)])

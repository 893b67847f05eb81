"""Commands that do one thing and end; each returns the exit code."""

import json
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from store.catalog import seeding
from store.cli import preflight
from store.cli.preflight import CannotStart
from store.core import money, private_files, settings
from store.core.errors import DatabaseUnavailable, StripeKeyRefused, StripeUnreachable
from store.core.local_http import is_up
from store.core.text import counted, listed
from store.db import backup as backups
from store.db import engine as db
from store.reconciliation import audit as comparison
from store.reconciliation import reconciler, retention
from store.reconciliation.audit import Audit, OrderComparison, OrderTotals
from store.reconciliation.restored_orders import MissingOrder
from store.reports import csv_export as exporter

AUDIT_HEAD = (
    *("order", "ours: paid", "refunded", "owed"),
    *("Stripe: paid", "refunded", "disputes", "difference"),
)


def migrate(arguments: Namespace) -> int:
    config = preflight.settings_for(arguments)
    preflight.database(config)
    print(f"The schema of {db.location()} is up to date.")
    return 0


def reconcile(arguments: Namespace) -> int:
    """Refresh every open order from Stripe, and process the events that were missed."""
    config = preflight.shop(arguments)
    with stripe_errors(config):
        done = reconciler.reconcile_everything()
    print(f"Caught up with Stripe: {done}.")
    for number in done.restored:
        print(f"Order {number} is back, from what Stripe knows; its buyer's browser is not known.")
    for number, why in done.lost.items():
        print(f"Order {number} is at Stripe and could not be brought back: {why}.")
    return 1 if done.failures else 0


@contextmanager
def stripe_errors(config: settings.Settings) -> Iterator[None]:
    """Turn errors of Stripe into sentences that say what to do."""
    try:
        yield
    except StripeKeyRefused:
        raise CannotStart(preflight.KEY_REFUSED) from None
    except StripeUnreachable:
        if not config.offline:
            raise
        raise CannotStart(
            f"Stripe does not answer at {config.api_base}; start the shop first: python -m store."
        ) from None


def export(arguments: Namespace) -> int:
    preflight.shop(arguments)
    try:
        with db.reading() as session:
            count = exporter.write_csv(session, arguments.file)
    except OSError as error:
        raise CannotStart(f"Cannot write {arguments.file} ({error.strerror}).") from None
    print(f"Wrote {counted(count, 'order')} to {arguments.file}.")
    return 0


def backup(arguments: Namespace) -> int:
    """Copy the shop's database while it runs; nothing there is changed, its schema neither."""
    config = preflight.settings_for(arguments)
    if config.database_url is None or config.database.startswith("sqlite"):
        preflight.require_shop(config)
    size = backups.write(arguments.file)
    print(f"Wrote {arguments.file} ({size:,} bytes): every order up to now.")
    return 0


def prune(arguments: Namespace) -> int:
    preflight.shop(arguments)
    gone = retention.prune(arguments.days, arguments.history_days)
    entries = counted(gone.history, "history entry", "history entries")
    print(
        f"Deleted {counted(gone.events, 'event')} and {counted(gone.repeats, 'repetition')} older "
        f"than {arguments.days} days, and {entries}."
    )
    return 0


def reset(arguments: Namespace) -> int:
    """Delete every order here and in the emulator, and restore the first products."""
    config = preflight.settings_for(arguments)
    if not config.offline:
        raise CannotStart(
            "reset is for the offline demo only: with STRIPE_SECRET_KEY set, Stripe would "
            "still have the orders that the shop deleted."
        )
    folder = config.data_dir
    if not (folder / "emulator.db").exists():
        preflight.require_shop(config)
    hint = " While it runs, Fresh demo on its Rehearsal page does the same."
    with preflight.lock_data_folder(folder, hint), preflight.lock_emulator(folder, hint):
        if is_up(f"{config.api_base}/emulator/health"):
            raise CannotStart(f"An emulator is running at {config.api_base}; stop it first.")
        seeding.first_products()  # raises for a mistake in its file, before anything is deleted
        # Before the question: another program's files are refused.
        preflight.emulator_file(folder, must_be_database=False)
        preflight.shop(arguments)
        if not arguments.yes and not agreed(f"Delete every order in {db.location()}? [y/N] "):
            print("Nothing was changed.")
            return 0
        delete_orders(folder)
    print("A fresh demo is ready: python -m store")
    return 0


def agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CannotStart("There is no terminal to confirm this; use: python -m store reset --yes")
    return input(question).strip().lower() in ("y", "yes")


def delete_orders(folder: Path) -> None:
    """Empty our tables and delete the emulator's file, in one transaction.

    If anything fails, or the process dies before the commit, our orders are still there, and the
    next reset finishes the work.
    """
    try:
        with seeding.emptied():
            for suffix in ("", *private_files.SIDE_FILES):
                (folder / f"emulator.db{suffix}").unlink(missing_ok=True)
    except OSError as error:
        raise CannotStart(f"Cannot delete {error.filename} ({error.strerror}).") from None
    except (DatabaseUnavailable, DBAPIError) as error:
        sentence = f"Nothing was deleted in {db.location()}: {db.driver_message(error)}."
        raise CannotStart(sentence) from None


def audit(arguments: Namespace) -> int:
    """Print the comparison; the exit code is 0 if Stripe and the shop agree, else 1."""
    config = preflight.shop(arguments)
    with stripe_errors(config):
        result = comparison.audit()
    print(as_json(result) if arguments.json else "\n".join(table(result)))
    return 0 if result.agrees else 1


def as_json(result: Audit) -> str:
    document = {
        "agrees": result.agrees,
        "difference_amount": result.difference_amount,
        "orders": [order_as_json(entry) for entry in result.entries],
        "missing": [asdict(order) for order in result.missing],
        "unreadable": result.unreadable,
        "strangers": result.strangers,
    }
    return json.dumps(document, indent=2)


def order_as_json(entry: OrderComparison) -> dict[str, Any]:
    def with_sums(totals: OrderTotals) -> dict[str, Any]:
        sums = asdict(totals.total)
        del sums["currency"]  # the order names it
        return sums | asdict(totals)

    return asdict(entry) | {
        "ours": with_sums(entry.ours),
        "stripes": with_sums(entry.stripes),
        "difference_amount": entry.difference_amount,
        "agrees": entry.agrees,
    }


def table(result: Audit) -> Iterator[str]:
    entries = [
        entry for entry in result.entries if not entry.agrees or entry.stripes != OrderTotals()
    ]
    yield from columns([AUDIT_HEAD, *map(row, entries)])
    others = len(result.entries) - len(entries)
    yield f"\n{len(entries)} with payments, {others} without; {verdict(result)}"
    yield from missing(result.missing)
    if result.unreadable:
        yield f"Stripe lists objects that cannot be read: {listed(result.unreadable, 20)}"
    if result.strangers:
        strangers = counted(len(result.strangers), "order")
        belong = "belongs" if len(result.strangers) == 1 else "belong"
        yield f"{strangers} at Stripe {belong} to another shop or database."


def missing(orders: Sequence[MissingOrder]) -> Iterator[str]:
    """The lines about orders of this shop that only Stripe has."""
    if not orders:
        return
    sums = Counter[str]()
    for order in orders:
        sums[order.currency] += order.paid_amount
    paid = [money.text(amount, currency) for currency, amount in sums.items() if amount]
    yield (
        f"\n{counted(len(orders), 'order')} of this shop {'is' if len(orders) == 1 else 'are'} at "
        "Stripe and missing here, "
        f"{' and '.join(paid) or 'nothing'} paid. Bring them back: python -m store reconcile"
    )
    yield from columns(
        [
            (order.number, amount_of(order), order.status, order.created_at, *order.sessions[:1])
            for order in orders
        ]
    )


def amount_of(order: MissingOrder) -> str:
    if order.amount is None or not order.currency:
        return "unknown amount"
    return money.text(order.amount, order.currency)


def row(entry: OrderComparison) -> tuple[str, ...]:
    """Amounts, and the states of the disputes, or those of both sides where they differ."""
    ours, stripes = entry.ours.total, entry.stripes.total
    amounts = (
        *(ours.paid_amount, ours.refunded_amount, ours.owed_amount),
        *(stripes.paid_amount, stripes.refunded_amount),
    )
    difference = money.text(entry.difference_amount, entry.currency)
    disputes = ", ".join(sorted(entry.ours.disputes.values())) or "none"
    if entry.ours.disputes != entry.stripes.disputes:
        both = (entry.ours.disputes, entry.stripes.disputes)
        disputes = " ≠ ".join(", ".join(map(" ".join, side.items())) or "none" for side in both)
    elif not entry.agrees and not entry.difference_amount:
        difference += ", in different payments"
    prices = (money.text(amount, entry.currency) for amount in amounts)
    return (entry.number, *prices, disputes, difference)


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows with every column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        yield "  ".join(c.rjust(w) for c, w in zip(cells, widths, strict=True)).rstrip()


def verdict(result: Audit) -> str:
    if result.agrees:
        return "Stripe and the shop agree."
    different = sum(not entry.agrees for entry in result.entries) + len(result.missing)
    owed = sum(entry.ours.total.owed_amount > 0 for entry in result.entries)
    refunds = f" Refunds are owed for {owed}." if owed else ""
    return f"Stripe and the shop differ in {different}.{refunds} Run: python -m store reconcile"

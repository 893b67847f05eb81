"""An older copy of the database is put in place of today's, as after a disk was lost."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from store.orders import queries
from store.orders.status_rules import PAID
from store.reconciliation import audit, reconciler
from store.reconciliation.audit import Audit
from tests.simulation.in_process_shop import SimulatedShop, set_up
from tests.simulation.incremental_reader import Row
from tests.simulation.invariants import Records
from tests.simulation.test_world import unswept
from tests.simulation.world import World

STEPS = 150


@pytest.mark.scenario("J10", "H1")
def test_orders_missing_in_an_older_backup_are_listed_and_restored(
    tmp_path: Path, sqlite_template: Path
) -> None:
    file, old = tmp_path / "store.db", tmp_path / "old.db"
    shutil.copy(sqlite_template, file)
    database_url = f"sqlite:///{file.as_posix()}"
    with unswept(), set_up(database_url, tmp_path) as simulated:
        records = Records(simulated, database_url)
        world = World(simulated, records, "restored/1")
        world.live(STEPS)
        copy(file, old)
        known = {order["number"] for order in records.orders.values()}
        world.live(STEPS)
        world.rest()
        records.close()

        put_back(simulated, old, file)
        found = audit.audit()
        expected = lost(simulated, known)

        assert expected, "nothing was lost: another seed"
        assert not found.agrees
        assert {order.number: order.paid_amount for order in found.missing} == expected
        assert found.difference_amount >= sum(expected.values())

        world.records = again = Records(simulated, database_url)
        after = caught_up(simulated)
        assert after.agrees, [entry for entry in after.entries if not entry.agrees]
        again.check_at_rest()
        assert known | expected.keys() <= {order["number"] for order in again.orders.values()}

        world.wishes.clear()  # nobody sends a form of days ago again
        world.live(STEPS // 2)
        world.rest()
        again.close()


def copy(file: Path, old: Path) -> None:
    """A consistent copy of a database in use."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(old)) as target:
        source.backup(target)


def put_back(simulated: SimulatedShop, old: Path, file: Path) -> None:
    """The process stops, the older file takes the place of the newer, a process starts."""
    simulated.drop_connections()
    for name in (f"{file}-wal", f"{file}-shm"):
        Path(name).unlink(missing_ok=True)
    shutil.copy(old, file)
    simulated.arrived.clear()  # what was answered is known to the lost copy only
    simulated.restart()


def lost(simulated: SimulatedShop, known: set[str]) -> dict[str, int]:
    """Orders of ours at Stripe that the older copy does not know, and what was paid for each."""
    amounts, unknown = dict[str, int](), list[Row]()
    for session in simulated.stripes("checkout.session"):
        if session["metadata"]["order_number"] not in known:
            unknown.append(session)
    for session in unknown:
        paid = session["payment_status"] in PAID
        ours = session["metadata"].get(queries.MARK_NAME) == queries.known_mark()
        if ours and (paid or session["status"] != "expired"):
            amounts[session["metadata"]["order_number"]] = session["amount_total"] if paid else 0
    simulated.unmissed |= {s["id"] for s in unknown if s["metadata"]["order_number"] not in amounts}
    return amounts


def caught_up(simulated: SimulatedShop) -> Audit:
    """What the audit says once the reconciler has had three days."""
    for _ in range(3):
        reconciler.reconcile_everything()
        simulated.clock.seconds += 90_000
    return audit.audit()

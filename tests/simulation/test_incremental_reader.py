"""Reading only what was written since: whatever happens to a row, it is seen."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.simulation.incremental_reader import Reader, Row, Table


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, status TEXT)")
        connection.execute("INSERT INTO orders (status) VALUES ('open'), ('open')")
        yield connection


def reader(database: sqlite3.Connection) -> tuple[Reader, Table]:
    orders = Table("SELECT * FROM orders", make=dict)
    return Reader(database.execute, {"orders": orders}, sqlite=True), orders


def statuses(orders: Table) -> dict[int, str]:
    return {name: row["status"] for name, row in orders.rows.items()}


def test_new_rows_are_read_and_others_stay_the_same_object(
    database: sqlite3.Connection,
) -> None:
    records, orders = reader(database)
    records.read()
    first: Row = orders.rows[1]

    database.execute("UPDATE orders SET status = 'paid' WHERE id = 2")
    database.execute("INSERT INTO orders (status) VALUES ('open')")

    assert records.read() == {"orders"}
    assert statuses(orders) == {1: "open", 2: "paid", 3: "open"}
    assert orders.rows[1] is first
    assert records.read() == set()


def test_deleted_rows_are_removed(database: sqlite3.Connection) -> None:
    records, orders = reader(database)
    records.read()

    database.execute("DELETE FROM orders WHERE id = 1")
    records.read()

    assert statuses(orders) == {2: "open"}


def test_rolled_back_rows_are_not_read(database: sqlite3.Connection) -> None:
    records, orders = reader(database)
    records.read()

    database.execute("BEGIN")
    database.execute("UPDATE orders SET status = 'paid'")
    database.execute("ROLLBACK")

    assert records.read() == set()
    database.execute("UPDATE orders SET status = 'expired' WHERE id = 1")
    records.read()
    assert statuses(orders) == {1: "expired", 2: "open"}

"""A database of an earlier version of the shop opens in this one with all that it holds.

The files in `databases/` were made by the code of that version, with its revision as their name:
`sqlite3.Connection.iterdump` and `pg_dump --inserts`, less what only sets a session up. Each has
orders in eleven states, refunds, a dispute, redelivered events and one of an unknown order.
"""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from store.catalog import seeding
from store.core import settings
from store.db import engine as db
from store.db.models import HistoryEntry, Order
from store.orders import queries
from store.reports import history_text, order_detail

DATABASES = Path(__file__).parent / "databases"
RENAMED_TABLES = {"repeats": "order_checks", "turns": "leases"}
RENAMED_COLUMNS = {
    "buyer": "buyer_hash",
    "session_status": "checkout_status",
    "cart_key": "cart_fingerprint",
    "began_at": "acquired_at",
    "done_until": "processed_until",
}
RENAMED_OUTCOMES = {"known": "no_change", "orphan": "unknown_order"}
COMPARED = (
    "orders",
    "order_items",
    "refunds",
    "disputes",
    "products",
    "stripe_events",
    "repeats",
    "turns",
    "shop_marks",
)
STATUSES = {
    "paid": 2,
    "open": 1,
    "pending": 1,
    "processing": 1,
    "failed": 1,
    "expired": 1,
    "canceled": 1,
    "partially_refunded": 1,
    "refunded": 1,
    "disputed": 1,
    "review": 1,
}
Rows = list[dict[str, Any]]


@pytest.fixture
def stored(empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database with the tables and rows of revision 0015."""
    url = make_url(empty_database_url)
    script = (DATABASES / f"0015.{url.get_backend_name()}.sql").read_text("utf-8")
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database))) as connection:
            connection.executescript(script)
    else:
        with create_engine(url).begin() as server:
            server.exec_driver_sql(script.replace("%", "%%"))
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("CURRENCY", raising=False)
    settings.current.cache_clear()
    return empty_database_url


def rows(name: str) -> Rows:
    """All rows of a table with today's names, in the order of their key."""
    with db.engine().connect() as connection:
        key, *_ = inspect(connection).get_pk_constraint(name)["constrained_columns"]
        found = connection.execute(text(f"SELECT * FROM {name} ORDER BY {key}"))
        return [
            {RENAMED_COLUMNS.get(column, column): value for column, value in row.items()}
            for row in found.mappings()
        ]


@pytest.mark.scenario("E9")
def test_a_database_of_revision_0015_opens_with_all_its_rows(stored: str) -> None:
    before = {name: rows(name) for name in COMPARED}
    for event in before["stripe_events"]:
        event["outcome"] = RENAMED_OUTCOMES.get(event["outcome"], event["outcome"])
    history_before = [(row["order_id"], row["action"], row["detail"]) for row in rows("order_log")]

    seeding.migrate()

    assert db.schema_is_current()
    for name in COMPARED:
        assert rows(RENAMED_TABLES.get(name, name)) == before[name], name
    assert Counter(row["status"] for row in before["orders"]) == STATUSES
    assert {"no_change", "unknown_order"} <= {row["outcome"] for row in before["stripe_events"]}
    with db.reading() as session:
        for row in before["orders"]:
            order = queries.order_of_buyer(session, row["buyer_hash"], row["number"])
            assert order_detail.load(session, order).order.status == row["status"]
        history = session.exec(select(HistoryEntry).order_by(col(HistoryEntry.id))).all()
    texts = [history_text.text(history_text.payload_of(entry)) for entry in history]
    kept = [(entry.order_id, entry.action) for entry in history]
    assert [(*one, text) for one, text in zip(kept, texts, strict=True)] == history_before
    changes = {
        kind
        for entry in history
        for change in history_text.payload_of(entry)["changes"]
        for kind in change
    }
    assert {"attempt", "checkout_status", "payment_status", "checkout_session_id"} <= changes


@pytest.mark.scenario("E9", "A1")
def test_an_upgraded_database_keeps_its_guarantees_and_counts_on(stored: str) -> None:
    seeding.migrate()
    with db.reading() as session:
        old = [order.model_dump() for order in session.exec(select(Order))]
    (payable,) = [order for order in old if order["status"] == "open"]
    unique = {"number": "N", "idempotency_key": "K", "checkout_session_id": None}
    second = payable | unique | {"id": None, "payment_intent_id": None}

    refused = pytest.raises(IntegrityError, match=r"one_payable_order_per_buyer|orders\.buyer_hash")
    with refused, db.unit_of_work() as session:
        session.add(Order(**second))
    with db.unit_of_work() as session:
        session.add(order := Order(**second | {"buyer_hash": "another"}))
        session.flush()

    assert order.id and order.id > max(row["id"] for row in old)

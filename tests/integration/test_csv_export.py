"""An export of very many orders, and what is left of one that was interrupted."""

import os
import stat
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

from store.db import bulk
from store.db import engine as db
from store.db.models import Order
from store.reports import csv_export, order_view, search
from tests.support.shop import Shop


def many_orders(shop: Shop, count: int) -> None:
    """Orders with an item each, after one that was made as all are."""
    model = shop.order(shop.a_past("paid")[0]).model_dump(exclude={"id"})
    for begin in range(0, count, 1000):
        numbers = [f"N{place}" for place in range(begin, min(begin + 1000, count))]
        unique = ("number", "cart_fingerprint", "idempotency_key")
        rows = [model | {**dict.fromkeys(unique, number), "email": "a@b.se"} for number in numbers]
        with db.unit_of_work() as session:
            bulk.insert(session, Order, rows)
    with db.unit_of_work() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO order_items (order_id, product_id, name, unit_amount, quantity)"
            " SELECT id, 1, 'Shirt', 1999, 1 FROM orders WHERE number LIKE 'N%%'"
            if db.engine().dialect.name == "postgresql"
            else "INSERT INTO order_items (order_id, product_id, name, unit_amount, quantity)"
            " SELECT id, 1, 'Shirt', 1999, 1 FROM orders WHERE number LIKE 'N%'"
        )


def peak_bytes(path: Path) -> int:
    """The most memory that an export held at once."""
    tracemalloc.start()
    with db.reading() as session:
        csv_export.write_csv(session, path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


@pytest.mark.scenario("N10")
def test_an_export_needs_no_more_memory_for_more_orders(shop: Shop, tmp_path: Path) -> None:
    many_orders(shop, 1000)
    peak_bytes(tmp_path / "first.csv")  # what is loaded once and kept
    few = peak_bytes(tmp_path / "few.csv")
    with db.unit_of_work() as session:
        session.connection().exec_driver_sql("DELETE FROM order_items")
        session.connection().exec_driver_sql("DELETE FROM order_log")
        session.connection().exec_driver_sql("DELETE FROM orders")
    many_orders(shop, 8000)
    many = peak_bytes(tmp_path / "many.csv")

    assert (tmp_path / "many.csv").read_text("utf-8").count("\n") == 8002
    assert many < few * 1.5, (few, many)


def breaks_in_the_second_batch(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    monkeypatch.setattr(csv_export, "BATCH", 2)
    items_of, calls = order_view.items_of, []

    def breaks(session: Session, rows: Sequence[Order]) -> Mapping[int, list[Any]]:
        calls.append(rows)
        if len(calls) > 1:
            raise error
        return items_of(session, rows)

    monkeypatch.setattr(order_view, "items_of", breaks)


@pytest.mark.scenario("N10")
@pytest.mark.parametrize("error", [RuntimeError(), KeyboardInterrupt(), SystemExit()])
def test_an_interrupted_export_leaves_the_old_file(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    shop.a_past(*["paid"] * 5)
    (old := tmp_path / "old.csv").write_text("the export of yesterday")
    breaks_in_the_second_batch(monkeypatch, error)

    for path in (old, tmp_path / "new.csv"):
        with pytest.raises(type(error)), db.reading() as session:
            csv_export.write_csv(session, path)

    assert [file.name for file in tmp_path.glob("*.csv*")] == ["old.csv"]
    assert list(tmp_path.glob(".*")) == []
    assert old.read_text() == "the export of yesterday"


@pytest.mark.skipif(os.name == "nt", reason="rights are no bits there")
@pytest.mark.scenario("N8")
def test_an_export_can_be_read_by_its_user_only(shop: Shop, tmp_path: Path) -> None:
    shop.a_past("paid")
    before = os.umask(0o022)
    with db.reading() as session:
        csv_export.write_csv(session, tmp_path / "orders.csv")
    os.umask(before)

    assert stat.S_IMODE((tmp_path / "orders.csv").stat().st_mode) == 0o600


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no such file here")
def test_an_export_to_what_is_no_file_is_written_there(
    shop: Shop, capfd: pytest.CaptureFixture[str]
) -> None:
    number = shop.a_past("paid")[0]

    with db.reading() as session:
        csv_export.write_csv(session, Path("/dev/stdout"))

    assert number in capfd.readouterr().out
    assert Path("/dev/stdout").exists()


def test_every_batch_of_the_office_is_read_before_it_is_sent(shop: Shop) -> None:
    """Whoever reads slowly holds no connection to the database meanwhile."""
    shop.a_past(*["paid"] * 3)
    batches = search.order_batches(search.OrderFilter())

    rows, _ = next(batches)

    assert len(rows) == 3
    assert db.engine().pool.checkedout() == 0  # type: ignore[attr-defined]

"""An export of very many orders, and what is left of one that was interrupted."""

import csv
import os
import stat
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from store.db import bulk
from store.db import engine as db
from store.db.models import Order, Product
from store.reports import csv_export, order_view, search
from store.web import buyer_cookie
from tests.support.shop import JEANS, ON_SQLITE, SHIRTS, Shop


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
        session.connection().exec_driver_sql("DELETE FROM order_history")
        session.connection().exec_driver_sql("DELETE FROM orders")
    many_orders(shop, 8000)
    many = peak_bytes(tmp_path / "many.csv")

    assert (tmp_path / "many.csv").read_text("utf-8").count("\n") == 8002
    assert many < few * 1.5, (few, many)


def breaks_in_the_second_batch(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    monkeypatch.setattr(csv_export, "BATCH", 2)
    items_of, calls = order_view.items_of, []

    def breaks(session: Session, rows: Sequence[Order]) -> order_view.Items:
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


FORMULAS = ['=HYPERLINK("http://evil","x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]


HOSTILE = [
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    ":red[sale] **bold** $a$ $b$ `code` | pipe",
    "'; DROP TABLE orders; --",
    "\u202etxt.exe",
    "👩‍👩‍👧‍👦" * 20,
    "é" * 500,
]


def rename(slug: str, name: str) -> None:
    with db.unit_of_work() as session:
        session.exec(select(Product).where(col(Product.slug) == slug)).one().name = name


def exported(path: Path) -> list[list[str]]:
    with db.reading() as session:
        count = csv_export.write_csv(session, path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    assert len(rows) == count + 1
    return rows


@pytest.mark.scenario("G7")
def test_an_export_holds_every_order_in_major_units(shop: Shop, tmp_path: Path) -> None:
    paid = shop.a_paid_order(SHIRTS)
    shop.stripe.emulator.refund(shop.payment_id(paid), 1000)
    shop.deliver_latest("refund.created")
    opened = shop.an_open_order(JEANS)

    heads, first, second = exported(tmp_path / "orders.csv")

    shown = dict(zip(heads, first, strict=True))
    assert (shown["number"], shown["status"]) == (paid, "partially_refunded")
    assert (shown["total"], shown["refunded"], shown["currency"]) == ("39.98", "10.00", "usd")
    assert shown["items"] == "2 × Red T-Shirt"
    assert (second[0], second[3]) == (opened, "open")


@ON_SQLITE
@pytest.mark.scenario("G7")
@pytest.mark.parametrize("name", FORMULAS)
def test_no_cell_of_an_export_is_taken_for_a_formula(shop: Shop, tmp_path: Path, name: str) -> None:
    rename("red-t-shirt", name)
    shop.place()

    rows = exported(tmp_path / "orders.csv")

    cells = [cell for row in rows for cell in row]
    assert not any(cell.startswith(csv_export.FORMULA_SIGNS) for cell in cells)
    assert csv_export._cell(name) == f"'{name}"
    assert any(name in cell for cell in cells)


@pytest.mark.scenario("G4", "G6")
def test_a_product_name_of_any_characters_is_stored_unchanged(shop: Shop, tmp_path: Path) -> None:
    for name in HOSTILE:
        rename("red-t-shirt", name)
        shop.buyer = buyer_cookie.buyer_hash(buyer_cookie.new_cookie())
        number = shop.a_paid_order()
        assert [item.name for item in shop.view(number).items] == [name]

    names = [row[4].removeprefix("2 × ") for row in exported(tmp_path / "orders.csv")[1:]]
    assert names == HOSTILE
    with db.reading() as session:
        assert len(session.exec(select(Product)).all()) == 3

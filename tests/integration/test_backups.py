"""A copy of the database, made while the shop sells, and the shop that is opened from it."""

import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import select

from store.core import settings
from store.db import backup
from store.db import engine as db
from store.db.backup import BackupRefused
from store.db.models import Order
from tests.support.databases import set_to
from tests.support.shop import ON_SQLITE, Shop


def source() -> Path:
    return Path(db.engine().url.database or "")


def numbers_in(file: Path) -> set[str]:
    with set_to(f"sqlite:///{file.as_posix()}"), db.reading() as session:
        return set(session.exec(select(Order.number)))


def restored(copy: Path, folder: Path) -> Path:
    """The steps of docs/operations.md: delete the log, and put the copy in the database's place."""
    for end in ("", "-wal", "-shm"):
        (folder / f"store.db{end}").unlink(missing_ok=True)
    shutil.copy(copy, folder / "store.db")
    return folder / "store.db"


@ON_SQLITE
@pytest.mark.scenario("N9")
def test_a_backup_has_the_orders_that_are_still_in_the_log(shop: Shop, tmp_path: Path) -> None:
    with db.reading() as held:  # somebody who reads, so that the log is not written back
        held.exec(select(Order)).all()
        paid = shop.a_paid_order()
        numbers = {paid, *shop.a_past("paid", "open", "expired")}
        shutil.copy(source(), by_hand := tmp_path / "by-hand.db")

        size = backup.write(copy := tmp_path / "backup.db")

    assert size == copy.stat().st_size
    assert numbers_in(by_hand) & numbers == set()
    assert numbers_in(copy) == numbers
    assert sorted(file.name for file in tmp_path.glob("backup.db*")) == ["backup.db"]


@ON_SQLITE
@pytest.mark.scenario("N9")
def test_a_shop_goes_on_from_its_backup(shop: Shop, tmp_path: Path) -> None:
    before = shop.a_paid_order()
    backup.write(copy := tmp_path / "backup.db")
    after = shop.an_open_order({"sneakers": 1})
    db.engine().dispose()

    restored(copy, source().parent)

    assert db.schema_is_current()
    assert {order.number for order in shop.orders()} == {before}
    assert shop.order(shop.a_paid_order({"blue-jeans": 1})).status == "paid"
    assert after not in {order.number for order in shop.orders()}


@ON_SQLITE
@pytest.mark.scenario("N9")
def test_a_backup_is_one_moment_of_a_shop_that_sells(shop: Shop, tmp_path: Path) -> None:
    over = threading.Event()

    def sell() -> None:
        while not over.is_set():
            shop.a_past("paid", "paid")

    seller = threading.Thread(target=sell)
    seller.start()
    for place in range(5):
        backup.write(tmp_path / f"{place}.db")
    over.set()
    seller.join()

    for place in range(5):
        with sqlite3.connect(tmp_path / f"{place}.db") as copy:
            orders = copy.execute("SELECT id FROM orders ORDER BY id").fetchall()
            items = copy.execute("SELECT order_id FROM order_items ORDER BY order_id").fetchall()
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        copy.close()
        assert orders == items
        assert len(orders) % 2 == 0  # two in each transaction


@ON_SQLITE
@pytest.mark.scenario("N9")
def test_a_backup_includes_the_write_ahead_log_of_a_killed_shop(shop: Shop, tmp_path: Path) -> None:
    """No process has the database open, and its log is still beside it."""
    with db.reading() as held:
        held.exec(select(Order)).all()
        numbers = set(shop.a_past("paid", "open"))
        (folder := tmp_path / "killed").mkdir()
        for end in ("", "-wal"):
            file = source()
            shutil.copy(file.with_name(file.name + end), folder / f"store.db{end}")

    with set_to(f"sqlite:///{(folder / 'store.db').as_posix()}"):
        backup.write(copy := tmp_path / "backup.db")

    assert numbers_in(copy) == numbers


def nothing_there(tmp_path: Path) -> Path:
    source().unlink()
    return tmp_path / "backup.db"


def garbage(tmp_path: Path) -> Path:
    db.engine().dispose()
    source().write_text("Bread, milk, and something for the cat. " * 40)
    return tmp_path / "backup.db"


def already_there(tmp_path: Path) -> Path:
    (tmp_path / "backup.db").write_text("the one of yesterday")
    return tmp_path / "backup.db"


@ON_SQLITE
@pytest.mark.scenario("N9")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (nothing_there, "There is no database at"),
        (garbage, "cannot be copied"),
        (already_there, "is already there"),
        (lambda tmp_path: tmp_path / "no" / "backup.db", "Cannot write"),
        (lambda _: source(), "is already there"),
    ],
)
def test_a_backup_that_cannot_be_made_is_one_sentence_and_leaves_nothing(
    shop: Shop, tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    target = make(tmp_path)
    before = target.read_bytes() if target.exists() else None

    with pytest.raises(BackupRefused, match=words):
        backup.write(target)

    assert (target.read_bytes() if target.exists() else None) == before
    assert list(tmp_path.glob(".*")) == []


@ON_SQLITE
@pytest.mark.skipif(os.name == "nt", reason="rights are no bits there")
@pytest.mark.scenario("N8", "N9")
def test_a_backup_can_be_read_by_its_user_only(shop: Shop, tmp_path: Path) -> None:
    before = os.umask(0o022)
    backup.write(copy := tmp_path / "backup.db")
    os.umask(before)

    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.scenario("N9")
def test_on_postgresql_the_command_that_copies_it_is_named(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:a%20secret@db.example:5433/shop")
    settings.current.cache_clear()

    with pytest.raises(BackupRefused) as refusal:
        backup.write(tmp_path / "my backup")

    said = str(refusal.value)
    assert "pg_dump --format=custom" in said
    assert "--host=db.example --port=5433 --username=ada shop" in said
    assert "secret" not in said

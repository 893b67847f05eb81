"""The schema: created, brought up to date, refused where it is too new."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlmodel import SQLModel, select

from store.catalog import seeding
from store.core import settings
from store.core.errors import SchemaUnknown, SettingsError
from store.db import engine as db
from store.db import revision
from store.db.models import Product
from tests.support.shop import ON_SQLITE, Shop


def tables() -> set[str]:
    with db.engine().connect() as connection:
        return set(inspect(connection).get_table_names())


@pytest.mark.scenario("E9")
def test_migrating_creates_the_tables_of_the_models(empty: str) -> None:
    before = db.schema_is_current()

    seeding.migrate()

    assert not before
    assert db.schema_is_current()
    assert tables() == {*SQLModel.metadata.tables, "alembic_version"}
    with db.engine().connect() as connection:
        looked_at = inspect(connection)
        for name, table in SQLModel.metadata.tables.items():
            made = {column["name"]: column["nullable"] for column in looked_at.get_columns(name)}
            assert made == {column.name: column.nullable for column in table.columns}, name


@pytest.mark.scenario("E9")
def test_a_migration_that_fails_leaves_nothing_behind(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURRENCY", "isk")  # in which 19.99 cannot be charged
    settings.current.cache_clear()

    with pytest.raises(SettingsError, match="cannot be charged in ISK"):
        seeding.migrate()
    left = tables()
    monkeypatch.setenv("CURRENCY", "eur")
    settings.current.cache_clear()
    seeding.migrate()

    assert left == set()
    with db.reading() as session:
        prices = [
            (product.unit_amount, product.currency) for product in session.exec(select(Product))
        ]
    assert prices == [(1999, "eur"), (4999, "eur"), (7999, "eur")]


@pytest.mark.scenario("E9")
def test_an_older_schema_is_brought_up_to_date(empty: str) -> None:
    with db.engine().execution_options(writes=True).begin() as connection:
        config = db._alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    before = db.schema_is_current()

    seeding.migrate()
    seeding.migrate()

    assert (before, db.schema_is_current()) == (False, True)
    with db.reading() as session:
        assert len(session.exec(select(Product)).all()) == 3


@pytest.mark.scenario("E9")
def test_a_schema_of_a_newer_shop_is_refused_and_left_alone(shop: Shop) -> None:
    version("9999")

    with pytest.raises(SchemaUnknown):
        seeding.migrate()
    ready = shop.server.client.get("/readyz")

    assert not db.schema_is_current()
    assert ready.status_code == 503
    version(revision.newest_revision())
    assert db.schema_is_current()


def version(name: str) -> None:
    with db.unit_of_work() as session:
        session.connection().execute(
            text("UPDATE alembic_version SET version_num = :name"), {"name": name}
        )


@pytest.mark.scenario("E9", "E7")
def test_processes_that_migrate_at_once_do_it_once(empty: str, tmp_path: Path) -> None:
    line = "from store.catalog import seeding; seeding.migrate()"
    started = [
        subprocess.Popen([sys.executable, "-c", line], cwd=settings.ROOT, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[1] for process in started]

    assert [process.returncode for process in started] == [0, 0, 0], said
    with db.reading() as session:
        assert len(session.exec(select(Product)).all()) == 3


def test_the_newest_schema_is_known_without_the_library_that_makes_it() -> None:
    known = ScriptDirectory.from_config(db._alembic()).get_current_head()

    assert revision.newest_revision() == known


@ON_SQLITE
def test_sqlite3_schema_check_agrees_with_alembic(shop: Shop) -> None:
    file = Path(settings.current().database.removeprefix("sqlite:///"))
    assert revision.is_current_in(file)

    for there in ("0001", "9999"):
        version(there)
        assert not revision.is_current_in(file)
        assert not db.schema_is_current()


def test_the_sqlite3_schema_check_creates_nothing_and_trusts_nothing(tmp_path: Path) -> None:
    for file in (missing := tmp_path / "none.db", nonsense := tmp_path / "what?#%.db"):
        assert not revision.is_current_in(file)
        assert not missing.exists()
        nonsense.write_text("This is no database, though long enough to be read as one. " * 20)

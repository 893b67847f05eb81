"""A database that is not what we take it for: nothing is written there, and one sentence says why.

Each is tried on a real one: other programs' tables, other encodings, roles without rights.
"""

import importlib
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import Connection, create_engine, inspect, make_url, text
from sqlmodel import select

from store.catalog import seeding
from store.cli import main
from store.core import settings
from store.core.errors import DatabaseUnavailable, DatabaseUnusable, StoreError
from store.db import engine as db
from store.db import revision
from store.db.models import Order, Product
from store.storefront import server
from tests.support.databases import set_to
from tests.support.ports import free_port
from tests.support.shop import Shop

ELSEWHERE = "is in use by another program"
SHOPS = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer VARCHAR(80), total INTEGER);
CREATE TABLE products (id INTEGER PRIMARY KEY, title VARCHAR(80));
INSERT INTO orders VALUES (1, 'Ada', 5);
INSERT INTO products VALUES (1, 'Tea')
"""
WITH_ALEMBIC = """
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);
INSERT INTO alembic_version VALUES ('{revision}')
"""
OTHER_PROGRAMS = {
    "tables of our names": SHOPS,
    "revisions of its own": SHOPS + ";" + WITH_ALEMBIC.format(revision="ae1027a6acf"),
    "revisions that are numbered like ours": SHOPS + ";" + WITH_ALEMBIC.format(revision="0001"),
    "the newest of our numbers": SHOPS + ";" + WITH_ALEMBIC.format(revision="{newest}"),
    "a table that is called as Alembic's": "CREATE TABLE alembic_version (id INTEGER)",
    "tables of other names": "CREATE TABLE customers (id INTEGER, name VARCHAR(80))",
    "nothing but a view": "CREATE VIEW orders AS SELECT 1 AS id",
}


@pytest.fixture(autouse=True)
def no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STRIPE_SECRET_KEY", "STRIPE_API_BASE", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")  # commands set some of them, which ends with the test
        monkeypatch.delenv(name)
    (data := tmp_path / "data").mkdir()
    monkeypatch.setenv("DATA_DIR", str(data))


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[str]:
    with set_to(empty_database_url):
        yield empty_database_url


@contextmanager
def changing(url: str) -> Iterator[Connection]:
    """A connection of somebody else's, committed at the end."""
    made = create_engine(url)
    with made.begin() as connection:
        yield connection
    made.dispose()


def fill(url: str, script: str) -> None:
    script = script.replace("{newest}", revision.newest_revision())
    with changing(url) as connection:
        for statement in script.split(";"):
            connection.exec_driver_sql(statement)


def everything(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables and views."""
    with changing(url) as connection:
        looked_at = inspect(connection)
        names = [*looked_at.get_table_names(), *looked_at.get_view_names()]
        return {
            name: [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}")]
            for name in names
        }


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """One command, in this process; its exit code and what it wrote."""
    os.environ.pop("STRIPE_API_BASE", None)  # of the command before
    asked = main.parse([*words, *port_flags(words[0])])
    module = importlib.import_module(f"store.cli.{main.COMMANDS[asked.command].module}")
    act = getattr(module, asked.command)
    try:
        code = act(asked)
    except StoreError as error:  # as in `arguments.main`
        code = 2
        sys.stderr.write(f"{error.for_operator}\n")
    out, err = capsys.readouterr()
    return code, out, err


def port_flags(command: str) -> list[str]:
    return ["--emulator-port", str(free_port())] if command in ("reset", "doctor") else []


# --- N1: another program's --------------------------------------------------------------------


@pytest.mark.scenario("N1")
@pytest.mark.parametrize("program", OTHER_PROGRAMS)
@pytest.mark.parametrize("command", [("reset", "--yes"), ("migrate",), ("export", "orders.csv")])
def test_a_database_of_another_program_is_left_as_it_is(
    empty: str, program: str, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    fill(empty, OTHER_PROGRAMS[program])
    before = everything(empty)

    code, _, said = run(capsys, *command)

    assert (code, said.count("\n")) == (2, 1)
    assert ELSEWHERE in said
    assert everything(empty) == before


@pytest.mark.scenario("N1")
def test_doctor_says_that_a_database_is_another_programs(
    empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(empty, SHOPS)

    code, said, _ = run(capsys, "doctor")

    assert code == 1
    assert ELSEWHERE in said
    assert "CREATE SCHEMA shop" in said


@pytest.mark.scenario("N1")
def test_the_log_of_another_programs_file_stays_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "theirs.db"
    with sqlite3.connect(file) as theirs:
        theirs.execute("CREATE TABLE songs (name TEXT)")
    theirs.close()
    before = file.read_bytes()

    with set_to(f"sqlite:///{file.as_posix()}"):
        assert run(capsys, "migrate")[0] == 2

    assert file.read_bytes() == before


@pytest.mark.scenario("N1")
def test_a_file_that_is_no_database_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "notes.db").write_text("Milk, bread, and something for the cat. " * 40)

    with set_to(f"sqlite:///{file.as_posix()}"):
        code, _, said = run(capsys, "reset", "--yes")

    assert (code, said.count("\n")) == (2, 1)
    assert "file is not a database" in said
    assert file.read_text().startswith("Milk")


@pytest.mark.scenario("N1")
def test_a_reset_leaves_foreign_tables_alone(
    empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seeding.migrate()
    fill(empty, "CREATE TABLE notes (words VARCHAR(80)); INSERT INTO notes VALUES ('keep me')")
    with db.unit_of_work() as session:
        session.exec(select(Product)).first().name = "Changed"  # type: ignore[union-attr]

    code, _, said = run(capsys, "reset", "--yes")

    assert (code, said) == (0, "")
    assert everything(empty)["notes"] == [("keep me",)]
    with db.reading() as session:
        assert "Changed" not in session.exec(select(Product.name)).all()


@pytest.mark.scenario("N1")
def test_a_reset_deletes_nothing_while_foreign_rows_refer_to_ours(
    empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seeding.migrate()
    fill(
        empty,
        "CREATE TABLE reviews (product INTEGER REFERENCES products (id));"
        "INSERT INTO reviews SELECT min(id) FROM products",
    )
    (emulator := settings.current().data_dir / "emulator.db").write_text("its account")
    before = everything(empty)

    code, _, said = run(capsys, "reset", "--yes")

    assert (code, said.count("\n")) == (2, 1)
    assert "Nothing was deleted" in said
    assert everything(empty) == before
    assert emulator.exists()


@pytest.mark.scenario("N1")
def test_a_reset_leaves_files_that_are_only_named_like_the_emulators(
    empty: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seeding.migrate()
    data = settings.current().data_dir
    kept, gone = data / "emulator.db-before-the-fair", data / "emulator.db"
    kept.write_text("kept")
    gone.write_text("gone")

    assert run(capsys, "reset", "--yes")[0] == 0

    assert (kept.exists(), gone.exists()) == (True, False)


# --- PostgreSQL only: encodings, schemas, rights --------------------------------------------------


def new_role(postgres: str, name: str, *statements: str) -> None:
    made = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with made.connect() as connection:
        connection.execute(text(f"DROP ROLE IF EXISTS {name}"))
        connection.execute(text(f"CREATE ROLE {name} LOGIN"))
        for statement in statements:
            connection.execute(text(statement))
    made.dispose()


def as_role(url: str, name: str) -> str:
    return make_url(url).set(username=name).render_as_string(hide_password=False)


@pytest.mark.scenario("N2")
@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP", "WIN1252"])
def test_an_encoding_that_lacks_letters_is_refused_at_start(
    postgres: str, encoding: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"in_{encoding.lower()}"
    made = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with made.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(
            text(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        )
    made.dispose()
    url = make_url(postgres).set(database=name).render_as_string(hide_password=False)

    with set_to(url):
        code, _, said = run(capsys, "migrate")
        with pytest.raises(DatabaseUnusable):
            db.schema_is_current()
        _, found, _ = run(capsys, "doctor")

    assert (code, said.count("\n")) == (2, 1)
    assert encoding in said
    assert "ENCODING 'UTF8'" in said
    assert encoding in found
    with changing(url) as connection:
        assert inspect(connection).get_table_names() == []


@pytest.mark.scenario("N2")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("whose", ["environment", "role", "address"])
def test_every_letter_is_stored_under_any_client_encoding(
    shop: Shop, database_url: str, whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = database_url
    if whose == "environment":
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    elif whose == "address":
        url += "&client_encoding=latin1"
    else:
        new_role(
            url,
            "latin",
            "ALTER ROLE latin SUPERUSER",
            "ALTER ROLE latin SET client_encoding = 'LATIN1'",
        )
        url = as_role(url, "latin")
    number = shop.place()

    with set_to(url):
        with db.unit_of_work() as session:
            session.exec(select(Order)).one().email = "Šárka+日本@example.com"
        assert shop.order(number).email == "Šárka+日本@example.com"


@pytest.mark.scenario("N5")
def test_a_role_without_create_gets_the_grant_named_and_continues_once_granted(
    postgres: str, new_postgres_database: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = new_postgres_database()
    new_role(postgres, "clerk")

    with set_to(as_role(url, "clerk")):
        code, _, said = run(capsys, "migrate")
        stop = Event()
        storefront = Thread(target=server.migrate_and_reconcile, args=(stop,), daemon=True)
        storefront.start()
        storefront.join(1)
        waits = storefront.is_alive()
        grant = said[said.index("GRANT") : said.index(";") + 1]
        with changing(url) as connection:
            connection.exec_driver_sql(grant)
        for _ in range(150):
            if db.schema_is_current():
                break
            storefront.join(0.1)
        current = db.schema_is_current()
        stop.set()
        storefront.join(20)

    assert (code, said.count("\n")) == (2, 1)
    assert grant == "GRANT USAGE, CREATE ON SCHEMA public TO clerk;"
    assert (waits, current) == (True, True)


@pytest.mark.scenario("N5")
def test_a_role_without_write_access_gets_the_missing_grant_named(
    postgres: str, new_postgres_database: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = new_postgres_database()
    new_role(postgres, "reader")
    with set_to(url):
        seeding.migrate()

    with set_to(as_role(url, "reader")):
        code, _, said = run(capsys, "migrate")
        with pytest.raises(DatabaseUnavailable), db.unit_of_work() as session:
            session.exec(select(Order)).all()
        with changing(url) as connection:
            connection.exec_driver_sql(said[said.index("GRANT") : said.rindex(";")])
        again, _, _ = run(capsys, "migrate")

    assert (code, said.count("\n"), again) == (2, 1, 0)
    assert "may not read and write" in said


@pytest.mark.scenario("N5")
def test_an_old_schema_of_another_role_is_left_to_that_role(
    postgres: str, new_postgres_database: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = new_postgres_database()
    new_role(postgres, "visitor")
    with set_to(url):
        seeding.migrate()
    with changing(url) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0006'")
        connection.exec_driver_sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO visitor")
        connection.exec_driver_sql("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO visitor")
        connection.exec_driver_sql("GRANT CREATE ON SCHEMA public TO visitor")

    with set_to(as_role(url, "visitor")):
        code, _, said = run(capsys, "migrate")

    assert (code, said.count("\n")) == (2, 1)
    assert "python -m store migrate as postgres" in said


@pytest.mark.scenario("N1")
def test_a_schema_of_its_own_beside_another_program_is_enough(
    new_postgres_database: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = new_postgres_database()
    fill(url, SHOPS)
    before = everything(url)
    with changing(url) as connection:
        connection.exec_driver_sql("CREATE SCHEMA shop")

    with set_to(f"{url}&options=-csearch_path%3Dshop"):
        codes = [run(capsys, *words)[0] for words in (("migrate",), ("reset", "--yes"))]
        current = db.schema_is_current()

    assert (codes, current) == ([0, 0], True)
    assert everything(url) == before


@pytest.mark.scenario("N5", "M5")
def test_a_search_path_without_a_schema_is_one_sentence(
    new_postgres_database: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    with set_to(f"{new_postgres_database()}&options=-csearch_path%3Dnowhere"):
        code, _, said = run(capsys, "migrate")

    assert (code, said.count("\n")) == (2, 1)
    assert "CREATE SCHEMA" in said


def test_a_database_that_takes_no_writes_is_one_sentence(
    new_postgres_database: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    url = new_postgres_database()
    with changing(url) as connection:
        name = make_url(url).database
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    with set_to(url):
        code, _, said = run(capsys, "migrate")

    assert (code, said.count("\n")) == (2, 1)
    assert "takes no writes" in said


@pytest.mark.scenario("N1")
def test_tables_of_an_extension_do_not_count_as_foreign(
    new_postgres_database: Callable[[], str],
) -> None:
    url = new_postgres_database()
    with changing(url) as connection:
        connection.exec_driver_sql("CREATE EXTENSION vector")
        connection.exec_driver_sql("CREATE TABLE brought_along (id INTEGER)")
        connection.exec_driver_sql("ALTER EXTENSION vector ADD TABLE brought_along")

    with set_to(url):
        seeding.migrate()
        assert db.schema_is_current()


# --- N6: paths that mean something else in an address -----------------------------------------


@pytest.mark.scenario("N6")
@pytest.mark.parametrize("name", ["100%", "%41%zz", "a?b=c", "a#b", "a b", "ü日", "it's", "[a]"])
def test_the_database_is_in_the_data_folder_under_any_name(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / name).mkdir()
    monkeypatch.setenv("DATA_DIR", str(folder))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    url = settings.load().database

    with set_to(url):
        seeding.migrate()

    assert (folder / "store.db").stat().st_size
    assert [file.name for file in tmp_path.iterdir() if file.name != "data"] == [name]
    assert revision.is_current_in(folder / "store.db")


@pytest.mark.parametrize("command", ["audit", "export", "prune", "reconcile"])
def test_a_database_that_never_held_a_shop_stays_empty(
    empty: str, command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = [command, str(tmp_path / "orders.csv")] if command == "export" else [command]

    code, _, said = run(capsys, *words)

    assert (code, said.count("\n")) == (2, 1)
    assert "There is no shop in " in said
    assert everything(empty) == {}
    assert not (tmp_path / "orders.csv").exists()

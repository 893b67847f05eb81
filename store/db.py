"""The shared database: SQLite in `data/` or PostgreSQL by `DATABASE_URL`.

SQLite runs in WAL with `synchronous=FULL`, so that what is answered is on disk; writers begin
with `BEGIN IMMEDIATE`, because a lock taken only at the first write makes two of them collide.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, event, inspect, make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session, create_engine

from store import schema, settings
from store.errors import DatabaseUnavailable, SchemaUnknown

if TYPE_CHECKING:
    from alembic.config import Config

LOCK_SECONDS = 5
MIGRATION_LOCK = 20_261_123  # any number, the same in every process
TURN_LOCK = MIGRATION_LOCK + 1
# Up to 2 GB of the file are read where the system keeps them, not copied page by page: the orders
# of somebody who has bought for years lie far apart. SQLite still writes by its log and `fsync`.
IN_PLACE = "mmap_size=2000000000"


@lru_cache(maxsize=4)
def engine_for(url: str) -> Engine:
    """The engine of a database URL; connections to PostgreSQL are tried before they are used.

    An error that reaches a log names the statement and never its values, such as who buys.
    """
    if not url.startswith("sqlite"):
        limits = f"-c lock_timeout={LOCK_SECONDS}s -c statement_timeout=20s"
        # As on today's disks. PostgreSQL's own 4 is for disks that turn, and made it read every
        # item that was ever sold for the figures of a month.
        options = f"{limits} -c random_page_cost=1.1"
        return create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=20,
            connect_args={"connect_timeout": LOCK_SECONDS, "options": options},
        )
    if database := make_url(url).database:
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": LOCK_SECONDS},
        pool_size=10,
        max_overflow=40,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", IN_PLACE):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def engine() -> Engine:
    try:
        return engine_for(settings.current().database)
    except OSError as error:
        raise DatabaseUnavailable from error


@contextmanager
def unit_of_work() -> Iterator[Session]:
    """One transaction that writes: committed at the end, undone by any exception.

    Raises:
        DatabaseUnavailable: locked for too long, gone, full or read-only; nothing was written
            unless the connection broke in the very commit, which a repetition finds out.
    """
    with translated(), Session(engine(), expire_on_commit=False) as session, session.begin():
        session.connection(execution_options={"writes": True})
        yield session


@contextmanager
def reading() -> Iterator[Session]:
    """One transaction that reads; whatever it changes is thrown away."""
    with translated(), Session(engine(), expire_on_commit=False, autoflush=False) as session:
        yield session


@contextmanager
def alone(lock: int) -> Iterator[bool]:
    """Whether this process may go on alone; no other one then can until the end of the block.

    An advisory lock of PostgreSQL, on a connection of its own that dies with the process, or
    two minutes after its machine. SQLite is one machine's, and everybody may go on there.

    Raises:
        DatabaseUnavailable
    """
    if engine().dialect.name != "postgresql":
        yield True
        return
    with translated():
        connection = engine().connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # closed after use, and never anybody else's
    with connection, translated():
        connection.exec_driver_sql("SET tcp_keepalives_idle = 30")
        connection.exec_driver_sql("SET tcp_keepalives_interval = 10")
        free = bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({lock})").scalar())
        try:
            yield free
        finally:  # at once; a closed connection's lock stays until its server process has ended
            if free:
                with suppress(DBAPIError):
                    connection.exec_driver_sql(f"SELECT pg_advisory_unlock({lock})")


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's operational errors into the one error that callers know."""
    try:
        yield
    except PoolTimeout as error:  # more work at once than there are connections
        raise DatabaseUnavailable from error
    except DBAPIError as error:
        broken = type(error) is DatabaseError  # SQLite, of a file that is none of its own
        # PostgreSQL calls it an internal error that it is read-only.
        outage = broken or isinstance(error, (OperationalError, InternalError))
        if outage or error.connection_invalidated:
            raise DatabaseUnavailable from error
        raise


def _alembic() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - as in migrate

    config = Config()
    config.set_main_option("script_location", str(settings.ROOT / "store" / "migrations"))
    return config


def migrate() -> None:
    """Bring the schema up to date, all of it or nothing; harmless where it already is.

    Raises:
        DatabaseUnavailable: the database cannot be reached or written.
        SchemaUnknown: the schema is newer than this program.
    """
    if schema_is_current():
        return
    # A third of a second, which most starts need not spend.
    from alembic import command  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = _alembic()
    with translated(), engine().execution_options(writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise SchemaUnknown from error


def schema_is_current() -> bool:
    """True where the database has exactly the schema that this program was written for.

    Raises:
        DatabaseUnavailable: the database cannot be reached.
    """
    with translated(), engine().connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars()
        return list(found) == [schema.newest_revision()]

"""The shared database: SQLite in `data/` or PostgreSQL by `DATABASE_URL`.

SQLite runs in WAL with `synchronous=FULL`: nothing is answered before its commit is on disk.
Writers begin with `BEGIN IMMEDIATE`; two that take the lock at their first write would conflict.
Whatever connects raises DatabaseUnavailable where the database cannot be reached.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, event, exc, inspect, make_url
from sqlmodel import Session, create_engine

from store.core import private_files, settings
from store.core.errors import DatabaseUnavailable, DatabaseUnusable, SchemaUnknown
from store.db import checks, postgresql

if TYPE_CHECKING:
    from alembic.config import Config

LOCK_SECONDS = 5
MIGRATION_LOCK = 20_261_123  # any number, the same in every process
# Read up to 2 GB of the file by memory mapping instead of copying pages: the orders of a buyer of
# many years are scattered over the file. Writes still go through the log and `fsync`.
MEMORY_MAPPING = "mmap_size=2000000000"
INSUFFICIENT_PRIVILEGE = "42501"  # PostgreSQL's error code
UNREADABLE = (
    "DATABASE_URL cannot be read as an address like "
    "postgresql://user:password@host:5432/name; special characters in the password "
    "must be percent-encoded."
)


@lru_cache(maxsize=4)
def engine_for(url: str) -> Engine:
    """The engine of a database URL; DatabaseUnusable if it cannot be read."""
    try:
        place = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise DatabaseUnusable(UNREADABLE) from None
    if place.get_backend_name() != "sqlite":
        return postgresql.engine_of(place, LOCK_SECONDS)
    file = Path(place.database or "")
    private_files.make_folder(file.parent)
    timeout = {"timeout": LOCK_SECONDS}
    engine = create_engine(
        place, hide_parameters=True, connect_args=timeout, pool_size=10, max_overflow=40
    )
    event.listen(engine, "do_connect", lambda *_: private_files.make_database(file))
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    # WAL mode is a lasting property of the file, so another program's file is left as it is.
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    modes = ("journal_mode=WAL",) if not tables or tables >= checks.OUR_TABLES else ()
    for pragma in (*modes, "synchronous=FULL", "foreign_keys=ON", MEMORY_MAPPING):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def engine() -> Engine:
    """The engine of the database in the settings."""
    try:
        return engine_for(settings.current().database)
    except OSError as error:
        raise DatabaseUnavailable from error


def _session(**options: Any) -> Session:
    return Session(engine(), expire_on_commit=False, **options)


@contextmanager
def unit_of_work() -> Iterator[Session]:
    """One transaction that writes: committed at the end, undone by any exception.

    Raises:
        DatabaseUnavailable: locked for too long, gone, full or read-only. Nothing was written,
            unless the connection broke during the commit; repeating the work is safe then too.
    """
    with translate_db_errors(), _session() as session, session.begin():
        session.connection(execution_options={"writes": True})
        yield session


@contextmanager
def reading() -> Iterator[Session]:
    """One transaction that reads; it is never committed."""
    with translate_db_errors(), _session(autoflush=False) as session:
        yield session


def copy_pages(session: Session) -> None:
    """Turn memory mapping off for this session's connection, on SQLite.

    A read of the whole table would otherwise count the whole file as memory of this process.
    """
    if session.connection().dialect.name == "sqlite":
        session.connection().exec_driver_sql("PRAGMA mmap_size = 0")


@contextmanager
def translate_db_errors() -> Iterator[None]:
    """Raise the driver's operational errors as DatabaseUnavailable."""
    try:
        yield
    except exc.TimeoutError as error:  # more work at once than there are connections
        raise DatabaseUnavailable from error
    except exc.DBAPIError as error:
        broken = type(error) is exc.DatabaseError  # SQLite: the file is not a database
        # A read-only PostgreSQL server reports an internal error.
        outage = broken or isinstance(error, (exc.OperationalError, exc.InternalError))
        # No statement: the connection was refused, by the driver or while it was set up.
        outage |= error.statement is None and isinstance(
            error, (exc.ProgrammingError, exc.DataError)
        )
        if outage or error.connection_invalidated or refused(error):
            raise DatabaseUnavailable from error
        raise


def refused(error: exc.DBAPIError) -> bool:
    """True if our PostgreSQL role lacks a right, which an administrator may grant at any time."""
    return getattr(error.orig, "pgcode", None) == INSUFFICIENT_PRIVILEGE


def _alembic() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - as in _upgrade

    config = Config()
    # As a package: in a path Alembic would interpret a % sign.
    config.set_main_option("script_location", "store.db:migrations")
    return config


def needs_migration() -> bool:
    """True if the schema is missing or older than this version's; nothing is written.

    Raises:
        DatabaseUnusable: it is another program's, or not fit for this one.
        SchemaUnknown: the schema is newer than this program.
    """
    with translate_db_errors(), engine().connect() as connection:
        checks.ensure_usable(connection)
        return not checks.is_current(connection)


@contextmanager
def migration() -> Iterator[Connection]:
    """A transaction of one process at a time, in which the schema is brought up to date.

    Another process may have done so since `needs_migration`; then it changes nothing.

    Raises:
        DatabaseUnusable, SchemaUnknown: as `needs_migration`; also where our role lacks a right.
    """
    with translate_db_errors(), engine().execution_options(writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            # Released with the transaction, so it cannot stay with a pooler's session.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
            # A migration of a large table may take longer than any query of a page.
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        checks.ensure_usable(connection)
        _upgrade(connection)
        yield connection


def _upgrade(connection: Connection) -> None:
    # Importing Alembic takes a third of a second, and most starts migrate nothing.
    from alembic import command  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = _alembic()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SchemaUnknown from error
    except exc.ProgrammingError as error:
        if refused(error):
            raise
        sentence = f"The schema cannot be changed: {error.orig}".strip()
        raise DatabaseUnusable(sentence) from error


def exists() -> bool:
    """True if the database has tables or views; checking creates no file."""
    url = make_url(settings.current().database)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return False
    with translate_db_errors(), engine().connect() as connection:
        inspector = inspect(connection)
        return bool(inspector.get_table_names() or inspector.get_view_names())


def schema_is_current() -> bool:
    """True if the database has exactly the schema of this version."""
    with translate_db_errors(), engine().connect() as connection:
        return checks.is_current(connection)


def checks_passed() -> Iterator[str]:
    """A sentence for each check that the database passes; raises as `checks.passed` does."""
    with translate_db_errors(), engine().connect() as connection:
        yield f"The database {location()} answers"
        yield from checks.passed(connection)


def location() -> str:
    """The database's file, or its name and host, without user, password and options."""
    address = settings.current().database
    # Not by the engine on SQLite: making it creates the folder.
    url = make_url(address) if address.startswith("sqlite") else engine().url
    return f"{url.database} at {url.host}:{url.port or 5432}" if url.host else str(url.database)


def driver_message(error: BaseException) -> str:
    """The first line of the driver's message, without the password that some drivers repeat."""
    while error.__cause__ is not None:
        error = error.__cause__
    message = (str(error).strip().splitlines() or [type(error).__name__])[0]
    password = make_url(settings.current().database).password
    return (message.replace(str(password), "***") if password else message).rstrip(".")

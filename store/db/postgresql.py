"""Engines for PostgreSQL, reached directly or through a connection pooler.

Poolers (PgBouncer, and those of Neon and Supabase) refuse most parameters at connection start, so
everything is set after connecting. A pooler shares sessions between clients: a setting of the
session would reach others and get lost between transactions. There each transaction sets its own,
which costs one more statement.
"""

import re
import shlex
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from store.core.errors import DatabaseUnusable

POOLED = "behind a pooler"  # a key in SQLAlchemy's `info` of each connection
NAMED = re.compile(r"(?:-c|--)([A-Za-z_.]+)=(.*)", re.DOTALL)
# An order is shown as paid only once that survives a power cut, whatever the server's default.
DURABLE = (
    "set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
    " WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, {local})"
)


def engine_of(url: URL, lock_seconds: int) -> Engine:
    """An engine whose connections are tested before use and have our limits.

    Encoding and isolation level are set too, whatever role, database or environment say. Errors
    contain the statement but never its values.
    """
    limits = {
        "lock_timeout": f"{lock_seconds}s",
        "statement_timeout": "20s",
        # For solid-state disks. The default of 4 is for rotating ones, and made the planner scan
        # all order items for the sales of one month.
        "random_page_cost": "1.1",
    }
    url_settings, options = options_of(url)
    timeout = {} if "connect_timeout" in url.query else {"connect_timeout": lock_seconds}
    engine = create_engine(
        url.difference_update_query(["options", "client_encoding"]),
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=20,
        # Passed even if empty: otherwise the driver sends the variable PGOPTIONS.
        connect_args={**timeout, "client_encoding": "utf8", "options": options},
    )
    _apply(engine, limits | url_settings)
    return engine


def _apply(engine: Engine, chosen: dict[str, str]) -> None:
    """Once per connection, or behind a pooler once per transaction."""
    values = tuple(value for pair in chosen.items() for value in pair)

    def setting(local: str) -> str:
        each = [f"set_config(%s, %s, {local})" for _ in chosen]
        return f"SELECT {', '.join([*each, DURABLE.format(local=local)])}"

    direct, pooled = f"{setting('false')} WHERE pg_backend_pid() = %s", setting("true")

    def connected(connection: Any, record: Any) -> None:
        refuse_encoding(connection)
        connection.autocommit = True
        with connection.cursor() as cursor:
            # A pooler reports an invented process id to its clients.
            cursor.execute(direct, (*values, connection.info.backend_pid))
            record.info[POOLED] = cursor.fetchone() is None
        connection.autocommit = False

    def begun(connection: Connection) -> None:
        if connection.info[POOLED]:
            connection.exec_driver_sql(pooled, values)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)


def options_of(url: URL) -> tuple[dict[str, str], str]:
    """The settings in the URL's `options`, or no settings and the options as they are.

    Set after connecting, `-c search_path=shop` works behind poolers too, which refuse `options`.
    """
    value = url.query.get("options", "")
    text = value if isinstance(value, str) else " ".join(value)
    try:
        words = shlex.split(re.sub(r"(^|\s)-c\s+", r"\1-c", text))
    except ValueError:
        return {}, text
    named = [NAMED.fullmatch(word) for word in words]
    if not all(named):
        return {}, text
    return {match[1].replace("-", "_"): match[2] for match in named if match}, ""


def refuse_encoding(connection: Any) -> None:
    """Accept UTF8 only: other encodings cannot store every name, or store it unchecked."""
    encoding = connection.get_parameter_status("server_encoding")
    if encoding in ("UTF8", None):
        return
    name = connection.info.dbname
    connection.close()
    raise DatabaseUnusable(
        f"The database {name} stores text as {encoding}, which lacks the letters of many names; "
        "make one in UTF8: CREATE DATABASE shop ENCODING 'UTF8' TEMPLATE template0."
    )

"""Checks before the first write: whether the shop can and may work in this database.

Checking changes nothing.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from store.core.errors import DatabaseUnusable, SchemaUnknown
from store.db import models, revision

LEAST_POSTGRESQL = (10, 0)
# Tables and columns of every revision.
OUR_TABLES = {"orders", "products", "order_items", "refunds", "disputes", "stripe_events"}
OUR_COLUMNS = {"number", "idempotency_key", "checkout_session_id", "refunded_amount"}
FORMER_TABLES = {"repeats", "turns"}  # renamed since; a migration needs to own them too
ELSEWHERE = (
    "Name an empty database in DATABASE_URL, or an empty schema: "
    "CREATE SCHEMA shop, then ?options=-csearch_path=shop at the end of DATABASE_URL."
)
SESSION = """
SELECT version(), current_database() AS database, current_schema() AS namespace,
       current_user AS role, quote_ident(current_user) AS quoted_role,
       quote_ident(current_schema()) AS quoted_schema,
       current_setting('transaction_read_only') = 'on' AS read_only,
       has_schema_privilege(current_schema(), 'CREATE') AS may_create
"""
# Tables that belong to an extension are left out: they are no other program's.
RELATIONS = """
SELECT c.relname, c.relkind,
       pg_has_role(c.relowner, 'USAGE') AS owned, pg_get_userbyid(c.relowner) AS owner,
       CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'USAGE')
       ELSE has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
        AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')
       END AS usable
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
                  AND d.objid = c.oid AND d.deptype = 'e')
"""


def passed(connection: Connection) -> Iterator[str]:
    """A sentence for each check that the database passes.

    Raises:
        SchemaUnknown: the schema is of a newer version.
        DatabaseUnusable: it fails another check.
    """
    if connection.dialect.name == "postgresql":
        yield from _postgresql(connection)
    else:
        yield from _sqlite(connection)


def ensure_usable(connection: Connection) -> None:
    """Make every check; raises as `passed` does."""
    list(passed(connection))


def _postgresql(connection: Connection) -> Iterator[str]:
    session = connection.exec_driver_sql(SESSION).one()
    role, database, namespace = session.role, session.database, session.namespace
    version, numbers = session.version, connection.dialect.server_version_info or (0,)
    if not version.startswith("PostgreSQL ") or numbers < LEAST_POSTGRESQL:
        least = LEAST_POSTGRESQL[0]
        sentence = f"The server of {database} is {version[:60]}, not PostgreSQL {least} or later."
        raise DatabaseUnusable(sentence, "Use one that is.")
    yield f"PostgreSQL {numbers[0]}, text in UTF8"
    if session.read_only:
        sentence = f"The database {database} takes no writes: it is a standby, or set to read only."
        raise DatabaseUnusable(sentence, "Name its primary server in DATABASE_URL.")
    if namespace is None:
        sentence = f"No schema that the role {role} may use is in its search path in {database}."
        remedy = (
            f"CREATE SCHEMA shop AUTHORIZATION {session.quoted_role}; and set search_path to it."
        )
        raise DatabaseUnusable(sentence, f"Run: {remedy}")
    rows = connection.exec_driver_sql(RELATIONS).all()
    tables = {row.relname for row in rows if row.relkind != "S"}
    marks = [row for row in rows if row.relname == "alembic_version"]
    _rights(marks, session, current=True)
    yield _ownership(connection, tables, f"{database}, schema {namespace},")
    current = revisions(connection, tables) == [revision.newest_revision()]
    if not current and not session.may_create:
        sentence = f"The role {role} may not create tables in the schema {namespace} of {database}."
        grant = f"GRANT USAGE, CREATE ON SCHEMA {session.quoted_schema} TO {session.quoted_role};"
        raise DatabaseUnusable(sentence, f"As its owner, run: {grant}")
    names = {*models.Order.metadata.tables, *FORMER_TABLES, "alembic_version"}
    ours = [row for row in rows if row.relname.removesuffix("_id_seq") in names]
    yield _rights(ours, session, current=current)


def _rights(ours: Iterable[Any], session: Any, *, current: bool) -> str:
    role, schema, quoted_role = session.role, session.quoted_schema, session.quoted_role
    for row in ours:
        if not current and not row.owned:
            sentence = (
                f"{row.relname} belongs to the role {row.owner}; {role} cannot bring it up to date."
            )
            raise DatabaseUnusable(sentence, f"Run python -m store migrate as {row.owner}.")
        if not row.usable:
            grants = (
                f"GRANT ALL ON ALL {kind} IN SCHEMA {schema} TO {quoted_role};"
                for kind in ("TABLES", "SEQUENCES")
            )
            sentence = f"The role {role} may not read and write {row.relname}."
            raise DatabaseUnusable(sentence, f"As its owner, run: {' '.join(grants)}")
    return f"The role {role} has the rights that it needs"


def _sqlite(connection: Connection) -> Iterator[str]:
    version, least = sqlite3.sqlite_version, ".".join(map(str, revision.LEAST_SQLITE))
    if sqlite3.sqlite_version_info < revision.LEAST_SQLITE or not _knows_json(connection):
        needed = f"the shop needs {least} or later with JSON."
        sentence = f"This Python comes with SQLite {version}, and {needed}"
        raise DatabaseUnusable(sentence, "Use a newer Python, or PostgreSQL by DATABASE_URL.")
    yield f"SQLite {version}"
    file = str(connection.engine.url.database)
    rows = connection.exec_driver_sql(
        "SELECT name FROM sqlite_master"
        " WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    yield _ownership(connection, set(rows.scalars()), file)
    if connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
        sentence = f"The disk of {file} lacks what SQLite needs for several processes at once."
        raise DatabaseUnusable(sentence, "Set DATA_DIR to a local disk, not a network drive.")


def _knows_json(connection: Connection) -> bool:
    """Before 3.38 it could be left out when SQLite was built."""
    try:
        connection.exec_driver_sql("SELECT json_extract('[1]', '$[0]')")
    except DBAPIError:
        return False
    return True


def _ownership(connection: Connection, tables: set[str], where: str) -> str:
    """Whether the database is empty, or holds a shop that this version can bring up to date.

    A shop is created only in an empty database. It is recognised by its revision and by a set of
    tables and columns that no other program has; tables that others add later do not matter.
    """
    recorded = revisions(connection, tables)
    if not tables or (tables == {"alembic_version"} and recorded == []):
        return f"The database {where} is empty"
    is_shop = tables >= OUR_TABLES and _columns(connection, "orders") >= OUR_COLUMNS
    if not is_shop or recorded is None or len(recorded) != 1:
        sentence = f"The database {where} is in use by another program"
        raise DatabaseUnusable(f"{sentence}, so nothing is written there.", ELSEWHERE)
    if recorded[0] not in revision.revisions():
        raise SchemaUnknown
    return f"The database {where} holds this shop"


def revisions(connection: Connection, tables: Collection[str]) -> list[str] | None:
    """The revisions in Alembic's table; None if there is no such table of Alembic's."""
    if "alembic_version" not in tables:
        return None
    if _columns(connection, "alembic_version") != {"version_num"}:
        return None
    return list(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())


def is_current(connection: Connection) -> bool:
    """True if the database has exactly the schema of this version."""
    return revisions(connection, inspect(connection).get_table_names()) == [
        revision.newest_revision()
    ]


def _columns(connection: Connection, table: str) -> set[str]:
    return {column["name"] for column in inspect(connection).get_columns(table)}

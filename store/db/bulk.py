"""Insert and update many rows by one statement, on both databases.

The rows are one JSON parameter, which `json_to_recordset` expands on PostgreSQL and `json_each`
on SQLite: a batch costs the driver about as much as one row. SQLite before 3.35 may have neither
RETURNING nor UPDATE … FROM; there, ids that were selected first cannot change in between, because
SQLite has a single writer. Statements bypass SQLAlchemy's compiler, which costs more than the
database for a batch of one. Table and column names come from the models, never from input.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import Connection, Dialect, Table
from sqlmodel import Session, SQLModel

Row = Mapping[str, Any]
"""Column names and values; all rows of one call have the same names."""


def insert(session: Session, model: type[SQLModel], rows: Sequence[Row]) -> None:
    """Add these rows, in their order."""
    if rows:
        _run(session.connection(), _insertion, model, rows)


def insert_new(session: Session, model: type[SQLModel], rows: Sequence[Row]) -> set[str]:
    """Add the rows whose `id` is new; returns the ids that were added.

    The primary key decides, also between two transactions: the second waits for the first. Pass
    rows sorted by `id`, or two transactions with the same rows may deadlock.
    """
    if not rows:
        return set()
    connection = session.connection()
    if not _is_old(connection.dialect):
        return set(_run(connection, _insertion_of_new, model, rows).scalars())
    existing = set(_run(connection, _selection_of_ids, model, rows).scalars())
    _run(connection, _insertion_of_new, model, rows)
    return {str(row["id"]) for row in rows} - existing


def update(session: Session, model: type[SQLModel], rows: Sequence[Row]) -> None:
    """Change the rows with these `id`s, which must be locked, or two transactions may deadlock."""
    if rows:
        _run(session.connection(), _change, model, rows)


def exists(
    session: Session, name: str, values: Sequence[int], models: Sequence[type[SQLModel]]
) -> bool:
    """Whether any of these tables has a row with one of the values in this column."""
    connection = session.connection()
    listed = (
        "SELECT value FROM json_each(:rows)"
        if connection.dialect.name == "sqlite"
        else "SELECT CAST(value AS integer) FROM json_array_elements_text(CAST(%(rows)s AS json))"
    )
    conditions = (
        f"EXISTS (SELECT 1 FROM {model.__tablename__} WHERE {name} IN ({listed}))"  # noqa: S608
        for model in models
    )
    statement = f"SELECT {' OR '.join(conditions)}"
    rows = orjson.dumps(values).decode()
    return bool(connection.exec_driver_sql(statement, {"rows": rows}).scalar())


def _run(connection: Connection, statement: Any, model: type[SQLModel], rows: Sequence[Row]) -> Any:
    table: Table = model.metadata.tables[str(model.__tablename__)]
    sqlite = connection.dialect.name == "sqlite"
    # The standard library's json took a fifth of what a batch costs in Python.
    option = orjson.OPT_PASSTHROUGH_DATETIME if sqlite else 0
    document = orjson.dumps(rows, default=_on_sqlite, option=option)
    values: dict[str, Any] = {"rows": document.decode()}
    if statement is _change:
        values["ids"] = [row["id"] for row in rows]
    return connection.exec_driver_sql(statement(table, tuple(rows[0]), connection.dialect), values)


@lru_cache(maxsize=256)  # a batch has the same time in many rows
def _on_sqlite(time: datetime) -> str:
    """A time as SQLAlchemy writes it into SQLite, so that both compare."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def _is_old(dialect: Dialect) -> bool:
    """True for a SQLite without RETURNING, which may lack UPDATE … FROM too."""
    return not dialect.insert_returning


@lru_cache(maxsize=64)
def _insertion(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    # After a bare FROM, SQLite parses ON as part of a join; WHERE makes it unambiguous.
    return (
        f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {', '.join(names)} "  # noqa: S608
        f"FROM {_unfolded(table, names, dialect)} AS fresh WHERE true"
    )


@lru_cache(maxsize=64)
def _insertion_of_new(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    returning = "" if _is_old(dialect) else " RETURNING id"
    return f"{_insertion(table, names, dialect)} ON CONFLICT (id) DO NOTHING{returning}"


def _selection_of_ids(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    fresh = _unfolded(table, names, dialect)
    return f"SELECT id FROM {table.name} WHERE id IN (SELECT id FROM {fresh} AS fresh)"  # noqa: S608


@lru_cache(maxsize=64)
def _change(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    if _is_old(dialect):
        changed = ", ".join(name for name in names if name != "id")
        fresh = f"{_unfolded(table, names, dialect)} AS fresh"
        return (
            f"UPDATE {table.name} SET ({changed}) = (SELECT {changed} FROM {fresh} "  # noqa: S608
            f"WHERE fresh.id = {table.name}.id) WHERE id IN (SELECT id FROM {fresh})"
        )
    changes = ", ".join(f"{name} = fresh.{name}" for name in names if name != "id")
    by_id = ""
    if dialect.name == "postgresql":  # its planner cannot know how few rows come, and scans all
        kind = table.c["id"].type.compile(dialect)
        by_id = f" AND {table.name}.id = ANY(CAST(%(ids)s AS {kind}[]))"
    return (
        f"UPDATE {table.name} SET {changes} FROM {_unfolded(table, names, dialect)} AS fresh "  # noqa: S608
        f"WHERE {table.name}.id = fresh.id{by_id}"
    )


def _unfolded(table: Table, names: tuple[str, ...], dialect: Dialect) -> str:
    """The JSON parameter as a table with these columns."""
    if dialect.name == "sqlite":
        values = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in names)
        return f"(SELECT {values} FROM json_each(:rows))"  # noqa: S608
    typed = ", ".join(f"{name} {table.c[name].type.compile(dialect)}" for name in names)
    return f"(SELECT * FROM json_to_recordset(CAST(%(rows)s AS json)) AS unfolded ({typed}))"  # noqa: S608

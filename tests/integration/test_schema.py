"""`store/db/models.py` is the schema: migrations and models describe the same database."""

import ast
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect
from sqlmodel import SQLModel

from store.catalog import seeding
from store.db import engine as db
from store.db import revision

INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": """
        SELECT indexname, indexdef FROM pg_indexes
        WHERE schemaname = current_schema() AND tablename <> 'alembic_version'
    """,
}


def catalog(connection: Connection) -> dict[str, Any]:
    """Columns, constraints and indexes of every table of the shop, as the database has them."""
    described, inspector = {}, inspect(connection)
    for table in set(inspector.get_table_names()) - {"alembic_version"}:
        described[table] = {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], _default(column))
                for column in inspector.get_columns(table)
            },
            "primary key": inspector.get_pk_constraint(table),
            "checks": sorted(each["sqltext"] for each in inspector.get_check_constraints(table)),
            "unique": sorted(
                each["column_names"] for each in inspector.get_unique_constraints(table)
            ),
            "references": sorted(
                (each["constrained_columns"], each["referred_table"])
                for each in inspector.get_foreign_keys(table)
            ),
        }
    statement = INDEXES[connection.dialect.name]
    described["indexes"] = {
        name: " ".join(sql.replace('"', "").split())
        for name, sql in connection.exec_driver_sql(statement)
    }
    return described


def _default(column: Any) -> str | None:
    """The column's default; that of an id is the business of its sequence."""
    return None if column["name"] == "id" else column["default"]


@pytest.mark.scenario("E9")
def test_alembic_finds_no_difference_between_models_and_migrations(empty: str) -> None:
    seeding.migrate()

    with db.engine().connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, SQLModel.metadata)

    assert differences == []


def test_models_alone_make_the_database_that_the_migrations_make(empty: str) -> None:
    """More than Alembic compares: conditions and collations of indexes, and check constraints."""
    seeding.migrate()
    with db.engine().connect() as connection:
        migrated = catalog(connection)
    with db.engine().execution_options(writes=True).begin() as connection:
        SQLModel.metadata.drop_all(connection)
        SQLModel.metadata.create_all(connection)

    with db.engine().connect() as connection:
        created = catalog(connection)

    assert created == migrated
    assert "one_payable_order_per_buyer" in created["indexes"]
    assert created["orders"]["checks"] == ["total_amount > 0"]


def test_migrations_import_nothing_of_the_shop() -> None:
    """What a migration does must not change with the code that it is not part of."""
    imported = {
        name
        for file in revision.VERSIONS.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (getattr(node, "module", None), *(alias.name for alias in node.names))
        if name
    }

    assert "sqlalchemy" in imported
    assert [name for name in imported if name.split(".")[0] == "store"] == []

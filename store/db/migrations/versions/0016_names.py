"""Rename tables, columns and event outcomes to the words that the code uses.

Only the catalog changes, apart from the two outcomes: no row of an order is rewritten. On
PostgreSQL the sequence, indexes and constraints that carry a table's name are renamed with it.

Revision ID: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

COLUMNS = (
    ("orders", "buyer", "buyer_hash"),
    ("orders", "session_status", "checkout_status"),
    ("orders", "cart_key", "cart_fingerprint"),
    ("turns", "began_at", "acquired_at"),
    ("turns", "done_until", "processed_until"),
)
TABLES = {"repeats": "order_checks", "turns": "leases"}
INDEXES = (
    ("orders", "cart_key", "orders", "cart_fingerprint"),
    ("repeats", "event_id", "order_checks", "event_id"),
    ("repeats", "order_id", "order_checks", "order_id"),
)
OUTCOMES = {"known": "no_change", "orphan": "unknown_order"}
NAMED_AFTER_A_TABLE = """
SELECT c.conname, t.relname FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname = current_schema() AND t.relname IN ('repeats', 'turns')
  AND left(c.conname, length(t.relname) + 1) = t.relname || '_'
"""


def upgrade() -> None:
    for table, old, new in COLUMNS:
        op.alter_column(table, old, new_column_name=new)
    if op.get_bind().dialect.name == "postgresql":
        rename_what_postgresql_named()
    else:
        for table, old, _, _ in INDEXES:
            op.drop_index(f"ix_{table}_{old}", table)
    for old, new in TABLES.items():
        op.rename_table(old, new)
    if op.get_bind().dialect.name == "sqlite":  # it cannot rename an index
        for _, _, table, column in INDEXES:
            op.create_index(f"ix_{table}_{column}", table, [column])
    events = sa.table("stripe_events", sa.column("outcome", sa.String))
    for old, new in OUTCOMES.items():
        op.execute(events.update().where(events.c.outcome == old).values(outcome=new))


def rename_what_postgresql_named() -> None:
    for old_table, old, new_table, new in INDEXES:
        op.execute(f"ALTER INDEX ix_{old_table}_{old} RENAME TO ix_{new_table}_{new}")
    op.execute("ALTER SEQUENCE repeats_id_seq RENAME TO order_checks_id_seq")
    for name, table in op.get_bind().exec_driver_sql(NAMED_AFTER_A_TABLE).all():
        renamed = TABLES[table] + name.removeprefix(table)
        op.execute(f'ALTER TABLE {table} RENAME CONSTRAINT "{name}" TO "{renamed}"')

"""The order of the products in the shop; the order that an event names which the shop ignores.

Revision ID: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

NAMES_AN_ORDER = sa.text("order_number IS NOT NULL")


def upgrade() -> None:
    op.add_column(
        "products", sa.Column("position", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("stripe_events", sa.Column("order_number", sa.String(), nullable=True))
    op.create_index(
        "events_naming_an_order",
        "stripe_events",
        ["order_number"],
        sqlite_where=NAMES_AN_ORDER,
        postgresql_where=NAMES_AN_ORDER,
    )

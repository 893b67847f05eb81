"""When the reconciler asks about an order or an event next, and how often that has failed;
under which Stripe key an order was placed.

Revision ID: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

TO_TRY = sa.text("next_try_at IS NOT NULL")


def upgrade() -> None:
    op.add_column(
        "orders", sa.Column("check_failures", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column("orders", sa.Column("next_check_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("orders", sa.Column("placed_under", sa.String(), nullable=True))
    op.add_column(
        "stripe_events", sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "events_to_try",
        "stripe_events",
        ["next_try_at"],
        sqlite_where=TO_TRY,
        postgresql_where=TO_TRY,
    )

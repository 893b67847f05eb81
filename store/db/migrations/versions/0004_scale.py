"""Let each query find its rows without reading the others, however many orders there are.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

UNDECIDED = sa.text(
    "(session_status IN ('none', 'open') OR status IN ('open', 'pending', 'processing', 'review'))"
)
UNSENT = sa.text("status = 'requested'")


def upgrade() -> None:
    op.drop_index(op.f("ix_orders_buyer"), "orders")
    op.drop_index(op.f("ix_orders_session_status"), "orders")
    op.create_index("orders_of_a_buyer", "orders", ["buyer", "id"])
    op.create_index(
        "undecided_orders", "orders", ["id"], sqlite_where=UNDECIDED, postgresql_where=UNDECIDED
    )
    op.create_index(
        "unsent_refunds", "refunds", ["id"], sqlite_where=UNSENT, postgresql_where=UNSENT
    )
    op.create_index("events_by_arrival", "stripe_events", ["received_at", "id"])
    op.create_table(
        "turns",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )

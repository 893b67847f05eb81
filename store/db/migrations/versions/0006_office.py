"""Index what the back office searches, filters and sums up.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index("orders_by_creation", "orders", ["created_at", "id"])
    op.create_index("orders_by_status", "orders", ["status", "created_at", "id"])
    op.drop_index("ix_orders_status", "orders")
    sums = ["paid_at", "currency", "total_amount", "refunded_amount"]
    op.create_index("orders_by_payment", "orders", sums)
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    folded = '(lower(email) COLLATE "C")' if on_postgresql else "lower(email)"
    op.create_index("orders_by_email", "orders", [sa.text(folded)])
    op.create_index("events_by_outcome", "stripe_events", ["outcome", "received_at", "id"])

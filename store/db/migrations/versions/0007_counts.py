"""Count a buyer's orders, lines and events in indexes alone.

Revision ID: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.drop_index("orders_of_a_buyer", "orders")
    op.create_index("orders_of_a_buyer", "orders", ["buyer", "id", "status", "payment_status"])
    op.create_index("lines_of_an_order", "order_log", ["order_id", "id"])
    op.drop_index("ix_order_log_order_id", "order_log")
    counted = ["order_id", "outcome", "deliveries"]
    op.create_index("events_of_an_order", "stripe_events", counted)
    op.drop_index("ix_stripe_events_order_id", "stripe_events")

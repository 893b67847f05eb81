"""Keep why a refund or dispute that was reported cannot be this order's.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("orders", sa.Column("refund_review_reason", sa.Text(), nullable=True))

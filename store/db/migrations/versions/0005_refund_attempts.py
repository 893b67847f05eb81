"""Count how often a refund was asked under a key of its own.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("refunds", sa.Column("attempt", sa.Integer(), nullable=False, server_default="1"))

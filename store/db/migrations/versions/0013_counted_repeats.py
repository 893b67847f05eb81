"""Count repetitions beyond the first twenty instead of listing each.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("repeats", sa.Column("times", sa.Integer(), server_default="1", nullable=False))

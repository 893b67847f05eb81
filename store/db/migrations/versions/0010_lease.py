"""Let a turn be a lease in its row, which ends by itself.

Revision ID: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("turns", sa.Column("holder", sa.String(), nullable=True))
    op.add_column("turns", sa.Column("held_until", sa.DateTime(timezone=True), nullable=True))

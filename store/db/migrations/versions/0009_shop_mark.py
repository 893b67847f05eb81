"""Give the shop a mark, by which its sessions at Stripe are known in a restored copy too.

Revision ID: 0009
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    marks = op.create_table(
        "shop_marks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(marks, [{"id": 1, "mark": f"shop_{secrets.token_hex(8)}"}])

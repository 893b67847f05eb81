"""Seed the three products of `data/products.toml`, priced in `CURRENCY`.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from store.catalog import products as catalog

revision = "0002"
down_revision = "0001"

products = sa.table(
    "products",
    sa.column("slug", sa.String),
    sa.column("name", sa.String),
    sa.column("description", sa.String),
    sa.column("unit_amount", sa.Integer),
    sa.column("currency", sa.String),
    sa.column("image", sa.String),
    sa.column("active", sa.Boolean),
    sa.column("updated_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    op.bulk_insert(products, catalog.seeds())

"""Seed the three products of `data/products.toml`, priced in `CURRENCY`.

Revision ID: 0002
"""

import tomllib

import sqlalchemy as sa
from alembic import op

from store import clock, money, settings

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
    currency = settings.current().currency
    listed = tomllib.loads((settings.ROOT / "data" / "products.toml").read_text("utf-8"))
    op.bulk_insert(
        products,
        [
            {
                "slug": product["slug"],
                "name": product["name"],
                "description": product["description"],
                "unit_amount": money.minor(product["price"], currency),
                "currency": currency,
                "image": product["image"],
                "active": True,
                "updated_at": clock.now(),
            }
            for product in listed["products"]
        ],
    )

"""Keep email addresses as they are searched, so that both databases find every alphabet.

Revision ID: 0011
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

BATCH = 1000
ORDERS = sa.table(
    "orders", sa.column("id", sa.Integer), sa.column("email"), sa.column("email_folded")
)


def upgrade() -> None:
    op.add_column("orders", sa.Column("email_folded", sa.String(), nullable=True))
    fold_what_is_there()
    op.drop_index("orders_by_email", "orders")
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    column = 'email_folded COLLATE "C"' if on_postgresql else "email_folded"
    op.create_index("orders_by_email", "orders", [sa.text(column)])


def fold_what_is_there() -> None:
    connection, last = op.get_bind(), 0
    change = (
        ORDERS.update()
        .where(ORDERS.c.id == sa.bindparam("place"))
        .values(email_folded=sa.bindparam("text"))
    )
    while True:
        rows = connection.execute(
            sa.select(ORDERS.c.id, ORDERS.c.email)
            .where(ORDERS.c.id > last, ORDERS.c.email.is_not(None))
            .order_by(ORDERS.c.id)
            .limit(BATCH)
        ).all()
        if not rows:
            return
        connection.execute(change, [{"place": row.id, "text": folded(row.email)} for row in rows])
        last = rows[-1].id


def folded(text: str) -> str:
    """As the shop folded text when this was written."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return unicodedata.normalize("NFKC", kept).casefold().replace("ı", "i")

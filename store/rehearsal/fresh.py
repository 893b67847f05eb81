"""A fresh demo while everything runs: both sides forget every order, the products are as seeded."""

from sqlalchemy import Connection
from sqlmodel import SQLModel, func, insert, select

from store import catalog, db
from store.models import Order, Product, ShopMark, Turn
from store.rehearsal.stand_in import StandIn, until

QUIET_SECONDS = 3
# Of no order; and whoever has a turn, or is placing an order, right now still needs them.
KEPT = (Turn.__tablename__, ShopMark.__tablename__)


def order_count() -> int:
    """How many orders a fresh demo would forget, everybody's."""
    with db.reading() as session:
        return session.exec(select(func.count()).select_from(Order)).one()


def forget(stripe: StandIn) -> None:
    """Stripe's side first: should this stop half way, the next time finishes it.

    Rows are deleted in one transaction and no table is dropped, so the other processes go on
    working on a shop that is merely empty.

    Raises:
        EmulatorSilent: nothing was forgotten.
        ProductsFileError, DatabaseUnavailable
    """
    products = catalog.seeds()
    until(lambda: not _on_the_way(stripe), QUIET_SECONDS)
    stripe.control("POST", "reset")
    with db.unit_of_work() as session:
        connection = session.connection()
        _hold_off_everybody(connection)
        for table in reversed(SQLModel.metadata.sorted_tables):
            if table.name not in KEPT:
                connection.execute(table.delete())
        connection.execute(insert(Product), products)


def _hold_off_everybody(connection: Connection) -> None:
    """Wait for those who write, and let others wait: else a row could come that refers to one
    that is going. As all do, orders first and events then; what else is written refers to one
    of them. SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE orders, stripe_events IN EXCLUSIVE MODE")


def _on_the_way(stripe: StandIn) -> bool:
    """True while an event is being delivered: it would arrive in the emptied shop."""
    now = stripe.control("GET", "clock")["now"]
    listed = stripe.control("GET", "deliveries?limit=50")
    return any(one["next_attempt_at"] and one["next_attempt_at"] <= now for one in listed)

"""A fresh demo while everything runs: both sides forget every order, the products are as seeded."""

from typing import Any

from sqlalchemy import Connection
from sqlmodel import SQLModel, col, func, insert, select

from store import catalog, db, shop_mark
from store.models import Order, Product, ShopMark, Turn
from store.rehearsal.errors import Untried
from store.rehearsal.stand_in import Document, StandIn, until

QUIET_SECONDS = 3
SETTLE_SECONDS = 0.5  # by then, a request that was on its way has made its session
ROUNDS = 5
# Of no order; and whoever has a turn, or is placing an order, right now still needs them.
KEPT = (Turn.__tablename__, ShopMark.__tablename__)


def order_count() -> int:
    """How many orders a fresh demo would forget, everybody's."""
    with db.reading() as session:
        return session.exec(select(func.count()).select_from(Order)).one()


def forget(stripe: StandIn) -> None:
    """Empty both sides while nobody can write to ours, and again where something came between.

    Rows are deleted in one transaction and no table is dropped, so the other processes go on
    working on a shop that is merely empty; a buyer whose order goes is told that there is none.
    Dead before the commit: our rows are there, and the next time finishes it. Two at once: the
    second waits for the first.

    A buyer's request that had read an order before may ask Stripe for its session afterwards.
    Such a session has no order, so both sides are emptied once more.

    Raises:
        EmulatorSilent: nothing was forgotten.
        Untried: buyers kept ordering.
        ProductsFileError, DatabaseUnavailable
    """
    products = catalog.seeds()
    until(lambda: not _on_the_way(stripe), QUIET_SECONDS)
    for _ in range(ROUNDS):
        _empty_both(stripe, products)
        if not until(lambda: _left_behind(stripe), SETTLE_SECONDS):
            return
    raise Untried("Buyers kept ordering meanwhile. Press Fresh demo again.")


def _empty_both(stripe: StandIn, products: list[dict[str, Any]]) -> None:
    with db.unit_of_work() as session:
        connection = session.connection()
        _hold_off_everybody(connection)
        for table in reversed(SQLModel.metadata.sorted_tables):
            if table.name not in KEPT:
                connection.execute(table.delete())
        connection.execute(insert(Product), products)
        stripe.control("POST", "reset")


def _left_behind(stripe: StandIn) -> bool:
    """True where the emulator has a session of this shop whose order is gone.

    An order is committed before its session is asked for, so the sessions are read first.
    """
    listed = list(stripe.every("checkout/sessions"))
    mark = shop_mark.known()
    ours = {s["metadata"].get("order_number") for s in listed if _is_ours(s, mark)}
    with db.reading() as session:
        found = session.exec(select(Order.number).where(col(Order.number).in_(ours)))
        return bool(ours - set(found))


def _is_ours(session: Document, mark: str | None) -> bool:
    return bool(mark) and session["metadata"].get(shop_mark.NAME) == mark


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

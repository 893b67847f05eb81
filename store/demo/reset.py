"""A fresh demo while everything runs: no orders on either side, and the products as seeded."""

from sqlmodel import col, func, select

from store.catalog import seeding
from store.db import engine as db
from store.db.models import Order
from store.demo.clients import EmulatorClient, NotApplicable, wait_until
from store.orders import queries

DELIVERY_TIMEOUT_SECONDS = 3
SETTLE_SECONDS = 0.5  # by then, a request that was under way has created its session
MAX_ROUNDS = 5


def warning() -> str:
    """The warning shown before everything is deleted."""
    with db.reading() as session:
        count = session.exec(select(func.count()).select_from(Order)).one()
    return (
        f"All orders of this shop ({count}), everybody's, are deleted here and in the emulator, "
        "and the products are as on the first day."
    )


def reset_demo(stripe: EmulatorClient) -> None:
    """Empty both sides while nothing can write to ours; repeat where something came between.

    If the process dies before the commit, our rows are still there, and the next reset finishes it.
    Of two resets at once, the second waits for the first.

    A buyer's request that had read an order before may create its session afterwards. Such a
    session has no order, so both sides are emptied again.

    Raises:
        EmulatorUnreachable, SettingsError, DatabaseUnavailable: nothing was deleted.
        NotApplicable: buyers kept ordering.
    """
    wait_until(lambda: not is_delivering(stripe), DELIVERY_TIMEOUT_SECONDS)
    for _ in range(MAX_ROUNDS):
        with seeding.emptied():
            stripe.control("POST", "reset")
        if not wait_until(lambda: _has_orphaned_session(stripe), SETTLE_SECONDS):
            return
    raise NotApplicable("Buyers kept ordering meanwhile. Press Fresh demo again.")


def _has_orphaned_session(stripe: EmulatorClient) -> bool:
    """True where the emulator has a session of this shop whose order is gone.

    An order is committed before its session is created, so the sessions are read first.
    """
    metadata = [session["metadata"] for session in stripe.list_all("checkout/sessions")]
    mark = queries.known_mark()
    ours = [data for data in metadata if mark and data.get(queries.MARK_NAME) == mark]
    numbers = {data.get("order_number") for data in ours}
    with db.reading() as session:
        existing = session.exec(select(Order.number).where(col(Order.number).in_(numbers)))
        return bool(numbers - set(existing))


def is_delivering(stripe: EmulatorClient) -> bool:
    """True while an event is due for delivery."""
    now = stripe.control("GET", "clock")["now"]
    deliveries = stripe.control("GET", "deliveries", limit=50)
    return any(d["next_attempt_at"] and d["next_attempt_at"] <= now for d in deliveries)

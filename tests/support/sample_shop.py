"""The shop on a database of a benchmark's own, with as many orders as it wants."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from store.catalog import seeding
from store.core import clock, settings
from store.db import engine as db
from store.stripe_api import transport

CHUNK = 10_000
AMOUNT = 3998
# A blank is a value that wins over a developer's own `.env`, and then counts as not set.
UNSET = (
    "STRIPE_SECRET_KEY STRIPE_PUBLISHABLE_KEY CURRENCY STORE_URL DEMO_CUSTOMER_EMAIL "
    "ADMIN_PASSWORD ALLOWED_HOSTS DEBUG CHECKOUT_MINUTES"
).split()


def environment(database_url: str, folder: Path, secret: str) -> dict[str, str]:
    """The settings of a process of the shop, whose reconciler does not disturb the measurement."""
    return {
        **dict.fromkeys(UNSET, " "),
        "DATABASE_URL": database_url,
        "DATA_DIR": str(folder),
        "STRIPE_WEBHOOK_SECRET": secret,
        "STRIPE_API_BASE": "http://127.0.0.1:9",
        "RECONCILE_SECONDS": "86400",
        "LOG_LEVEL": "ERROR",
    }


@contextmanager
def entered(settings_of: dict[str, str]) -> Iterator[None]:
    """This process as one of that shop's, with its schema up to date."""
    before = {name: os.environ.get(name) for name in settings_of}
    os.environ |= settings_of
    settings.current.cache_clear()
    try:
        seeding.migrate()
        yield
        db.engine().dispose()
    finally:
        db.engine_for.cache_clear()
        transport.client_for.cache_clear()
        settings.current.cache_clear()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def number(place: int) -> str:
    return f"BENCH-{place:09}"


def session_id(place: int) -> str:
    return f"cs_test_bench{place:050}"


def an_order(place: int, status: str) -> dict[str, Any]:
    """One row of `orders`, open at Stripe or paid; each has a buyer of its own."""
    now, paid = clock.now(), status == "paid"
    return {
        "number": number(place),
        "buyer_hash": f"{place:064}",
        "currency": "usd",
        "total_amount": AMOUNT,
        "status": status,
        "cart_fingerprint": f"{place:064x}",
        "attempt": 1,
        "idempotency_key": f"{place:064}",
        "checkout_parameters": "{}",
        "checkout_session_id": session_id(place),
        "checkout_url": f"https://checkout.stripe.com/c/pay/{session_id(place)}",
        "checkout_expires_at": now + timedelta(hours=1),
        "checkout_status": "complete" if paid else "open",
        "payment_status": "paid" if paid else "unpaid",
        "payment_intent_id": f"pi_bench{place:020}" if paid else None,
        "refunded_amount": 0,
        "created_at": now,
        "paid_at": now if paid else None,
        "updated_at": now,
    }


def fill(first: int, count: int, status: str = "open") -> None:
    """Put orders `first…first+count-1` into the database, and let it settle."""
    from store.db.models import Order  # noqa: PLC0415 - the settings come first

    table = Order.metadata.tables["orders"]
    for start in range(first, first + count, CHUNK):
        rows = [
            an_order(place, status) for place in range(start, min(start + CHUNK, first + count))
        ]
        with db.unit_of_work() as session:
            session.connection().execute(table.insert(), rows)
    if db.engine().dialect.name == "postgresql":
        with db.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE orders"))

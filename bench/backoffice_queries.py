"""What the back office costs with many orders: each of its questions, timed.

`python -m bench.backoffice_queries [--orders 1000000] [--database postgresql://…]`

Without a database a SQLite file in a temporary folder is filled. Orders come evenly over the
last two years, one in a hundred of them refunded. Prints the median of five askings each.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, timedelta
from types import SimpleNamespace
from unittest.mock import patch

from sqlmodel import col, select, text
from streamlit.testing.v1 import AppTest

from store.backoffice import auth
from store.backoffice.pages_orders import COUNTED
from store.backoffice.state import BACK_OFFICE
from store.catalog import seeding
from store.core import clock, settings
from store.db import engine as db
from store.db.models import Order
from store.reports import sales, search
from store.reports.search import OrderFilter

FILL_ORDERS = """
INSERT INTO orders (number, buyer_hash, currency, total_amount, status, cart_fingerprint,
  attempt, idempotency_key, checkout_parameters, checkout_session_id, checkout_expires_at,
  checkout_status, payment_status, payment_intent_id, refunded_amount, email, email_folded,
  created_at, paid_at, updated_at)
SELECT {number}, 'buyer' || i, 'usd', 1999, CASE WHEN i % 100 = 0 THEN 'refunded' ELSE 'paid' END,
  'cart' || i, 1, 'key' || i, '{{"mode": "payment"}}', 'cs_test_' || i, {at}, 'complete', 'paid',
  'pi_' || i, CASE WHEN i % 100 = 0 THEN 1999 ELSE 0 END, 'buyer' || i || '@example.com',
  'buyer' || i || '@example.com', {at}, {at}, {at} FROM {series}"""
FILL_ITEMS = """
INSERT INTO order_items (order_id, product_id, name, unit_amount, quantity)
SELECT id, 1 + id % 3, 'Red T-Shirt', 1999, 1 FROM orders"""
DIALECTS = {
    "sqlite": {
        "series": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n}) "
        "SELECT i FROM n)",
        "number": "printf('%08X-%08X', (i * 2654435761) % 4294967296, i)",
        "at": "strftime('%Y-%m-%d %H:%M:%f', julianday('now') - 730.0 * (1 - i * 1.0 / {n})) "
        "|| '000'",
    },
    "postgresql": {
        "series": "generate_series(1, {n}) AS i",
        "number": "upper(lpad(to_hex((i::bigint * 2654435761) % 4294967296), 8, '0') || '-' || "
        "lpad(to_hex(i), 8, '0'))",
        "at": "now() - interval '730 days' * (1 - i * 1.0 / {n})",
    },
}


def fill(count: int) -> None:
    words = {
        name: word.format(n=count) for name, word in DIALECTS[db.engine().dialect.name].items()
    }
    with db.engine().execution_options(writes=True).begin() as connection:
        if db.engine().dialect.name == "postgresql":
            connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text(FILL_ORDERS.format(**words).replace(":%M:%f", r"\:%M\:%f")))
        connection.execute(text(FILL_ITEMS))
        connection.execute(text("ANALYZE"))


def milliseconds(ask: Callable[[], object]) -> float:
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


def questions(count: int) -> dict[str, Callable[[], object]]:
    def orders(before: str = "", **wanted: object) -> Callable[[], object]:
        def ask() -> object:
            with db.reading() as session:
                return search.search_orders(session, OrderFilter(**wanted), before)  # type: ignore[arg-type]

        return ask

    def count_of(**wanted: object) -> Callable[[], object]:
        def ask() -> object:
            with db.reading() as session:
                return search.count_orders(session, OrderFilter(**wanted), COUNTED)  # type: ignore[arg-type]

        return ask

    def figures(days: int) -> Callable[[], object]:
        def ask() -> object:
            with db.reading() as session:
                return sales.sales_reports(session, days, UTC)

        return ask

    with db.reading() as session:
        number = session.exec(select(Order.number).where(col(Order.id) == count // 3)).one()
    today = clock.now().date()
    return {
        "the first page": orders(),
        "the last page": orders("60"),
        "a page of one status": orders(status="refunded"),
        "a status that nothing has": orders(status="review"),
        "a week a year ago": orders(
            since=today - timedelta(days=372), until=today - timedelta(days=365)
        ),
        "a status in that week": orders(
            status="refunded",
            since=today - timedelta(days=372),
            until=today - timedelta(days=365),
        ),
        "one number": orders(text=number),
        "a number's beginning": orders(text=number[:4]),
        "one address": orders(text=f"Buyer{count // 2}@Example.com"),
        "an address's beginning": orders(text="buyer1"),
        "an address nobody has": orders(text="nobody@"),
        "a payment at Stripe": orders(text=f"pi_{count // 2}"),
        "a product": orders(text="Red T-Shirt"),
        "how many orders": count_of(),
        "how many of a product": count_of(text="Red T-Shirt"),
        "figures of 7 days": figures(7),
        "figures of 30 days": figures(30),
        "figures of 90 days": figures(90),
    }


def page_reruns() -> dict[str, float]:
    """Milliseconds of processor time for a rerun of *Orders*: its script and its elements."""
    cookie = BACK_OFFICE.sessions.sign_in(auth.password(), "", "127.0.0.1")
    client = SimpleNamespace(cookies={auth.COOKIE: cookie}, headers=[])
    script = "from store.backoffice import pages_orders\npages_orders.render()"
    taken = {}
    with patch("streamlit.runtime.context._get_client_context", lambda: client):
        for name, searched in {"the page of Orders": "", "and one product's": "Red"}.items():
            page = AppTest.from_string(script, default_timeout=60)
            page.session_state["q"] = searched
            page.run()
            times = []
            for _ in range(5):
                started = time.process_time()
                page.run()
                times.append(time.process_time() - started)
            assert not page.exception
            taken[name] = statistics.median(times) * 1000
    return taken


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--database", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATA_DIR"] = folder
        os.environ["DATABASE_URL"] = arguments.database
        settings.current.cache_clear()
        seeding.migrate()
        fill(arguments.orders)
        sys.stdout.write(f"{arguments.orders:,} orders on {db.engine().dialect.name}\n")
        for name, ask in questions(arguments.orders).items():
            sys.stdout.write(f"{name:>28}  {milliseconds(ask):8.1f} ms\n")
        for name, taken in page_reruns().items():
            sys.stdout.write(f"{name:>28}  {taken:8.1f} ms of processor time for a rerun\n")
        db.engine().dispose()


if __name__ == "__main__":
    main()

"""A process that times queries on one database: it reads `name times` and writes milliseconds.

`python -m bench.scale.queries COUNT`, in the environment of a shop with so many orders.
"""

import random
import sys
import time
from collections.abc import Callable
from datetime import UTC

from sqlmodel import Session, text

from bench.scale import seed_history
from store.db import engine as db
from store.orders import queries, refunds
from store.reconciliation import open_orders
from store.reports import my_orders, order_detail, sales
from store.reports import search as listing

chance = random.Random(1)  # noqa: S311


def orders_of_buyer(session: Session, count: int) -> None:
    """All orders of a random buyer."""
    who = seed_history.buyer(chance.randrange(1, count + 1), count)
    assert my_orders.load(session, who).orders


def one_order(session: Session, count: int) -> None:
    place = chance.randrange(1, count + 1)
    who = seed_history.buyer(place, count)
    assert order_detail.load(session, queries.order_of_buyer(session, who, f"PAST-{place:09}"))


def reconcile(session: Session, _count: int) -> None:
    """What the reconciler reads before it asks Stripe."""
    open_orders.undecided_orders()
    refunds.pending_refunds(session)


def figures(session: Session, _count: int) -> None:
    assert sales.sales_reports(session, 30, UTC)


def first_page(session: Session, _count: int) -> None:
    assert listing.search_orders(session, listing.OrderFilter()).rows


def search(session: Session, count: int) -> None:
    email = f"buyer{chance.randrange(1, count + 1):09}@"
    assert listing.search_orders(session, listing.OrderFilter(text=email)).rows


QUERIES: dict[str, Callable[[Session, int], None]] = {
    "my orders": orders_of_buyer,
    "one order": one_order,
    "reconcile": reconcile,
    "back office: figures": figures,
    "back office: orders": first_page,
    "back office: search": search,
}


def milliseconds(name: str, times: int, count: int) -> float:
    """The median of so many runs, each in a transaction of its own."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        with db.reading() as session:
            QUERIES[name](session, count)
        taken.append((time.perf_counter() - started) * 1000)
    return sorted(taken)[times // 2]


def main() -> None:
    count = int(sys.argv[1])
    with db.reading() as session:
        session.connection().execute(text("SELECT 1"))
    sys.stdout.write(f"{'|'.join(QUERIES)}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        name, times = line.strip().rsplit(" ", 1)
        sys.stdout.write(f"{milliseconds(name, int(times), count)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

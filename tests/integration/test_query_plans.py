"""No question is answered by reading a table that grows with the shop from end to end.

The statements are those that the real functions send while a shop sells; the database itself
says how it would answer each. PostgreSQL, which would rather read a small table whole, or an index
in its order, is set not to, so that what it still reads whole has no index to go by.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlmodel import SQLModel, col, func, select

from store.backoffice import actions
from store.catalog import products
from store.core import clock
from store.db import engine as db
from store.db.models import Order
from store.orders import checkout, refunds
from store.reconciliation import reconciler, retention
from store.reports import (
    charge_summary,
    event_search,
    my_orders,
    order_detail,
    sales,
    search,
)
from store.reports.event_search import EventFilter
from store.reports.search import OrderFilter
from tests.support.shop import JEANS, Shop

SMALL = {"products", "leases"}  # as many rows as there are things to sell, and kinds of work
GROWING = set(SQLModel.metadata.tables) - SMALL
FEW = {"one_payable_order_per_buyer", "undecided_orders", "unfinished_refunds"}  # partial indexes
WORDS = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
Asked = dict[str, Any]  # a statement, and the values it came with last


@pytest.fixture(autouse=True)
def no_past(shop: Shop) -> None:
    """PostgreSQL also plans by the size of a table's file, which other tests have left behind."""
    if db.engine().dialect.name == "postgresql":
        with db.unit_of_work() as session:
            session.connection().exec_driver_sql(f"TRUNCATE {', '.join(sorted(GROWING))}")


@contextmanager
def listening() -> Iterator[Asked]:
    """Every statement that is sent to the database meanwhile."""
    asked: Asked = {}

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *more: Any) -> None:
        many = more[-1]
        if statement.lstrip().upper().startswith(WORDS):
            asked[statement] = values[0] if many else values

    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)


def read_whole(statement: str, values: Any) -> list[str]:
    """What the database would read from end to end, in its own words."""
    with db.engine().connect() as connection:
        if db.engine().dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            growing, whole = names_in(statement), "LIMIT" not in statement
            return [
                row.detail
                for row in plan
                if scans(row.detail, growing) or (whole and has_no_lower_bound(row.detail, growing))
            ]
        plan_anew(connection, "seqscan", "hashjoin", "mergejoin", "indexscan", "indexonlyscan")
        found: Any = connection.exec_driver_sql(
            f"EXPLAIN (FORMAT JSON) {statement}", values
        ).scalar()
        return list(walked(found[0]["Plan"]))


def plan_anew(connection: Connection, *without: str) -> None:
    """Let PostgreSQL plan without these ways, and as for tables it has never looked at.

    What it has learnt of the few rows that tests write, and of the many they have deleted, would
    make it go through the whole of an index now and then. All this ends with the transaction.
    """
    for way in without:
        connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
    names = {"names": sorted(GROWING)}
    connection.exec_driver_sql(
        "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relname = ANY(%(names)s)", names
    )
    connection.exec_driver_sql(
        "DELETE FROM pg_statistic USING pg_class"
        " WHERE starelid = pg_class.oid AND relname = ANY(%(names)s)",
        names,
    )


def names_in(statement: str) -> set[str]:
    """The growing tables, by every name that the statement gives them."""
    return GROWING | {
        alias
        for table, alias in re.findall(r"\b(\w+) AS (\w+)", statement, re.IGNORECASE)
        if table in GROWING
    }


def scans(detail: str, growing: set[str]) -> bool:
    """SQLite reads all of what it says SCAN of; SEARCH goes by an index."""
    words = detail.split()
    return words[0] == "SCAN" and words[1] in growing and words[-1] not in FEW


def has_no_lower_bound(detail: str, growing: set[str]) -> bool:
    """An index read up to some value is read from the first order there ever was."""
    words = detail.split()
    return words[1] in growing and re.search(r"\(\w+<\?\)$", detail) is not None


def walked(plan: dict[str, Any]) -> Iterator[str]:
    """PostgreSQL reads all of what it has no condition for."""
    by = plan.get("Index Name")
    if plan.get("Relation Name") in GROWING and plan["Node Type"] == "Seq Scan":
        yield f"{plan['Relation Name']} from end to end"
    if by and "Index Cond" not in plan and by not in FEW and not by.startswith("products"):
        yield f"all of {by}"
    for below in plan.get("Plans", []):
        yield from walked(below)


def sells(shop: Shop) -> None:
    """Everything that happens to orders, by each of the servers."""
    paid, given_back = shop.a_paid_order(), shop.a_paid_order({"sneakers": 1})
    shop.place({"red-t-shirt": 3})
    waiting = shop.an_open_order(JEANS)
    shop.stripe.emulator.refund(shop.payment_id(paid), 1000)
    shop.pay_a_second_session(paid)
    shop.dispute(paid)
    shop.deliver_all()
    shop.deliver_latest("checkout.session.completed")
    refunds.submit_refund(refunds.create_refund(given_back, 100, key="form-1"), source="operator")
    checkout.refresh_order(shop.buyer, waiting)
    checkout.cancel(shop.buyer, waiting)


def shows(shop: Shop) -> None:
    """What the pages ask."""
    shop.a_past("processing", *["paid"] * 7)
    shop.pay_a_second_session(shop.a_paid_order())
    shop.deliver_all()
    with db.reading() as session:
        products.active_products(session)
        mine = my_orders.of_buyer(shop.buyer)
        assert len(mine.orders) > my_orders.RECENT
        my_orders.newest_orders(session, shop.buyer, "paid", mine.orders, my_orders.PAGE_SIZE)
    for order in mine.orders:
        order_detail.of_buyer(shop.buyer, order.number)


def catches_up(shop: Shop) -> None:
    shop.pay_a_second_session(shop.a_paid_order(JEANS))
    shop.pay(shop.an_open_order())
    reconciler._run_with_lease(timedelta(0))
    reconciler.reconcile_everything()


def forgets(shop: Shop) -> None:
    shop.a_paid_order()
    shop.deliver_all()
    later = clock.now() + timedelta(days=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: later)
        retention.prune(30, 30)


def operates(shop: Shop) -> None:
    """What the back office asks, except for pages of lists, which the next test is about."""
    number = shop.a_paid_order()
    shop.deliver_all()
    with db.reading() as session:
        order = search.find_order(session, number)
        order_detail.load(session, order, for_operator=True)
        order_detail.refunds_of(session, order)
        sales.sales_reports(session, 90, UTC)
        event_search.event_detail(session, shop.event("checkout.session.completed")["id"])
        event_search.order_of_payload(session, shop.event("charge.succeeded"))
        for text in (number, "BCDF", "ada@", "cs_x", "pi_x", "re_x", "du_x", "evt_x"):
            search.search_orders(session, OrderFilter(text=text))
            event_search.find_events(session, EventFilter(text=text, outcome="applied"))
    actions.refresh_order("Ada", number)
    actions.refund("Ada", number, 100, key="0" * 32, shown_left=3998)
    actions.refetch_event("Ada", shop.event("checkout.session.completed")["id"])


@pytest.mark.parametrize("act", [sells, shows, catches_up, forgets, operates])
def test_no_question_reads_a_growing_table_whole(shop: Shop, act: Callable[[Shop], None]) -> None:
    """Only the audit, the export and the count of every status read all orders: all is asked."""
    with listening() as asked:
        act(shop)

    assert len(asked) > 3
    whole = {statement: read_whole(statement, values) for statement, values in asked.items()}
    assert {statement: found for statement, found in whole.items() if found} == {}


def test_a_page_of_a_list_is_read_in_the_order_of_an_index(shop: Shop) -> None:
    """Nothing is sorted, so that the database stops where the page ends, however long the list."""
    shop.a_paid_order()
    last = str(shop.orders()[-1].id)
    shop.deliver_all()
    event_id = next(iter(shop.inbox()))
    day = clock.now().date()
    filters = [OrderFilter(), OrderFilter(status="paid"), OrderFilter(since=day, until=day)]
    filters.append(OrderFilter(status="paid", since=day))
    with listening() as asked, db.reading() as session:
        for before in ("", last):
            for wanted in filters:
                search.search_orders(session, wanted, before)
        for before in ("", event_id):
            event_search.find_events(session, EventFilter(), before)
            event_search.find_events(session, EventFilter(outcome="applied"), before)
        event_search.event_types(session)
        for status in ("", "paid"):
            my_orders.newest_orders(session, shop.buyer, status)

    pages = {text: values for text, values in asked.items() if "LIMIT" in text}
    assert len(pages) == 15
    found = {text: unordered(text, values) for text, values in pages.items()}
    assert {text: lines for text, lines in found.items() if lines} == {}


def unordered(statement: str, values: Any) -> list[str]:
    """What the database would sort, or read without an index at all."""
    with db.engine().connect() as connection:
        if db.engine().dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            steps = [row.detail for row in plan]
            return [line for line in steps if "TEMP B-TREE" in line or " USING " not in line]
        plan_anew(connection, "seqscan", "sort", "bitmapscan")
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", values)
        steps = [str(row[0]) for row in plan]
        return [line for line in steps if "Sort" in line or "Seq Scan" in line]


def test_the_figures_of_a_buyer_are_counted_in_indexes_alone(shop: Shop) -> None:
    """Each order, line and event of a long past would be a page of its own to read."""
    shop.a_paid_order()
    with listening() as asked, db.reading() as session:
        charge_summary.status_counts(session, shop.buyer)

    ((statement, values),) = asked.items()
    with db.engine().connect() as connection:
        if db.engine().dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            read = [row.detail for row in plan if row.detail.startswith(("SEARCH", "SCAN"))]
            alone = [line for line in read if "COVERING INDEX" in line or line == "SCAN of_buyer"]
        else:
            plan_anew(connection, "seqscan", "bitmapscan")
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", values)
            read = [str(row[0]) for row in plan if " Scan " in str(row[0])]
            alone = [line for line in read if "Index Only Scan" in line]
    assert len(read) >= 5
    assert read == alone


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_figures_of_a_month_do_not_read_every_item_ever_sold(shop: Shop) -> None:
    """With all that PostgreSQL reckons with, in a shop of 100,000 orders, 500 of this month."""
    with listening() as asked, db.reading() as session:
        sales.sales_reports(session, 30, UTC)
    (items,) = (statement for statement in asked if "order_items" in statement)

    with db.engine().connect() as connection:
        for statement in PAST:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("ANALYZE orders, order_items")
        plan = connection.exec_driver_sql(f"EXPLAIN {items}", asked[items])
        assert [row[0] for row in plan if "Seq Scan on order_items" in row[0]] == []
    with db.engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM orders, order_items")  # else other tests read all that


PAST = (
    """
    INSERT INTO orders (number, buyer_hash, currency, total_amount, status, cart_fingerprint,
      attempt, idempotency_key, checkout_parameters, checkout_expires_at, checkout_status,
      payment_status, refunded_amount, created_at, paid_at, updated_at)
    SELECT i, i, 'usd', 3998, 'paid', i, 1, i, '', at, 'complete', 'paid', 0, at, at, at
    FROM (SELECT i, now() - interval '86.4 minutes' * i AS at FROM generate_series(1, 100000) i) p
    """,
    """
    INSERT INTO order_items (order_id, product_id, name, unit_amount, quantity)
    SELECT id, 1, 'Red T-Shirt', 1999, 2 FROM orders ORDER BY id DESC
    """,
)


def test_a_question_without_an_index_would_be_noticed(shop: Shop) -> None:
    with listening() as asked, db.reading() as session:
        session.exec(select(Order).where(col(Order.receipt_url) == "x")).all()
        session.exec(select(Order.id).order_by(col(Order.id))).all()
        session.exec(select(Order.status, func.count()).group_by(col(Order.status))).all()

    assert [bool(read_whole(statement, values)) for statement, values in asked.items()] == [
        True
    ] * 3

"""An event whose order is locked waits alone; no other event is delayed."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

import webhook_server
from store.db import engine as db
from tests.integration.test_webhook_batching import a_payment, send_load
from tests.support import sample_shop as stock
from tests.support.database_failures import ON_POSTGRESQL
from tests.support.shop import Shop

OTHERS = 300
DOZEN = 12
HELD = 1000  # the place of the order that somebody else holds
LOCK_SECONDS = 3  # how long what is locked waits; the others must not wait for half of that

pytestmark = ON_POSTGRESQL


def the_held_event() -> dict[str, Any]:
    return a_payment(HELD)


def lock_order(connection: Connection) -> None:
    statement = "SELECT id FROM orders WHERE number = %(number)s FOR UPDATE"
    connection.exec_driver_sql(statement, {"number": stock.number(HELD)})


def lock_event(connection: Connection) -> None:
    """Its row is there already and held, as by a program that looks at it and does not end."""
    connection.exec_driver_sql("SELECT id FROM stripe_events WHERE id = 'evt_1000' FOR UPDATE")


def insert_event(connection: Connection) -> None:
    """Another process is taking the same event in, and does not come to an end."""
    connection.exec_driver_sql(
        "INSERT INTO stripe_events (id, type, created_at, received_at, deliveries, outcome) "
        "VALUES ('evt_1000', 't', now(), now(), 1, 'applied')"
    )


@contextmanager
def held(act: Callable[[Connection], None]) -> Iterator[None]:
    with db.engine().connect() as connection, connection.begin() as transaction:
        act(connection)
        yield
        transaction.rollback()


@contextmanager
def sent_again_and_again(shop: Shop, event: dict[str, Any]) -> Iterator[list[int]]:
    """Four clients that post the same event as soon as it is answered; the statuses."""
    stop, statuses = threading.Event(), list[int]()

    def send() -> None:
        while not stop.is_set():
            statuses.append(shop.deliver(event).status_code)

    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(send) for _ in range(4)]
        try:
            yield statuses
        finally:
            stop.set()
            for sender in senders:
                sender.result(60)


@pytest.mark.scenario("J2")
@pytest.mark.parametrize("act", [lock_order, lock_event, insert_event])
def test_events_about_other_orders_do_not_wait_for_one_that_is_locked(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, act: Callable[[Connection], None]
) -> None:
    monkeypatch.setattr(db, "LOCK_SECONDS", LOCK_SECONDS)
    stock.fill(0, OTHERS)
    stock.fill(HELD, 1)
    if act is lock_event:
        shop.outcome(the_held_event())

    with held(act), sent_again_and_again(shop, the_held_event()) as statuses:
        met = send_load(shop.server.client.base_url.port or 0, connections=8, count=OTHERS)
        time.sleep(LOCK_SECONDS + 0.5)
        meanwhile = set(statuses)

    assert met.statuses == {"200": OTHERS}
    assert met.p99_milliseconds < LOCK_SECONDS * 1000 / 2
    assert meanwhile <= {503}
    assert shop.deliver(the_held_event()).status_code == 200
    assert shop.order(stock.number(HELD)).status == "paid"


@pytest.mark.scenario("J2")
@pytest.mark.parametrize("table", ["orders", "stripe_events"])
def test_a_dozen_locked_orders_delay_no_other_event(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    monkeypatch.setattr(db, "LOCK_SECONDS", LOCK_SECONDS)
    stock.fill(0, OTHERS)
    stock.fill(HELD, DOZEN)
    several = [a_payment(HELD + place) for place in range(DOZEN)]
    if table == "stripe_events":
        for event in several:
            shop.outcome(event)

    def lock_all(connection: Connection) -> None:
        names = {
            "orders": ("number", [stock.number(HELD + place) for place in range(DOZEN)]),
            "stripe_events": ("id", [event["id"] for event in several]),
        }
        column, values = names[table]
        statement = f"SELECT 1 FROM {table} WHERE {column} = ANY(%(values)s) FOR UPDATE"
        connection.exec_driver_sql(statement, {"values": values})

    with held(lock_all), ThreadPoolExecutor(DOZEN) as pool:
        waiting = [pool.submit(shop.deliver, event) for event in several]
        met = send_load(shop.server.client.base_url.port or 0, connections=8, count=OTHERS)
        statuses = {each.result().status_code for each in waiting}

    assert met.statuses == {"200": OTHERS}
    assert met.p99_milliseconds < LOCK_SECONDS * 1000 / 2
    assert statuses == {503}
    assert {shop.deliver(event).status_code for event in several} == {200}


TROUBLES = {
    "it is made to sleep": "PERFORM pg_sleep(60)",
    "it cannot be serialized": "RAISE EXCEPTION 'no' USING ERRCODE = '40001'",
    "it is in a deadlock": "RAISE EXCEPTION 'no' USING ERRCODE = '40P01'",
}


@pytest.mark.scenario("J2")
@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_an_event_that_the_database_never_gets_done_with_is_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    monkeypatch.setattr(db, "LOCK_SECONDS", 2)
    stock.fill(0, OTHERS)
    stock.fill(HELD, 1)
    with a_trigger(trouble), sent_again_and_again(shop, the_held_event()) as statuses:
        met = send_load(shop.server.client.base_url.port or 0, connections=8, count=OTHERS)

    assert met.statuses == {"200": OTHERS}
    assert set(statuses) == {503}
    monkeypatch.setattr(webhook_server.batcher, "committed_at", None)
    assert shop.outcome(the_held_event()) == "applied"  # by a thread for slow events
    assert webhook_server.batcher.committed_at


@contextmanager
def a_trigger(trouble: str) -> Iterator[None]:
    """Whoever inserts that event meets this trouble."""

    def run(statement: str) -> None:
        with db.engine().begin() as connection:
            connection.exec_driver_sql(statement.replace("%", "%%"))

    run(
        "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF NEW.id = 'evt_1000' THEN {trouble}; END IF; RETURN NEW; END $$"
    )
    run(
        "CREATE TRIGGER trouble BEFORE INSERT ON stripe_events "
        "FOR EACH ROW EXECUTE FUNCTION trouble()"
    )
    try:
        yield
    finally:
        run("DROP TRIGGER trouble ON stripe_events")
        run("DROP FUNCTION trouble()")


@pytest.mark.scenario("J2")
def test_an_order_unlocked_in_time_is_updated_by_the_same_request(shop: Shop) -> None:
    stock.fill(HELD, 1)

    with ThreadPoolExecutor(1) as pool:
        with held(lock_order):
            waiting = pool.submit(shop.outcome, the_held_event())
            time.sleep(0.5)
        outcome = waiting.result(30)

    assert outcome == "applied"

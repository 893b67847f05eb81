"""The database locked, read-only, full or gone: nothing is half done."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import event, text
from sqlmodel import Session, select

from store.core import settings
from store.core.errors import (
    DatabaseUnavailable,
    EventMalformed,
)
from store.db import engine as db
from store.db.models import Order
from store.orders import checkout
from store.webhooks import processing
from tests.support.database_failures import ON_POSTGRESQL, break_connections, full, read_only
from tests.support.shop import ON_SQLITE, Shop, at_once


@contextmanager
def locked(shop: Shop) -> Iterator[None]:
    """Somebody else writes, and does not come to an end."""
    with Session(db.engine()) as session, session.begin():
        session.connection(execution_options={"writes": True})
        session.exec(select(Order).with_for_update()).all()
        yield


@pytest.fixture
def impatient(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop that waits one second for a lock."""
    monkeypatch.setattr(db, "LOCK_SECONDS", 1)
    db.engine().dispose()
    db.engine_for.cache_clear()
    return shop


# --- E2: locked -----------------------------------------------------------------------------


@pytest.mark.scenario("E2")
def test_a_webhook_that_finds_the_database_locked_is_sent_again_and_not_lost(
    impatient: Shop,
) -> None:
    shop = impatient
    number = shop.an_open_order()
    shop.pay(number)
    completed = shop.event("checkout.session.completed")

    with locked(shop):
        answer = shop.deliver(completed)

    assert answer.status_code == 503
    assert shop.inbox() == {}
    assert shop.outcome(completed) == "applied"
    assert shop.order(number).status == "paid"


@pytest.mark.scenario("E2")
def test_a_buyer_who_finds_the_database_locked_has_not_been_charged(impatient: Shop) -> None:
    shop = impatient
    number = shop.an_open_order()

    with locked(shop), pytest.raises(DatabaseUnavailable, match="You have not been charged"):
        checkout.cancel(shop.buyer, number)

    assert shop.order(number).cancel_requested_at is None
    assert [session.status for session in shop.sessions()] == ["open"]


@pytest.mark.scenario("E2")
def test_who_waits_a_moment_for_the_lock_gets_it(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    taken, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(shop):
            taken.set()
            let_go.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(10)
    threading.Timer(0.3, let_go.set).start()

    assert shop.deliver_latest("checkout.session.completed") == "applied"
    holder.join()


@pytest.mark.scenario("E2", "D10")
def test_one_event_that_cannot_be_stored_does_not_hold_up_the_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    completed = shop.event("checkout.session.completed")
    burst = [completed | {"id": f"evt_{place}"} for place in range(12)]
    receive = processing.record_events

    def chokes(session: Session, arrivals: Any, **more: Any) -> Any:
        if any(arrival.id == "evt_7" for arrival in arrivals):
            raise EventMalformed
        return receive(session, arrivals, **more)

    monkeypatch.setattr(processing, "record_events", chokes)
    answers = at_once(12, lambda place: shop.deliver(burst[place]).status_code)

    assert answers == [200] * 7 + [400] + [200] * 4
    assert set(shop.inbox()) == {event["id"] for event in burst} - {"evt_7"}
    assert shop.log(number).count("paid") == 1


# --- E8: read-only, full, gone --------------------------------------------------------------


@ON_SQLITE
@pytest.mark.scenario("E8")
@pytest.mark.parametrize("trouble", [read_only, full])
def test_a_full_database_answers_503_and_confirms_no_payment(
    shop: Shop, trouble: Callable[[Any], None]
) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    completed = shop.event("checkout.session.completed")
    burst = [completed | {"id": f"evt_{place}_{'x' * 200}"} for place in range(40)]
    break_connections(trouble)

    statuses = {shop.deliver(event).status_code for event in [*burst, completed]}
    with pytest.raises(DatabaseUnavailable):
        shop.stripe.emulator.clear_faults()
        for _ in range(200):
            shop.place({"sneakers": 1}, buyer=f"buyer-{_}")

    assert 503 in statuses
    assert statuses <= {200, 503}
    kept = shop.inbox()
    db.engine().dispose()
    db.engine_for.cache_clear()
    assert shop.inbox() == kept
    assert (shop.order(number).status == "paid") == bool(kept)
    assert [shop.deliver(event).status_code for event in burst] == [200] * 40
    assert shop.order(number).status == "paid"


@ON_POSTGRESQL
@pytest.mark.scenario("E8", "E10")
def test_a_read_only_postgresql_answers_503_too(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    completed = shop.event("checkout.session.completed")
    db.engine().dispose()

    @event.listens_for(db.engine(), "begin")
    def _read_only(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    answer = shop.deliver(completed)

    assert answer.status_code == 503
    db.engine_for.cache_clear()
    assert shop.outcome(completed) == "applied"


@pytest.mark.scenario("E3")
def test_a_dead_connection_is_replaced_without_an_error(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    with db.reading() as session:
        connection = session.connection().connection.dbapi_connection
    assert connection is not None
    if db.engine().dialect.name == "postgresql":
        end_every_connection()

    assert shop.deliver_latest("checkout.session.completed") == "applied"
    assert shop.order(number).status == "paid"


def end_every_connection() -> None:
    """What a restarted server does to the connections in the pool."""
    admin = sqlalchemy.create_engine(settings.current().database, poolclass=sqlalchemy.NullPool)
    with admin.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


@pytest.mark.scenario("E8")
@pytest.mark.parametrize(
    "url", ["postgresql://nobody@127.0.0.1:1/none", "sqlite:////proc/nowhere/store.db"]
)
def test_a_database_that_cannot_be_reached_is_one_sentence_without_its_address(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    settings.current.cache_clear()

    with pytest.raises(DatabaseUnavailable) as refusal, db.unit_of_work():
        pass

    assert str(refusal.value) == DatabaseUnavailable.sentence
    db.engine_for.cache_clear()
    settings.current.cache_clear()

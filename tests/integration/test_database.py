"""The database locked, read-only, full, old, half migrated or too new: nothing is half done."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlmodel import Session, SQLModel, select

from store.catalog import seeding
from store.core import settings
from store.core.errors import (
    DatabaseUnavailable,
    EventMalformed,
    ProductsFileError,
    SchemaUnknown,
)
from store.db import engine as db
from store.db import revision
from store.db.models import Order, Product, Refund, StripeEvent
from store.orders import checkout
from store.webhooks import processing
from tests.support.shop import ON_SQLITE, Shop, at_once

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


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

    assert shop.tell("checkout.session.completed") == "applied"
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


def break_connections(act: Callable[[Any], None]) -> None:
    """Do something to every connection that is opened from now on."""
    db.engine().dispose()
    event.listen(db.engine(), "connect", lambda connection, _: act(connection))


def read_only(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")


def full(connection: sqlite3.Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")


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

    assert shop.tell("checkout.session.completed") == "applied"
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


# --- E9: the schema -------------------------------------------------------------------------


@pytest.fixture
def empty(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A shop whose database has no table yet."""
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("CURRENCY", raising=False)
    settings.current.cache_clear()
    yield empty_database_url
    db.engine().dispose()
    db.engine_for.cache_clear()
    settings.current.cache_clear()


def tables() -> set[str]:
    with db.engine().connect() as connection:
        return set(inspect(connection).get_table_names())


@pytest.mark.scenario("E9")
def test_migrating_creates_the_tables_of_the_models(empty: str) -> None:
    before = db.schema_is_current()

    seeding.migrate()

    assert not before
    assert db.schema_is_current()
    assert tables() == {*SQLModel.metadata.tables, "alembic_version"}
    with db.engine().connect() as connection:
        looked_at = inspect(connection)
        for name, table in SQLModel.metadata.tables.items():
            made = {column["name"]: column["nullable"] for column in looked_at.get_columns(name)}
            assert made == {column.name: column.nullable for column in table.columns}, name


@pytest.mark.scenario("E9")
def test_a_migration_that_fails_leaves_nothing_behind(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURRENCY", "isk")  # in which 19.99 cannot be charged
    settings.current.cache_clear()

    with pytest.raises(ProductsFileError, match="cannot be charged in ISK"):
        seeding.migrate()
    left = tables()
    monkeypatch.setenv("CURRENCY", "eur")
    settings.current.cache_clear()
    seeding.migrate()

    assert left == set()
    with db.reading() as session:
        prices = [
            (product.unit_amount, product.currency) for product in session.exec(select(Product))
        ]
    assert prices == [(1999, "eur"), (4999, "eur"), (7999, "eur")]


@pytest.mark.scenario("E9")
def test_an_older_schema_is_brought_up_to_date(empty: str) -> None:
    with db.engine().execution_options(writes=True).begin() as connection:
        config = db._alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    before = db.schema_is_current()

    seeding.migrate()
    seeding.migrate()

    assert (before, db.schema_is_current()) == (False, True)
    with db.reading() as session:
        assert len(session.exec(select(Product)).all()) == 3


@pytest.mark.scenario("E9")
def test_a_schema_of_a_newer_shop_is_refused_and_left_alone(shop: Shop) -> None:
    version("9999")

    with pytest.raises(SchemaUnknown):
        seeding.migrate()
    ready = shop.door.client.get("/readyz")

    assert not db.schema_is_current()
    assert ready.status_code == 503
    version(revision.newest_revision())
    assert db.schema_is_current()


def version(name: str) -> None:
    with db.unit_of_work() as session:
        session.connection().execute(
            text("UPDATE alembic_version SET version_num = :name"), {"name": name}
        )


@pytest.mark.scenario("E9", "E7")
def test_processes_that_migrate_at_once_do_it_once(empty: str, tmp_path: Path) -> None:
    line = "from store.catalog import seeding; seeding.migrate()"
    started = [
        subprocess.Popen([sys.executable, "-c", line], cwd=settings.ROOT, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[1] for process in started]

    assert [process.returncode for process in started] == [0, 0, 0], said
    with db.reading() as session:
        assert len(session.exec(select(Product)).all()) == 3


# --- what the database itself refuses -------------------------------------------------------


@pytest.mark.scenario("A1", "E10")
def test_a_second_payable_order_of_one_buyer_is_refused_by_the_database(shop: Shop) -> None:
    number = shop.place()
    first = shop.order(number)

    with pytest.raises(IntegrityError), db.unit_of_work() as session:
        copy = Order(**first.model_dump(exclude={"id"}))
        copy.number, copy.idempotency_key = "another", "another"
        session.add(copy)

    assert len(shop.orders()) == 1


@pytest.mark.parametrize(
    "name", ["number", "idempotency_key", "checkout_session_id", "payment_intent_id"]
)
@pytest.mark.scenario("E10")
def test_order_identifiers_are_unique(shop: Shop, name: str) -> None:
    first = shop.order(shop.a_paid_order())
    fresh = {"number": "n", "idempotency_key": "k", "checkout_session_id": "s"}
    fresh |= {"payment_intent_id": "p", name: getattr(first, name)}

    with pytest.raises(IntegrityError), db.unit_of_work() as session:
        session.add(Order(**first.model_dump(exclude={"id"}) | fresh))

    assert len(shop.orders()) == 1


@pytest.mark.scenario("E10", "F1")
def test_an_event_and_a_refund_are_stored_once(shop: Shop) -> None:
    order = shop.order(shop.a_paid_order())
    now = datetime.now(UTC)
    refund: dict[str, Any] = {"order_id": order.id, "payment_intent_id": "pi_1", "amount": 1}

    for twins in (
        [StripeEvent(id="evt_1", type="t", created_at=now) for _ in range(2)],
        [Refund(**refund, idempotency_key="k") for _ in range(2)],
        [Refund(**refund, idempotency_key=key, stripe_refund_id="re_1") for key in "ab"],
    ):
        for twin in twins[:1]:
            with db.unit_of_work() as session:
                session.add(twin)
        with pytest.raises(IntegrityError), db.unit_of_work() as session:
            session.add(twins[1])


@pytest.mark.scenario("E10")
def test_a_line_without_its_order_is_refused(shop: Shop) -> None:
    with pytest.raises(IntegrityError), db.unit_of_work() as session:
        session.add(Refund(order_id=4711, payment_intent_id="p", amount=1, idempotency_key="k"))

    assert shop.refunds() == []


@pytest.mark.scenario("E10")
def test_timestamps_are_read_back_in_utc(shop: Shop) -> None:
    number = shop.place()
    written = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=5)))

    with db.unit_of_work() as session:
        session.exec(select(Order)).one().created_at = written

    read = shop.order(number).created_at
    assert (read, read.tzinfo) == (written, UTC)


@ON_SQLITE
@pytest.mark.scenario("E1")
def test_sqlite_answers_nothing_that_is_not_on_disk(shop: Shop) -> None:
    with db.reading() as session:
        found = {
            name: session.connection().exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 5000,
    }


@pytest.mark.scenario("E1")
def test_a_failed_transaction_leaves_nothing(shop: Shop) -> None:
    number = shop.place()

    with pytest.raises(MemoryError), db.unit_of_work() as session:
        session.exec(select(Order)).one().status = "paid"
        session.flush()
        raise MemoryError

    assert shop.order(number).status == "pending"


@ON_POSTGRESQL
def test_an_error_that_is_no_outage_keeps_its_name(shop: Shop) -> None:
    with pytest.raises(ProgrammingError), db.reading() as session:
        session.connection().exec_driver_sql("SELECT nothing FROM nowhere")


def test_the_newest_schema_is_known_without_the_library_that_makes_it() -> None:
    known = ScriptDirectory.from_config(db._alembic()).get_current_head()

    assert revision.newest_revision() == known


@ON_SQLITE
def test_sqlite3_schema_check_agrees_with_alembic(shop: Shop) -> None:
    file = Path(settings.current().database.removeprefix("sqlite:///"))
    assert revision.is_current_in(file)

    for there in ("0001", "9999"):
        version(there)
        assert not revision.is_current_in(file)
        assert not db.schema_is_current()


def test_the_sqlite3_schema_check_creates_nothing_and_trusts_nothing(tmp_path: Path) -> None:
    for file in (missing := tmp_path / "none.db", nonsense := tmp_path / "what?#%.db"):
        assert not revision.is_current_in(file)
        assert not missing.exists()
        nonsense.write_text("This is no database, though long enough to be read as one. " * 20)

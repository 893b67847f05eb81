"""What the database guarantees: constraints, transactions, durability."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlmodel import select

from store.db import engine as db
from store.db.models import Order, Refund, StripeEvent
from tests.support.database_failures import ON_POSTGRESQL
from tests.support.shop import ON_SQLITE, Shop


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

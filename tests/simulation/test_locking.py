"""Everything about an order goes through one lock."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.core.errors import NothingToRefund
from store.db import engine as db
from store.db.models import Refund
from store.orders import batch, refunds
from tests.simulation.in_process_shop import SimulatedShop, set_up
from tests.simulation.invariants import Records
from tests.simulation.test_crashes import Purchase

A_MOMENT_SECONDS = 0.3
LONG_SECONDS = 20


@pytest.fixture
def paid(database_url: str, tmp_path: Path) -> Iterator[str]:
    """The number of an order that is paid, and of which nothing has gone back."""
    with set_up(database_url, tmp_path) as simulated:
        yield bought(simulated, database_url)


def bought(simulated: SimulatedShop, database_url: str) -> str:
    records = Records(simulated, database_url)
    number = Purchase(simulated, records, "buyer").bought()
    records.close()
    return number


@pytest.mark.scenario("F1", "E7")
def test_reading_the_refundable_amount_waits_for_the_order_lock(paid: str) -> None:
    """Two refunds at once: the second counts only after the first is written."""
    outcome: list[str] = []

    def ask() -> None:
        try:
            refunds.create_refund(paid, None, key="the second")
            outcome.append("written down")
        except NothingToRefund:
            outcome.append("nothing left")

    second = threading.Thread(target=ask)
    with db.unit_of_work() as session:
        order = batch.lock_orders(session, [paid]).orders[paid]
        second.start()
        second.join(A_MOMENT_SECONDS)
        waited = second.is_alive()
        session.add(
            Refund(
                order_id=order.id or 0,
                payment_intent_id=order.payment_intent_id or "",
                amount=order.total_amount,
                idempotency_key="the first",
            )
        )
    second.join(LONG_SECONDS)

    assert waited
    assert outcome == ["nothing left"]

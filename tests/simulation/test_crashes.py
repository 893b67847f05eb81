"""H3: the process dies at every commit and at every call of Stripe, on both sides of each.

Each story runs again and again: the first time it dies at the first such place, then at the
second, until it reaches its end. After each death a new process starts. Then either the
reconciler alone has to put things right, or the person who was cut off simply tries again. The
one is tried at every second place (on PostgreSQL at every third), the other at those between;
CRASH_EVERY=1 tries both at all.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Literal

import pytest
from sqlmodel import col, delete, select

from store.catalog import products
from store.core import clock
from store.core.errors import JustBought, OtherOrderPaid, StoreError, StripeUncertain
from store.db import engine as db
from store.db.models import Dispute, HistoryEntry, Order, OrderItem, Refund, StripeEvent
from store.orders import checkout, refunds
from store.orders.status_rules import PAID
from store.reconciliation import audit, reconciler
from store.reports.cart import Cart
from stripe_emulator.resources import checkout_sessions
from tests.simulation.in_process_shop import STORE_URL, STRAY, Crash, SimulatedShop, set_up
from tests.simulation.invariants import Records
from tests.support import counting

Then = Literal["the reconciler alone", "the same person again"]
SHIRTS = {"red-t-shirt": 2}
JEANS = {"blue-jeans": 1}
EVERY = os.environ.get("CRASH_EVERY", "")
VISA = "4242424242424242"


class Story(ABC):
    """What one buyer does; `act` is what may be cut off, and `act` again must mend it."""

    def __init__(self, simulated: SimulatedShop, records: Records, buyer: str) -> None:
        self.simulated, self.records, self.buyer = simulated, records, buyer
        self.number = ""

    def prepare(self) -> None:  # noqa: B027 - most stories have nothing before them
        """What happened before, without an accident."""

    @abstractmethod
    def act(self) -> None:
        """What is cut off somewhere. Told again after that, it goes on where it was."""

    @abstractmethod
    def ends_well(self, then: Then) -> None:
        """How it must have ended."""

    # --- what stories are made of -----------------------------------------------------------

    def place(self, cart: dict[str, int]) -> str:
        with db.reading() as session:
            shown = Cart.of(products.active_products(session), cart).total
        return checkout.place(self.buyer, cart, shown_amount=shown, store_url=STORE_URL)

    def go_and_pay(self, number: str) -> None:
        address = checkout.checkout_url(self.buyer, number)
        if "/c/pay/" in address:
            self.pay(address.rsplit("/", 1)[1])

    def pay(self, session_id: str) -> None:
        self.simulated.emulator.checkout.pay_with_card(
            session_id, number=VISA, expiry="12/34", cvc="123", name="Ada", email="a@example.com"
        )

    def bought(self) -> str:
        number = self.place(SHIRTS)
        self.go_and_pay(number)
        checkout.refresh_order(self.buyer, number)
        return number

    def deliver(self) -> None:
        while due := self.simulated.due():
            self.simulated.carry(due)

    def mine(self) -> list[dict[str, object]]:
        """The buyer's orders, oldest first."""
        return [
            order for order in self.records.orders.values() if order["buyer_hash"] == self.buyer
        ]

    def at_stripe(self, status: str) -> int:
        """How many of the buyer's sessions have this status at Stripe."""
        numbers = {order["number"] for order in self.mine()}
        return sum(
            session["metadata"]["order_number"] in numbers and session["status"] == status
            for session in self.records.sessions
        )

    def refunded_at_stripe(self) -> list[int]:
        """The amounts that went back to this buyer."""
        numbers = {order["number"] for order in self.mine()}
        return [
            refund["amount"]
            for refund in self.records.stripes["refund"].values()
            if refund["metadata"].get("order_number") in numbers
        ]


class Purchase(Story):
    """Cart, order, Stripe, back to the shop, and the webhooks besides."""

    def act(self) -> None:
        try:
            self.number = self.place(SHIRTS)
        except JustBought:  # an earlier run was cut off after the payment
            mine = select(Order.number).where(col(Order.buyer_hash) == self.buyer)
            with db.reading() as session:
                self.number = session.exec(mine.where(col(Order.paid_at).is_not(None))).one()
        self.go_and_pay(self.number)
        checkout.refresh_order(self.buyer, self.number)
        self.deliver()

    def ends_well(self, then: Then) -> None:
        paid = [order for order in self.mine() if order["payment_status"] in PAID]
        assert len(paid) == self.at_stripe("complete")
        assert len(self.mine()) - len(paid) == self.at_stripe("open")
        assert [order["status"] for order in paid] == ["paid"] * len(paid)
        if then == "the same person again":
            assert [order["status"] for order in self.mine()] == ["paid"]
        else:
            assert all(order["status"] in ("paid", "open") for order in self.mine())


class Cancellation(Story):
    """An open order is cancelled."""

    def prepare(self) -> None:
        self.number = self.place(SHIRTS)
        checkout.checkout_url(self.buyer, self.number)

    def act(self) -> None:
        checkout.cancel(self.buyer, self.number)
        self.deliver()

    def ends_well(self, then: Then) -> None:
        (order,) = self.mine()
        asked = order["cancel_requested_at"] is not None
        assert asked or then == "the reconciler alone"
        assert order["status"] == ("canceled" if asked else "open")
        assert self.at_stripe("expired") == asked
        assert self.at_stripe("open") == (not asked)


class LateCancellation(Cancellation):
    """An order is cancelled in one tab after it was paid in another: money wins."""

    def prepare(self) -> None:
        self.number = self.place(SHIRTS)
        self.go_and_pay(self.number)

    def act(self) -> None:
        try:
            checkout.cancel(self.buyer, self.number)
        except OtherOrderPaid:
            self.deliver()

    def ends_well(self, then: Then) -> None:
        (order,) = self.mine()
        assert order["status"] == "paid"
        assert self.at_stripe("complete") == 1


class Replacement(Story):
    """A second cart takes the place of an open order."""

    def prepare(self) -> None:
        self.number = self.place(SHIRTS)
        checkout.checkout_url(self.buyer, self.number)

    def act(self) -> None:
        checkout.checkout_url(self.buyer, self.place(JEANS))
        self.deliver()

    def ends_well(self, then: Then) -> None:
        statuses = [order["status"] for order in self.mine()]
        assert self.at_stripe("open") == statuses.count("open") <= 1
        if then == "the same person again":
            assert statuses == ["canceled", "open"]


class MoneyBack(Story):
    """A part of a paid order goes back."""

    def prepare(self) -> None:
        self.number = self.bought()

    def act(self) -> None:
        wish = refunds.create_refund(self.number, 1500, key=f"form-of-{self.number}")
        refunds.submit_refund(wish, source="operator")
        self.deliver()

    def ends_well(self, then: Then) -> None:
        (order,) = self.mine()
        wished = [row for row in self.records.refunds.values() if row["order_id"] == order["id"]]
        assert wished or then == "the reconciler alone"
        assert self.refunded_at_stripe() == [1500] * len(wished)
        assert [row["status"] for row in wished] in ([], ["succeeded"])
        assert order["status"] == ("partially_refunded" if wished else "paid")


class MoneyBackAfterAFailure(MoneyBack):
    """The same, but Stripe answers the first request with a failure that it keeps repeating."""

    def prepare(self) -> None:
        super().prepare()
        self.simulated.emulator.inject_fault("request", "error_kept", match="POST /v1/refunds")

    def act(self) -> None:
        with suppress(StripeUncertain):
            super().act()
        super().act()


class LostSession(Story):
    """Stripe forgets the session of an open order; the buyer presses Pay once more."""

    def prepare(self) -> None:
        self.number = self.place(SHIRTS)
        session_id = checkout.checkout_url(self.buyer, self.number).rsplit("/", 1)[1]
        self.simulated.forget_session(session_id)
        self.simulated.clock.seconds += 120

    def act(self) -> None:
        with suppress(JustBought):
            number = self.place(SHIRTS)
            with suppress(StoreError):  # the first click finds out, the second one buys
                checkout.checkout_url(self.buyer, number)
            number = self.place(SHIRTS)
            self.go_and_pay(number)
            checkout.refresh_order(self.buyer, number)
        self.deliver()

    def ends_well(self, then: Then) -> None:
        first, *others = self.mine()
        paid = [order for order in others if order["payment_status"] in PAID]
        assert first["checkout_status"] == "expired"
        assert first["status"] not in ("open", "paid")
        assert len(paid) == self.at_stripe("complete") <= 1
        if then == "the same person again":
            assert [order["status"] for order in others] == ["paid"]


class SecondPayment(Story):
    """A paid order is paid once more through a session that is not the shop's."""

    def prepare(self) -> None:
        self.number = self.bought()
        self.deliver()
        ours = {"order_number": self.number}
        price = {"currency": "usd", "unit_amount": 3998, "product_data": {"name": "A thing"}}
        with self.simulated.emulator.account.writing() as records:
            stray = checkout_sessions.create(
                records,
                {
                    "mode": "payment",
                    "success_url": STORE_URL,
                    "line_items": [{"price_data": price, "quantity": 1}],
                    "metadata": ours | {STRAY: "yes"},
                    "payment_intent_data": {"metadata": ours},
                },
            )
        self.pay(stray["id"])

    def act(self) -> None:
        self.deliver()
        reconciler.reconcile_recent(clock.now() - timedelta(hours=1))

    def ends_well(self, then: Then) -> None:
        (order,) = self.mine()
        assert self.refunded_at_stripe() == [3998]
        assert order["status"] == "paid"
        assert order["refunded_amount"] == 0


class RefusedSecondPayment(SecondPayment):
    """The same, and Stripe refuses to give it back the first time."""

    def prepare(self) -> None:
        super().prepare()
        self.simulated.emulator.inject_fault(
            "request", "refuse", times=1, match="POST /v1/refunds", value="insufficient_funds"
        )

    def act(self) -> None:
        super().act()
        self.simulated.clock.seconds += 3_600
        reconciler.reconcile_recent(clock.now() - timedelta(hours=2))

    def ends_well(self, then: Then) -> None:
        self.simulated.clock.seconds += 3_600  # where the first refusal came after the death
        reconciler.reconcile_recent(clock.now() - timedelta(hours=3))
        self.deliver()
        self.records.check()
        super().ends_well(then)


class BesideAStuckOrder(Purchase):
    """A purchase is settled by the reconciler alone, beside an order that cannot be looked up."""

    def prepare(self) -> None:
        number = checkout.place(
            f"stuck-{self.buyer}", JEANS, shown_amount=4999, store_url=STORE_URL
        )
        address = checkout.checkout_url(f"stuck-{self.buyer}", number)
        self.simulated.emulator.inject_fault(
            "request", "rate_limit", times=None, match=address.rsplit("/", 1)[1]
        )
        self.simulated.clock.seconds += 60

    def act(self) -> None:
        with suppress(JustBought):
            self.number = self.place(SHIRTS)
            self.go_and_pay(self.number)
        self.simulated.clock.seconds += 60
        reconciler.reconcile_recent(clock.now() - timedelta(hours=1))


class BroughtBack(Story):
    """An older copy of the database lacks a paid order; reconciling brings it back."""

    def prepare(self) -> None:
        self.number = self.bought()
        self.deliver()
        with db.unit_of_work() as session:
            (order,) = session.exec(select(Order).where(col(Order.number) == self.number))
            for table in (OrderItem, HistoryEntry, Refund, Dispute):
                session.exec(delete(table).where(col(table.order_id) == order.id))
            session.exec(delete(StripeEvent).where(col(StripeEvent.order_id) == order.id))
            session.delete(order)
        self.simulated.arrived.clear()
        self.records.accept_deletions()

    def act(self) -> None:
        reconciler.reconcile_everything()

    def ends_well(self, then: Then) -> None:
        reconciler.reconcile_everything()  # its pass reads the events of an hour only
        self.records.check()
        orders = [row for row in self.records.orders.values() if row["number"] == self.number]
        assert [row["status"] for row in orders] == ["paid"]


STORIES: tuple[type[Story], ...] = (
    Purchase,
    Cancellation,
    LateCancellation,
    Replacement,
    MoneyBack,
    MoneyBackAfterAFailure,
    SecondPayment,
    LostSession,
    RefusedSecondPayment,
    BesideAStuckOrder,
    BroughtBack,
)


@pytest.fixture
def simulated(database_url: str, tmp_path: Path) -> Iterator[SimulatedShop]:
    with set_up(database_url, tmp_path) as made:
        yield made


@pytest.mark.scenario("H3", "E1", "E6", "B4")
@pytest.mark.parametrize("then", ["the reconciler alone", "the same person again"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_a_crash_at_any_commit_or_call_neither_loses_nor_doubles(
    story: type[Story], then: Then, simulated: SimulatedShop, database_url: str
) -> None:
    records = Records(simulated, database_url)
    every = int(EVERY or (2 if database_url.startswith("sqlite") else 3))
    first = 1 if then == "the reconciler alone" else every // 2 + 1
    for place in count(first, every):
        simulated.clock.seconds += 7_200  # what earlier runs left open has expired
        run = story(simulated, records, f"buyer-{place}")
        run.prepare()
        died_at = die_at(simulated, place, run.act)
        if died_at is None:
            break
        simulated.restart()
        simulated.clock.seconds += 10
        if then == "the same person again":
            run.act()
        else:
            for _ in range(2):  # the first may find out that something needs a new key
                reconciler.reconcile_recent(clock.now() - timedelta(hours=1))
        run.deliver()
        records.check()
        run.ends_well(then)
        counting.count("crashes")
    reconciler.reconcile_recent()
    records.read()
    records.judge()
    assert audit.audit().agrees
    records.close()


def die_at(simulated: SimulatedShop, place: int, act: Callable[[], None]) -> str | None:
    """Let the process die at this place of the story; None where it is over before."""
    passed = 0

    def count_down(where: str) -> None:
        nonlocal passed
        passed += 1
        if passed == place:
            raise Crash(where)

    simulated.points.act = count_down
    try:
        act()
    except Crash as crash:
        return str(crash)
    finally:
        simulated.points.act = lambda _place: None
    return None

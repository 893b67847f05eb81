"""What every scenario works with: a buyer who really buys, and the emulator's controls.

Everything goes through the shop's own interfaces: the order is placed as the pay button places
it, paid at the emulator as on its pay page, and reported by signed webhooks.
"""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from store.catalog import products as catalog
from store.core.errors import OtherOrderPaid, StoreError
from store.db import engine as db
from store.db.models import Order, StripeEvent
from store.demo.clients import (
    COMPLETED,
    Document,
    EmulatorClient,
    NotApplicable,
    WebhookClient,
    wait_until,
)
from store.demo.comparison import RehearsedOrder, compare_orders
from store.orders import checkout, queries
from store.reports.cart import Cart

WEBHOOK_DELAY_SECONDS = "20"  # for a scenario that delivers the event itself before that
WEBHOOK_TIMEOUT_SECONDS = 15
MAX_TRIES = 3
Result = TypeVar("Result")


@dataclass
class ScenarioContext:
    """`buyer` is the hash of the buyer who orders; `numbers` collects the orders placed."""

    buyer: str
    store_url: str
    stripe: EmulatorClient = field(default_factory=EmulatorClient.current)
    email: str = "ada@example.com"
    numbers: list[str] = field(default_factory=list)

    @property
    def webhooks(self) -> WebhookClient:
        """The running webhook server; raises `NoWebhookServer`."""
        return WebhookClient.connect(self.stripe)

    def place(self, cart: dict[str, int] | None = None) -> str:
        """Press Pay with no other order open; the order's number."""
        self.cancel_payable_order()
        number = self.press_pay(cart)
        self.numbers.append(number)
        return number

    def cancel_payable_order(self) -> None:
        with db.reading() as session:
            payable = checkout.payable_order(session, self.buyer)
        if payable:
            self.cancel(payable.number)

    def press_pay(self, cart: dict[str, int] | None = None) -> str:
        with db.reading() as session:
            products = catalog.active_products(session)
        cart = cart or {products[0].slug: 1}
        return checkout.place(
            self.buyer,
            cart,
            shown_amount=Cart.of(products, cart).total,
            store_url=self.store_url,
            again=True,
        )

    def open(self, cart: dict[str, int] | None = None) -> str:
        """A new order with an open Checkout Session."""
        number = self.place(cart)
        checkout.checkout_url(self.buyer, number)
        return number

    def pay(self, number: str, card: str = "4242424242424242") -> None:
        self.stripe.pay(self.session_id(number), card, self.email)

    def paid(self) -> str:
        """A new order that is paid, also in our database."""
        number = self.open()
        self.pay(number)
        checkout.refresh_order(self.buyer, number)
        return number

    def paid_with_webhook_delayed(self) -> tuple[str, Document]:
        """A paid order whose webhook has not arrived, and its event for the scenario to deliver.

        Delayed, not dropped: if the fault meets another visitor's payment, that webhook still
        comes.
        """
        for _ in range(MAX_TRIES):
            number = self.open()
            with self.stripe.fault("delivery", "delay", COMPLETED, value=WEBHOOK_DELAY_SECONDS):
                self.pay(number)
            event = self.stripe.event_of(self.session_id(number))
            if not self.stripe.attempts(event["id"]):
                return number, event
        raise NotApplicable("Other payments keep coming in between. Try again in a quiet moment.")

    def cancel(self, number: str) -> None:
        with suppress(OtherOrderPaid):
            checkout.cancel(self.buyer, number)

    def order(self, number: str) -> Order:
        with db.reading() as session:
            return queries.order_of_buyer(session, self.buyer, number)

    def session_id(self, number: str) -> str:
        if session_id := self.order(number).checkout_session_id:
            return session_id
        raise NotApplicable("This order never reached Stripe.")

    def payment_id(self, number: str) -> str:
        """The payment at Stripe, whether our database knows it or not."""
        return str(self.stripe.session(self.session_id(number))["payment_intent"])

    def compare(self, number: str) -> RehearsedOrder:
        return compare_orders(self.stripe, [number])[0]

    def has_received(self, event_id: str) -> bool:
        """True if the event was delivered to our database."""
        with db.reading() as session:
            row = session.get(StripeEvent, event_id)
        return row is not None and row.deliveries > 0

    def wait_for_status(self, number: str, status: str) -> bool:
        """Wait for a webhook's effect; False where it did not come in time."""
        return wait_until(lambda: self.order(number).status == status, WEBHOOK_TIMEOUT_SECONDS)

    def false_event(self, number: str, **changes: Any) -> Document:
        """An event that says an open order is paid, though it is not."""
        session = self.stripe.session(self.session_id(number))
        session |= {"status": "complete", "payment_status": "paid", "url": None, **changes}
        return {
            "id": f"evt_rehearsal_{secrets.token_hex(8)}",
            "object": "event",
            "type": COMPLETED,
            "created": int(time.time()),
            "livemode": session["livemode"],
            "data": {"object": session},
        }


def run_concurrently(calls: Sequence[Callable[[], Result]]) -> list[Result | StoreError]:
    """Start all calls at the same moment; their results, or the shop's errors."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Result]) -> Result | StoreError:
        barrier.wait()
        try:
            return call()
        except StoreError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))

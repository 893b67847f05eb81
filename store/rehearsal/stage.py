"""What every trouble has at hand: one buyer who really buys, and a Stripe that can be played with.

All of it goes through the shop's own doors: the order is placed as the pay button places it, paid
at the emulator as on its pay page, and told by signed webhooks.
"""

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlmodel import col, select

from store import catalog, checkout, db, orders
from store.errors import OtherOrderPaid, StoreError
from store.models import Order, StripeEvent
from store.rehearsal.errors import Untried
from store.rehearsal.evidence import BothBooks, both_books
from store.rehearsal.stand_in import COMPLETED, Document, StandIn, until
from store.rehearsal.webhook_door import WebhookDoor

HELD_BACK_SECONDS = 20  # how late a webhook comes that a trouble wants to bring first
HEARD_SECONDS = 15
TRIES = 3
Result = TypeVar("Result")


@dataclass(frozen=True)
class Seen:
    """What came of a trouble: the order it was about, what happened in words, and whether that is
    what was expected.
    """

    number: str
    got: str
    held: bool


@dataclass
class Stage:
    """`buyer` is the hash of the visitor's own cookie, so the orders are among *my orders*."""

    buyer: str
    store_url: str
    stripe: StandIn
    numbers: list[str] = field(default_factory=list)

    @property
    def door(self) -> WebhookDoor:
        """
        Raises:
            NoWebhooks
        """
        return WebhookDoor.of(self.stripe)

    # --- buying ----------------------------------------------------------------------------------

    def place(self, cart: dict[str, int] | None = None) -> str:
        """Press Pay with nothing else open; the order's number."""
        self.clear()
        number = self.press_pay(cart)
        self.numbers.append(number)
        return number

    def clear(self) -> None:
        """Cancel what this buyer could still pay, as any other cart of theirs would."""
        with db.reading() as session:
            payable = checkout.payable_order(session, self.buyer)
        if payable:
            self.cancel(payable.number)

    def press_pay(self, cart: dict[str, int] | None = None) -> str:
        with db.reading() as session:
            sold = catalog.on_sale(session)
        chosen = cart or {sold[0].slug: 1}
        return checkout.place(
            self.buyer,
            chosen,
            shown_amount=catalog.total_amount(sold, chosen),
            store_url=self.store_url,
            again=True,
        )

    def open(self, cart: dict[str, int] | None = None) -> str:
        """An order that can be paid at Stripe."""
        number = self.place(cart)
        checkout.open_checkout(self.buyer, number)
        return number

    def pay(self, number: str, card: str = "4242424242424242") -> str:
        return self.stripe.pay(self.session_id(number), card)

    def paid(self, cart: dict[str, int] | None = None) -> str:
        """An order that is paid, and known to be."""
        number = self.open(cart)
        self.pay(number)
        checkout.settle(self.buyer, number)
        return number

    def paid_unheard(self) -> tuple[str, Document]:
        """A paid order whose webhook has not come, and the event for a trouble to bring it.

        Held back and not dropped: where it meets somebody else's payment, that one is told late.
        """
        for _ in range(TRIES):
            number = self.open()
            held_for = str(HELD_BACK_SECONDS)
            trouble = self.stripe.cause("delivery", "delay", COMPLETED, value=held_for)
            try:
                self.pay(number)
            finally:
                self.stripe.calm(trouble)
            event = self.stripe.completed(self.session_id(number))
            if not any(one["attempts"] for one in self.stripe.deliveries(event["id"])):
                return number, event
        raise Untried("Other payments keep coming in between. Try again in a quiet moment.")

    def cancel(self, number: str) -> None:
        try:
            checkout.cancel(self.buyer, number)
        except OtherOrderPaid:
            return

    # --- reading ---------------------------------------------------------------------------------

    def order(self, number: str) -> Order:
        with db.reading() as session:
            return orders.owned(session, self.buyer, number)

    def session_id(self, number: str) -> str:
        found = self.order(number).checkout_session_id
        if found is None:
            raise Untried("This order never reached Stripe.")
        return found

    def payment_id(self, number: str) -> str:
        """The payment at Stripe, whether our book knows it or not."""
        return str(self.stripe.session(self.session_id(number))["payment_intent"])

    def books(self, number: str) -> BothBooks:
        return both_books(self.stripe, [number])[0]

    def heard(self, event_id: str) -> StripeEvent | None:
        """The event's row in the inbox, if it was delivered."""
        with db.reading() as session:
            row = session.exec(select(StripeEvent).where(col(StripeEvent.id) == event_id)).first()
        return row if row and row.deliveries else None

    def hears(self, event_id: str) -> bool:
        return until(lambda: self.heard(event_id) is not None, HEARD_SECONDS)

    def becomes(self, number: str, status: str) -> bool:
        """Wait for what webhooks bring; False where it did not come in time."""
        return until(lambda: self.order(number).status == status, HEARD_SECONDS)

    # --- making trouble --------------------------------------------------------------------------

    def claim(self, number: str, **changes: Any) -> Document:
        """An event that says an open order is paid, though it is not."""
        told = self.stripe.session(self.session_id(number))
        told |= {"status": "complete", "payment_status": "paid", "url": None}
        return {
            "id": f"evt_rehearsal_{secrets.token_hex(8)}",
            "object": "event",
            "type": COMPLETED,
            "created": int(time.time()),
            "livemode": False,
            "data": {"object": told | changes},
        }


def at_once(acts: Sequence[Callable[[], Result]]) -> list[Result | StoreError]:
    """Do all of it at the same moment; the answers, or the errors that were answered."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], Result]) -> Result | StoreError:
        gate.wait()
        try:
            return act()
        except StoreError as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))

"""What a buyer does with an order: place it, go to Stripe with it, come back, cancel it.

An order can be paid once, and a buyer has one that can be paid. What is left when a step dies
in the middle is written at the top of checkout_session.py.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import bindparam
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from store.catalog import products
from store.catalog.products import Line
from store.core import clock
from store.core.errors import (
    JustBought,
    OpenOrderFound,
    OtherOrderPaid,
    PriceChanged,
    StripeBusy,
)
from store.db import engine as db
from store.db.models import PAYABLE, Order
from store.orders import checkout_session, service
from store.orders.checkout_session import PAYABLE_SESSION, look_up, retire
from store.orders.coalescing import Questions
from store.orders.stripe_facts import PAID

REPLACED = "replaced by a new cart"  # the history's words for an order that a new cart canceled
JUST_BOUGHT = timedelta(minutes=10)
PLACE_TRIES = 4
LOOK_UPS = Questions()  # what buyers made this process ask, so that a loop asks once a second

# Made once, as in service.py.
MINE = col(Order.buyer_hash) == bindparam("buyer")
THIS_CART = col(Order.cart_fingerprint) == bindparam("cart_fingerprint")
PAYABLE_ORDER = select(Order).where(MINE, PAYABLE).with_for_update()
ATTEMPTS = select(func.count(), func.max(col(Order.paid_at))).where(MINE, THIS_CART)


def place(
    buyer: str,
    cart: Mapping[str, int],
    *,
    shown_amount: int,
    store_url: str,
    again: bool = False,
    may_replace: Collection[str] | None = None,
) -> str:
    """Write down the order for this cart, or find the one that is already payable.

    `shown_amount` is the total that was on the button; `store_url` is where Stripe sends the
    buyer back to; `again` says that the buyer wants the cart just paid for once more.
    `may_replace` are the orders that the buyer's page showed, None: any. It is compared in the
    transaction that holds the open order, so that none placed meanwhile in another tab is canceled
    unannounced; nothing has been written when this refuses.

    Returns:
        The order's number, for `/go/{number}`.

    Raises:
        CartError: the cart cannot be bought as it stands; each kind says why.
        OtherOrderPaid: an order that was to be replaced has just been paid.
        StripeError, DatabaseUnavailable
    """
    for _ in range(PLACE_TRIES):
        try:
            with db.unit_of_work() as session:
                lines = products.priced(session, cart)
                if sum(line.amount for line in lines) != shown_amount:
                    raise PriceChanged
                payable = payable_order(session, buyer)
                cart_fingerprint = key_of_cart(buyer, lines)
                if payable is None:
                    attempt = 1 + _attempts_so_far(session, buyer, cart_fingerprint, again)
                    return checkout_session.write(
                        session, buyer, cart_fingerprint, lines, store_url, attempt=attempt
                    ).number
                if payable.cart_fingerprint == cart_fingerprint and _still_wanted(payable):
                    return payable.number
                if _is_unannounced(payable, cart_fingerprint, may_replace):
                    raise OpenOrderFound(payable.number)
        except IntegrityError:
            continue  # another tab was faster; its order is there now
        if retire(payable, REPLACED, "buyer").payment_status in PAID:
            raise OtherOrderPaid(payable.number)
    raise StripeBusy


def payable_order(session: Session, buyer: str) -> Order | None:
    """The one order of this buyer that might still be paid."""
    return session.exec(PAYABLE_ORDER, params={"buyer": buyer}).first()


def _still_wanted(order: Order) -> bool:
    return order.cancel_requested_at is None and checkout_session.can_be_sent(order)


def _is_unannounced(order: Order, cart_fingerprint: str, announced: Collection[str] | None) -> bool:
    """True where another cart's order would be canceled and the buyer's page did not show it."""
    is_another = order.cart_fingerprint != cart_fingerprint and order.cancel_requested_at is None
    return is_another and announced is not None and order.number not in announced


def key_of_cart(buyer: str, lines: Sequence[Line]) -> str:
    """What makes two carts the same: who buys, what, how many, at which prices."""
    what = [
        [line.product.slug, line.quantity, line.product.unit_amount, line.product.currency]
        for line in lines
    ]
    return hashlib.sha256(json.dumps([buyer, sorted(what)]).encode()).hexdigest()


def _attempts_so_far(session: Session, buyer: str, cart_fingerprint: str, again: bool) -> int:
    """How often this cart was ordered already.

    Raises:
        JustBought: and paid for, minutes ago, and the buyer has not said that it is wanted again.
    """
    mine = {"buyer": buyer, "cart_fingerprint": cart_fingerprint}
    count, paid_at = session.exec(ATTEMPTS, params=mine).one()
    if paid_at and not again and (ago := clock.now() - paid_at) < JUST_BOUGHT:
        last = select(Order.number).where(MINE, THIS_CART, col(Order.paid_at) == paid_at).limit(1)
        number = session.exec(last, params=mine).one()
        raise JustBought(number, int(ago.total_seconds() // 60))
    return count


def open_checkout(buyer: str, number: str, *, looked: bool = False) -> str:
    """Where `/go/{number}` leads: Stripe's page while the order can be paid, else its own page.

    Asks Stripe unless it was asked within the last second, so that a stale button meets today's
    truth; `looked` says that this was done a moment ago.

    Raises:
        OrderNotFound, StripeError, DatabaseUnavailable
    """
    with db.reading() as session:
        order = service.owned(session, buyer, number)
    payable = order.checkout_status in PAYABLE_SESSION and order.cancel_requested_at is None
    if payable and not looked:
        LOOK_UPS.ask(
            number, "buyer", lambda: look_up(order, source="buyer"), reuse=("buyer", "redirect")
        )
        with db.reading() as session:
            order = service.owned(session, buyer, number)
    if order.status == "open" and order.checkout_url and order.cancel_requested_at is None:
        return order.checkout_url
    return f"/order?number={number}"


def settle(buyer: str, number: str, *, always: bool = False) -> None:
    """Ask Stripe how the buyer's order stands and record the answer.

    An order whose payment is decided is looked up only `always`; else the return is noted.

    Raises:
        OrderNotFound, StripeError, DatabaseUnavailable
    """
    with db.reading() as session:
        order = service.owned(session, buyer, number)
    if order.status in service.UNSETTLED or (always and order.checkout_session_id):
        LOOK_UPS.ask(
            number, "redirect", lambda: look_up(order, source="redirect"), reuse=("redirect",)
        )
    else:
        with db.unit_of_work() as session:
            held = service.lock(session, [number]).order(number)
            service.note_repeat(session, held, "redirect")


def cancel(buyer: str, number: str) -> None:
    """Cancel the buyer's order, once Stripe has made its session unpayable.

    Raises:
        OrderNotFound, StripeError, DatabaseUnavailable
        OtherOrderPaid: too late, Stripe says that it is paid.
    """
    with db.reading() as session:
        order = service.owned(session, buyer, number)
    if order.checkout_status in PAYABLE_SESSION and (
        retire(order, "asked by the buyer", "buyer").payment_status in PAID
    ):
        raise OtherOrderPaid(number)

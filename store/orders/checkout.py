"""What a buyer does with an order: place it, open its Checkout, return from Stripe, cancel it.

An order can be paid once, and a buyer has at most one payable order. What is left if the process
dies in one of these steps is described at the top of checkout_session.py.

Each step raises OrderNotFound for an order that is unknown or another buyer's, StripeError if
Stripe does not do what is needed, and DatabaseUnavailable.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial

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
from store.core.order_status import PAYABLE_CHECKOUT, OrderStatus
from store.db import engine as db
from store.db.models import PAYABLE, Order
from store.orders import checkout_session, history
from store.orders.batch import lock_orders
from store.orders.checkout_session import create_or_refresh_session, expire_checkout_session
from store.orders.coalescing import RequestCoalescer
from store.orders.history import Source
from store.orders.queries import order_of_buyer
from store.orders.status_rules import PAID

REPLACED = {"cancel": "new_cart"}  # in the history of an order that a new cart canceled
BY_BUYER = {"cancel": "buyer"}
JUST_BOUGHT = timedelta(minutes=10)
MAX_ATTEMPTS = 4
LOOK_UPS = RequestCoalescer()  # so that a reload loop calls Stripe once a second

# Built once at import: constructing a SELECT costs as much as running it.
OF_BUYER = col(Order.buyer_hash) == bindparam("buyer")
SAME_CART = col(Order.cart_fingerprint) == bindparam("cart_fingerprint")
PAYABLE_ORDER = select(Order).where(OF_BUYER, PAYABLE).with_for_update()
ATTEMPTS = select(func.count(), func.max(col(Order.paid_at))).where(OF_BUYER, SAME_CART)


def place(
    buyer: str,
    cart: Mapping[str, int],
    *,
    shown_amount: int,
    store_url: str,
    again: bool = False,
    may_replace: Collection[str] | None = None,
) -> str:
    """Write the order for this cart, or find the one that is already payable; returns its number.

    `shown_amount` is the total on the button; `store_url` is where Stripe sends the buyer back to;
    `again` says that the buyer wants to buy the cart just paid for once more. `may_replace` are the
    numbers of the orders that the buyer's page showed (None: any). It is compared in the
    transaction that locks the open order, so an order placed meanwhile in another tab is never
    canceled without notice; nothing is written if this raises.

    Raises:
        CartError: the cart cannot be bought as it stands; each kind says why.
        OtherOrderPaid: the order to be replaced has just been paid.
    """
    for _ in range(MAX_ATTEMPTS):
        try:
            with db.unit_of_work() as session:
                lines = products.price_cart(session, cart)
                if sum(line.amount for line in lines) != shown_amount:
                    raise PriceChanged
                payable, fingerprint = payable_order(session, buyer), cart_fingerprint(buyer, lines)
                if payable is None:
                    attempt = 1 + _attempts_so_far(session, buyer, fingerprint, again)
                    return checkout_session.create_order(
                        session, buyer, fingerprint, lines, store_url, attempt=attempt
                    ).number
                if _is_reusable(payable, fingerprint, may_replace):
                    return payable.number
        except IntegrityError:
            continue  # another tab was faster; its order exists now
        if expire_checkout_session(payable, REPLACED, "buyer").payment_status in PAID:
            raise OtherOrderPaid(payable.number)
    raise StripeBusy


def payable_order(session: Session, buyer: str) -> Order | None:
    """The only order of this buyer that may still be paid; locked."""
    return session.exec(PAYABLE_ORDER, params={"buyer": buyer}).first()


def _is_reusable(payable: Order, fingerprint: str, may_replace: Collection[str] | None) -> bool:
    """Whether a payable order is for this cart; OpenOrderFound if it may not be replaced."""
    if not _is_wanted(payable):
        return False
    if payable.cart_fingerprint == fingerprint:
        return checkout_session.is_in_time(payable)
    if may_replace is not None and payable.number not in may_replace:
        raise OpenOrderFound(payable.number)
    return False


def _is_wanted(order: Order) -> bool:
    """False once its cancellation was requested, even if Stripe has not confirmed it."""
    return order.cancel_requested_at is None


def cart_fingerprint(buyer: str, lines: Sequence[Line]) -> str:
    """Equal for equal carts: the same buyer, products, quantities and prices."""
    items = [
        [line.product.slug, line.quantity, line.product.unit_amount, line.product.currency]
        for line in lines
    ]
    return hashlib.sha256(json.dumps([buyer, sorted(items)]).encode()).hexdigest()


def _attempts_so_far(session: Session, buyer: str, fingerprint: str, again: bool) -> int:
    """How many orders of this cart there are; JustBought if it was paid for minutes ago."""
    params = {"buyer": buyer, "cart_fingerprint": fingerprint}
    count, paid_at = session.exec(ATTEMPTS, params=params).one()
    if paid_at and not again and (ago := clock.now() - paid_at) < JUST_BOUGHT:
        raise JustBought(int(ago.total_seconds() // 60))
    return count


def checkout_url(buyer: str, order_number: str, *, refreshed: bool = False) -> str:
    """The address `/go/{number}` redirects to: Stripe's page if payable, else the order's page.

    Refreshes the order from Stripe first, unless that was done within the last second, so an old
    link never leads to a paid or expired session. Pass `refreshed=True` if the caller has just
    done so.
    """
    with db.reading() as session:
        order = order_of_buyer(session, buyer, order_number)
    if not refreshed and order.checkout_status in PAYABLE_CHECKOUT and _is_wanted(order):
        _refresh(order, "buyer", reuse=("buyer", "redirect"))
        with db.reading() as session:
            order = order_of_buyer(session, buyer, order_number)
    if order.status == OrderStatus.OPEN and order.checkout_url and _is_wanted(order):
        return order.checkout_url
    return f"/order?number={order_number}"


def _refresh(order: Order, source: Source, *, reuse: Collection[str]) -> None:
    call = partial(create_or_refresh_session, order, source=source)
    LOOK_UPS.run(order.number, source, call, reuse=reuse)


def refresh_order(buyer: str, order_number: str, *, always: bool = False) -> None:
    """Retrieve the buyer's order from Stripe and record the response.

    An order whose payment is decided is retrieved only if `always`; else the visit is stored as a
    check that changed nothing.
    """
    with db.reading() as session:
        order = order_of_buyer(session, buyer, order_number)
    if order.status in OrderStatus.UNDECIDED or (always and order.checkout_session_id):
        _refresh(order, "redirect", reuse=("redirect",))
    else:
        with db.unit_of_work() as session:
            locked = lock_orders(session, [order_number]).order(order_number)
            history.note_repeat(session, locked, "redirect")


def cancel(buyer: str, order_number: str) -> None:
    """Cancel the buyer's order, once its session is expired; OtherOrderPaid if it is too late."""
    with db.reading() as session:
        order = order_of_buyer(session, buyer, order_number)
    if order.checkout_status in PAYABLE_CHECKOUT and (
        expire_checkout_session(order, BY_BUYER, "buyer").payment_status in PAID
    ):
        raise OtherOrderPaid(order_number)

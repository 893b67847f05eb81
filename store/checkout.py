"""From a cart to a Checkout Session that can be paid once, and only once.

Where each step may die, and what is then left:

1. `place` writes the order, with the exact question to Stripe and its idempotency key, in one
   transaction. Dead before the commit: nothing happened. Two at once: the unique key (same
   cart) or `one_payable_order_per_buyer` (another cart) refuses the second, which looks again.
2. `_ask_for_session` sends that question outside any transaction. Dead before, during or after
   it: the row is `pending`, and whoever comes next sends the same bytes under the same key and
   meets the same session.
3. `orders.record` saves the answer. Dead before its commit: as in 2.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from store import catalog, clock, db, gateway, orders, settings
from store.catalog import Line
from store.errors import (
    JustBought,
    OtherOrderPaid,
    PriceChanged,
    StripeBusy,
    StripeRefused,
    StripeUncertain,
)
from store.facts import PAID, Fact, RefusedFact, of_session
from store.models import PAYABLE, Order, OrderItem
from store.orders import Source
from store.views import REPLACED

JUST_BOUGHT = timedelta(minutes=10)
LONGEST_SECONDS = 24 * 60 * 60 - 60  # Stripe counts from the moment it creates the session
# Stripe keeps an idempotency key for 24 hours at least; after that a replay would be new.
KEY_LIFE = timedelta(hours=23)
PLACE_TRIES = 4
PAYABLE_SESSION = frozenset(["none", "open"])  # as in the index that models.PAYABLE is for


def place(
    buyer: str,
    cart: Mapping[str, int],
    *,
    shown_amount: int,
    store_url: str,
    again: bool = False,
) -> str:
    """Write down the order for this cart, or find the one that is already payable.

    `shown_amount` is the total that was on the button; `store_url` is where Stripe sends the
    buyer back to; `again` says that the buyer wants the cart just paid for once more.

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
                lines = catalog.priced(session, cart)
                if sum(line.amount for line in lines) != shown_amount:
                    raise PriceChanged
                payable = payable_order(session, buyer)
                cart_key = key_of_cart(buyer, lines)
                if payable is None:
                    if not again:
                        _ask_if_just_bought(session, buyer, cart_key)
                    return _write(session, buyer, cart_key, lines, store_url).number
                if payable.cart_key == cart_key and _still_wanted(payable):
                    return payable.number
        except IntegrityError:
            continue  # another tab was faster; its order is there now
        if retire(payable, REPLACED, "buyer").payment_status in PAID:
            raise OtherOrderPaid(payable.number)
    raise StripeBusy


def payable_order(session: Session, buyer: str) -> Order | None:
    """The one order of this buyer that might still be paid."""
    return session.exec(
        select(Order).where(col(Order.buyer) == buyer, PAYABLE).with_for_update()
    ).first()


def _still_wanted(order: Order) -> bool:
    return order.cancel_requested_at is None and order.checkout_expires_at > clock.now()


def key_of_cart(buyer: str, lines: Sequence[Line]) -> str:
    """What makes two carts the same: who buys, what, how many, at which prices."""
    what = [
        [line.product.slug, line.quantity, line.product.unit_amount, line.product.currency]
        for line in lines
    ]
    return hashlib.sha256(json.dumps([buyer, sorted(what)]).encode()).hexdigest()


def _ask_if_just_bought(session: Session, buyer: str, cart_key: str) -> None:
    last = session.exec(
        select(Order)
        .where(
            col(Order.buyer) == buyer,
            col(Order.cart_key) == cart_key,
            col(Order.paid_at) > clock.now() - JUST_BOUGHT,
        )
        .order_by(col(Order.paid_at).desc())
    ).first()
    if last and last.paid_at:
        raise JustBought(last.number, int((clock.now() - last.paid_at).total_seconds() // 60))


def _write(
    session: Session, buyer: str, cart_key: str, lines: Sequence[Line], store_url: str
) -> Order:
    attempt = (
        1
        + session.exec(
            select(func.count())
            .select_from(Order)
            .where(col(Order.buyer) == buyer, col(Order.cart_key) == cart_key)
        ).one()
    )
    number = orders.new_number()
    lasts_seconds = min(settings.current().checkout_minutes * 60, LONGEST_SECONDS)
    expires_at = clock.now().replace(microsecond=0) + timedelta(seconds=lasts_seconds)
    order = Order(
        number=number,
        buyer=buyer,
        currency=lines[0].product.currency,
        total_amount=sum(line.amount for line in lines),
        cart_key=cart_key,
        attempt=attempt,
        idempotency_key=hashlib.sha256(f"{cart_key}/{attempt}".encode()).hexdigest(),
        checkout_parameters=_parameters(number, lines, store_url, expires_at),
        checkout_expires_at=expires_at,
    )
    session.add(order)
    session.flush()
    session.add_all(_item(order, line) for line in lines)
    orders.log(session, order, "buyer", "placed", f"attempt {attempt}")
    return order


def _item(order: Order, line: Line) -> OrderItem:
    assert order.id is not None
    assert line.product.id is not None
    return OrderItem(
        order_id=order.id,
        product_id=line.product.id,
        name=line.product.name,
        unit_amount=line.product.unit_amount,
        quantity=line.quantity,
    )


def _parameters(number: str, lines: Sequence[Line], store_url: str, expires_at: datetime) -> str:
    """The question to Stripe as JSON, frozen: a retry must repeat it to the letter."""
    ours = {"order_number": number}
    email = settings.current().demo_customer_email
    return json.dumps(
        {
            "mode": "payment",
            "line_items": [
                {
                    "quantity": line.quantity,
                    "price_data": {
                        "currency": line.product.currency,
                        "unit_amount": line.product.unit_amount,
                        "product_data": {
                            "name": line.product.name,
                            "description": line.product.description,
                        },
                    },
                }
                for line in lines
            ],
            "client_reference_id": number,
            "metadata": ours,
            "payment_intent_data": {"metadata": ours},  # Stripe does not copy the session's
            "success_url": f"{store_url}/order?number={number}&session_id={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{store_url}/?resume={number}",
            "expires_at": int(expires_at.timestamp()),
            **({"customer_email": email} if email else {}),
        }
    )


def open_checkout(buyer: str, number: str) -> str:
    """Where `/go/{number}` leads: Stripe's page while the order can be paid, else its own page.

    Asks Stripe each time, so that a stale button meets today's truth.

    Raises:
        OrderNotFound, StripeError, DatabaseUnavailable
    """
    with db.reading() as session:
        order = orders.owned(session, buyer, number)
    if order.session_status in PAYABLE_SESSION and order.cancel_requested_at is None:
        order = look_up(order, source="buyer")
    if order.status == "open" and order.checkout_url and order.cancel_requested_at is None:
        return order.checkout_url
    return f"/order?number={number}"


def settle(buyer: str, number: str) -> None:
    """Ask Stripe how the buyer's order stands and record the answer.

    Raises:
        OrderNotFound, StripeError, DatabaseUnavailable
    """
    with db.reading() as session:
        order = orders.owned(session, buyer, number)
    if order.status in orders.UNSETTLED:
        look_up(order, source="redirect")
    else:
        with db.unit_of_work() as session:
            orders.note_repeat(session, order, "redirect")


def cancel(buyer: str, number: str) -> None:
    """Cancel the buyer's order, once Stripe has made its session unpayable.

    Raises:
        OrderNotFound, StripeError, DatabaseUnavailable
        OtherOrderPaid: too late, Stripe says that it is paid.
    """
    with db.reading() as session:
        order = orders.owned(session, buyer, number)
    if order.session_status in PAYABLE_SESSION and (
        retire(order, "asked by the buyer", "buyer").payment_status in PAID
    ):
        raise OtherOrderPaid(number)


def look_up(order: Order, *, source: Source) -> Order:
    """Bring one order up to what Stripe knows; the redirect and the reconciler both end here.

    An order that never got its session first repeats its question under its own key. A person
    who looked and learnt nothing new may see that later; the reconciler looks too often.

    Raises:
        StripeError, DatabaseUnavailable
    """
    noted = order.checkout_session_id is not None and source != "reconciler"
    if order.checkout_session_id is None:
        order = _ask_for_session(order, source)
    if order.checkout_session_id is None:
        return order
    session = gateway.checkout(order.checkout_session_id)
    fact = of_session(session, evidence="looked up at Stripe")
    return _record(order, fact, source, noted=noted)


def _ask_for_session(order: Order, source: Source) -> Order:
    """Send the frozen question, or find out what became of it where it cannot be sent again.

    A question that Stripe refuses, or whose saved answer is a failure, will never succeed under
    this key. If a session exists all the same, it is in Stripe's list; if it is not there,
    nobody was ever given its address, so that a new attempt cannot be paid twice.
    """
    if clock.now() < order.created_at + KEY_LIFE:
        try:
            session = gateway.create_checkout(order.checkout_parameters, order.idempotency_key)
            return _record(order, of_session(session, evidence="session created"), source)
        except StripeRefused as refused:
            reason, proof = str(refused), refused.call
        except StripeUncertain as uncertain:
            if not uncertain.replayed:
                raise
            reason, proof = "Stripe keeps answering with a failure", uncertain.call
    else:
        reason, proof = "never reached Stripe", ""
    for session in gateway.find_checkouts(order.number, order.created_at):
        return _record(order, of_session(session, evidence="found in Stripe's list"), source)
    refusal = RefusedFact(order_number=order.number, reason=reason, proof=proof)
    return _record(order, refusal, source)


def retire(order: Order, why: str, source: Source) -> Order:
    """Make an order unpayable at Stripe first, then here; it may turn out to be paid.

    The wish is written down before Stripe is asked: where this dies in between, the reconciler
    or the next click carries it out.

    Raises:
        StripeError, DatabaseUnavailable
    """
    with db.unit_of_work() as session:
        order = orders.lock(session, [order.number]).orders[order.number]
        if order.session_status not in PAYABLE_SESSION:
            return order
        if order.cancel_requested_at is None:
            order.cancel_requested_at = clock.now()
            orders.log(session, order, source, "cancel asked", why)
    if order.checkout_session_id is None:
        order = _ask_for_session(order, source)
    if order.checkout_session_id is None:
        return order
    try:
        session_now = gateway.expire_checkout(order.checkout_session_id)
    except StripeRefused:
        session_now = gateway.checkout(order.checkout_session_id)
    return _record(order, of_session(session_now, evidence="expired at Stripe"), source)


def _record(order: Order, fact: Fact | None, source: Source, *, noted: bool = False) -> Order:
    """Record one fact about this order and answer the order as it then is."""
    with db.unit_of_work() as session:
        facts = [fact] if fact else []
        news = [told.news for told in orders.record(session, facts, source=source)]
        if noted and not any(news):
            orders.note_repeat(session, order, source, evidence=fact.proof if fact else "")
        return orders.lock(session, [order.number]).orders[order.number]

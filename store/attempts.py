"""One attempt to have an order paid: its row with the frozen question, and Stripe's answers.

Where each step may die, and what is then left:

1. `write` runs in the transaction of `checkout.place`: the row holds the exact question and its
   idempotency key before Stripe hears of it. Dead before the commit: nothing happened. Two at
   once: `one_payable_order_per_buyer` refuses the second, which looks again.
2. `_ask` sends that question outside any transaction. Dead before, during or after it: the row
   is `pending`, and whoever comes next sends the same bytes under the same key and meets the
   same session. Stripe then repeats an answer that may be old, so that session is looked up; the
   one who made it need not look, for nobody else knew its address.
3. `orders.record` saves the answer. Dead before its commit: as in 2.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session

from store import bulk, clock, db, gateway, orders, settings, shop_mark
from store.catalog import Line
from store.errors import StripeRefused, StripeUncertain
from store.facts import Fact, RefusedFact, of_session
from store.models import Order, OrderItem
from store.orders import Source

LONGEST_SECONDS = 24 * 60 * 60 - 60  # Stripe counts from the moment it creates the session
# Stripe keeps an idempotency key for 24 hours at least; after that a replay would be new.
KEY_LIFE = timedelta(hours=23)
PAYABLE_SESSION = frozenset(["none", "open"])  # as in the index that models.PAYABLE is for


def write(
    session: Session,
    buyer: str,
    cart_key: str,
    lines: Sequence[Line],
    store_url: str,
    *,
    attempt: int,
) -> Order:
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
        idempotency_key=_key(cart_key, attempt, number),
        checkout_parameters=_parameters(
            number, lines, store_url, expires_at, mark=shop_mark.of_database(session)
        ),
        checkout_expires_at=expires_at,
    )
    session.add(order)
    session.flush()
    bulk.insert(session, OrderItem, [_item(order, line) for line in lines])
    orders.log(session, order, "buyer", "placed", f"attempt {attempt}")
    return order


def _key(cart_key: str, attempt: int, number: str) -> str:
    """The idempotency key of one attempt. The number makes it new after an old backup was restored:
    attempts are counted from the rows that are there, and Stripe keeps the keys of the others.
    """
    return hashlib.sha256(f"{cart_key}/{attempt}/{number}".encode()).hexdigest()


def _item(order: Order, line: Line) -> bulk.Row:
    return {
        "order_id": order.id,
        "product_id": line.product.id,
        "name": line.product.name,
        "unit_amount": line.product.unit_amount,
        "quantity": line.quantity,
    }


def _parameters(
    number: str, lines: Sequence[Line], store_url: str, expires_at: datetime, *, mark: str
) -> str:
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
            "metadata": ours | {shop_mark.NAME: mark},
            "payment_intent_data": {"metadata": ours},  # Stripe does not copy the session's
            "success_url": f"{store_url}/order?number={number}&session_id={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{store_url}/?resume={number}",
            "expires_at": int(expires_at.timestamp()),
            **({"customer_email": email} if email else {}),
        }
    )


def look_up(order: Order, *, source: Source) -> Order:
    """Bring one order up to what Stripe knows; the redirect and the reconciler both end here.

    An order that never got its session first repeats its question under its own key; a session
    made only now needs no look, because nobody knows its address yet. A person who looked and
    learnt nothing new may see that later; the reconciler looks too often.

    Raises:
        StripeError, DatabaseUnavailable
    """
    noted = order.checkout_session_id is not None and source != "reconciler"
    is_current = False
    if order.checkout_session_id is None:
        order, is_current = _ask(order, source)
    if order.checkout_session_id is None or is_current:
        return order
    session = gateway.checkout(order.checkout_session_id)
    fact = of_session(session, evidence="looked up at Stripe")
    return _record(order, fact, source, noted=noted)


def _ask(order: Order, source: Source) -> tuple[Order, bool]:
    """Send the frozen question, or find out what became of it where it cannot be sent again.

    Answers the order, and whether Stripe has just made its session.

    A question that Stripe refuses, or whose saved answer is a failure, will never succeed under
    this key. If a session exists all the same, it is in Stripe's list; if it is not there,
    nobody was ever given its address, so that a new attempt cannot be paid twice.
    """
    if clock.now() < order.created_at + KEY_LIFE:
        try:
            made = gateway.create_checkout(order.checkout_parameters, order.idempotency_key)
            fact = of_session(made, evidence="session created")
            return _record(order, fact, source), not made.repeated
        except StripeRefused as refused:
            reason, proof = str(refused), refused.call
        except StripeUncertain as uncertain:
            if not uncertain.replayed:
                raise
            reason, proof = "Stripe keeps answering with a failure", uncertain.call
    else:
        reason, proof = "never reached Stripe", ""
    for session in gateway.find_checkouts(order.number, order.created_at):
        fact = of_session(session, evidence="found in Stripe's list")
        return _record(order, fact, source), False
    refusal = RefusedFact(order_number=order.number, reason=reason, proof=proof)
    return _record(order, refusal, source), False


def retire(order: Order, why: str, source: Source) -> Order:
    """Make an order unpayable at Stripe first, then here; it may turn out to be paid.

    The wish is written down before Stripe is asked: where this dies in between, the reconciler
    or the next click carries it out.

    Raises:
        StripeError, DatabaseUnavailable
    """
    with db.unit_of_work() as session:
        order = orders.lock(session, [order.number]).order(order.number)
        if order.session_status not in PAYABLE_SESSION:
            return order
        if order.cancel_requested_at is None:
            order.cancel_requested_at = clock.now()
            orders.log(session, order, source, "cancel asked", why)
    if order.checkout_session_id is None:
        order, _ = _ask(order, source)
    if order.checkout_session_id is None:
        return order
    try:
        session_now = gateway.expire_checkout(order.checkout_session_id)
    except StripeRefused:
        session_now = gateway.checkout(order.checkout_session_id)
    return _record(order, of_session(session_now, evidence="expired at Stripe"), source)


def _record(order: Order, fact: Fact | None, source: Source, *, noted: bool = False) -> Order:
    """Record one fact about this order and answer the order as it then is.

    Raises:
        OrderNotFound: it is gone since it was read.
    """
    with db.unit_of_work() as session:
        facts = [fact] if fact else []
        recorded = orders.record(session, facts, source=source)
        order = orders.lock(session, [order.number]).order(order.number)
        if noted and not any(told.news for told in recorded):
            orders.note_repeat(session, order, source, evidence=fact.proof if fact else "")
        return order

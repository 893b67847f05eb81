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
4. `_gone` closes an attempt whose session Stripe does not know any more. Dead before its commit:
   whoever looks next finds the same. Two at once write the same fact. It closes nothing while the
   session may exist elsewhere and be payable there: see its own words.

No item holds up another: whatever one order meets here is raised as a `StoreError` of its own, an
answer that cannot be read too.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import quote

from sqlmodel import Session

from store.catalog.products import Line
from store.core import addresses, clock, settings
from store.core.errors import (
    CheckoutOutOfReach,
    StripeNotFound,
    StripeRefused,
    StripeUncertain,
)
from store.db import bulk
from store.db import engine as db
from store.db.models import Order, OrderItem
from store.orders import service, shop_mark
from store.orders.service import Source
from store.orders.stripe_facts import CheckoutFact, Fact, GoneFact, RefusedFact, of_session
from store.stripe_api import gateway
from store.stripe_api.traces import STRIPES_CLOCK

log = logging.getLogger(__name__)

# Stripe takes 30 minutes to 24 hours, by its clock, from the moment it creates the session. The
# margins are for what lies between: a crash, a repetition, a clock that is a little off.
SHORTEST, LONGEST = timedelta(minutes=35), timedelta(hours=24, minutes=-10)
LEAST_AT_STRIPE = timedelta(minutes=31)
GONE_AFTER = timedelta(minutes=1)  # a session that young may only not be everywhere yet
# Stripe keeps an idempotency key for 24 hours at least; after that a replay would be new.
KEY_LIFE = timedelta(hours=23)
PAYABLE_SESSION = frozenset(["none", "open"])  # as in the index that models.PAYABLE is for


def write(
    session: Session,
    buyer: str,
    cart_fingerprint: str,
    lines: Sequence[Line],
    store_url: str,
    *,
    attempt: int,
) -> Order:
    """Write down an attempt with its exact question; its time limit is by Stripe's clock."""
    number = service.new_number()
    lasts = min(max(timedelta(minutes=settings.current().checkout_minutes), SHORTEST), LONGEST)
    expires_at = gateway.now_at_stripe().replace(microsecond=0) + lasts
    order = Order(
        number=number,
        buyer_hash=buyer,
        currency=lines[0].product.currency,
        total_amount=sum(line.amount for line in lines),
        cart_fingerprint=cart_fingerprint,
        attempt=attempt,
        idempotency_key=_key(cart_fingerprint, attempt, number),
        checkout_parameters=_parameters(
            number, lines, store_url, expires_at, mark=shop_mark.of_database(session)
        ),
        checkout_expires_at=expires_at,
        placed_under=gateway.account_mark(),
    )
    session.add(order)
    session.flush()
    bulk.insert(session, OrderItem, [_item(order, line) for line in lines])
    service.log(session, order, "buyer", "placed", f"attempt {attempt}")
    return order


def _key(cart_fingerprint: str, attempt: int, number: str) -> str:
    """The idempotency key of one attempt. The number makes it new after an old backup was restored:
    attempts are counted from the rows that are there, and Stripe keeps the keys of the others.
    """
    return hashlib.sha256(f"{cart_fingerprint}/{attempt}/{number}".encode()).hexdigest()


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
                            **_images(line, store_url),
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


def _images(line: Line, store_url: str) -> dict[str, list[str]]:
    """The product's picture, where Stripe can fetch it: an address of this machine means nothing to
    a server elsewhere, which may refuse it and with it the sale.
    """
    if addresses.is_loopback(store_url) and not addresses.is_loopback(gateway.address()):
        return {}
    return {"images": [f"{store_url}/images/{quote(line.product.image)}"]}


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
    try:
        session = gateway.checkout(order.checkout_session_id)
    except StripeNotFound as missing:
        return _gone(order, missing, source)
    return _record(order, _fact(session, order, "looked up at Stripe"), source, noted=noted)


def can_be_sent(order: Order) -> bool:
    """Whether Stripe would make or give a session that can be paid, as far as its times go."""
    least = LEAST_AT_STRIPE if order.checkout_session_id is None else timedelta(0)
    return order.checkout_expires_at > gateway.now_at_stripe() + least


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
            fact = _fact(made, order, "session created")
            return _record(order, fact, source), not made.repeated
        except StripeRefused as refused:
            reason, proof = _reason(order, refused), refused.call
        except StripeUncertain as uncertain:
            if not uncertain.replayed:
                raise
            reason, proof = "Stripe keeps answering with a failure", uncertain.call
    else:
        reason, proof = "never reached Stripe", ""
    for session in gateway.find_checkouts(order.number, order.created_at):
        fact = _fact(session, order, "found in Stripe's list")
        return _record(order, fact, source), False
    refusal = RefusedFact(order_number=order.number, reason=reason, proof=proof)
    return _record(order, refusal, source), False


def _reason(order: Order, refused: StripeRefused) -> str:
    """Why Stripe refused to make a session, for the order's history; names a clock that is off."""
    if refused.param != "expires_at":
        return str(refused)
    hint = STRIPES_CLOCK.hint()
    log.warning(
        "Stripe refused the time limit of order %s. This machine's clock: %s",
        order.number,
        hint,
        extra={"order_number": order.number},
    )
    off = "the shop's clock and Stripe's differ" if hint != "ok" else "it had waited for too long"
    return f"Stripe did not take the time limit of this attempt: {off}"


def _gone(order: Order, missing: StripeNotFound, source: Source) -> Order:
    """Close an attempt whose session Stripe does not know, once nobody can pay that session.

    That is certain where its time is over; and where this key had it made and Stripe, asked to
    expire it, does not know it either. Under another key the session may exist in the account of
    the key before, and be paid there until its time is over. Should it turn out to be paid after
    all, the money wins: a payment outranks this fact.

    Raises:
        StripeNotFound: it was no answer of Stripe's own, or the order is not waiting to be paid.
        CheckoutOutOfReach: the session may still be payable.
        StripeError, DatabaseUnavailable
    """
    if missing.code != "resource_missing" or order.checkout_status not in PAYABLE_SESSION:
        raise missing
    over = gateway.now_at_stripe() - GONE_AFTER > order.checkout_expires_at
    if not over and order.placed_under != gateway.account_mark():
        raise CheckoutOutOfReach(order.checkout_expires_at) from missing
    if clock.now() < (old_enough := order.created_at + GONE_AFTER):
        raise CheckoutOutOfReach(old_enough) from missing
    try:
        session_now = gateway.expire_checkout(str(order.checkout_session_id))
    except StripeRefused as refused:
        if refused.code != "resource_missing":
            raise missing from refused
        reason = "Stripe does not know this session any more"
        fact = GoneFact(order_number=order.number, reason=reason, proof=missing.call)
        return _record(order, fact, source)
    return _record(order, _fact(session_now, order, "expired at Stripe"), source)


def _fact(session: gateway.Document, order: Order, evidence: str) -> CheckoutFact:
    """What Stripe's answer says about the session of this order.

    Raises:
        StripeUncertain: it is no session, or another order's.
    """
    try:
        fact = of_session(session, evidence=evidence)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError) as error:
        raise StripeUncertain(replayed=False) from error
    if fact is None or fact.order_number != order.number:
        raise StripeUncertain(replayed=False)
    return fact


def retire(order: Order, why: str, source: Source) -> Order:
    """Make an order unpayable at Stripe first, then here; it may turn out to be paid.

    The wish is written down before Stripe is asked: where this dies in between, the reconciler
    or the next click carries it out.

    Raises:
        StripeError, DatabaseUnavailable
    """
    with db.unit_of_work() as session:
        order = service.lock(session, [order.number]).order(order.number)
        if order.checkout_status not in PAYABLE_SESSION:
            return order
        if order.cancel_requested_at is None:
            order.cancel_requested_at = clock.now()
            service.log(session, order, source, "cancel asked", why)
    if order.checkout_session_id is None:
        order, _ = _ask(order, source)
    if order.checkout_session_id is None:
        return order
    try:
        session_now = gateway.expire_checkout(order.checkout_session_id)
    except StripeNotFound as missing:
        return _gone(order, missing, source)
    except StripeRefused:
        session_now = gateway.checkout(order.checkout_session_id)
    return _record(order, _fact(session_now, order, "expired at Stripe"), source)


def _record(order: Order, fact: Fact | None, source: Source, *, noted: bool = False) -> Order:
    """Record one fact about this order and answer the order as it then is.

    Raises:
        OrderNotFound: it is gone since it was read.
    """
    with db.unit_of_work() as session:
        facts = [fact] if fact else []
        recorded = service.record(session, facts, source=source)
        order = service.lock(session, [order.number]).order(order.number)
        if noted and not any(told.news for told in recorded):
            service.note_repeat(session, order, source, evidence=fact.proof if fact else "")
        return order

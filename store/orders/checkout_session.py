"""One order's Checkout Session: write the attempt, create or refresh the session, expire it.

What is left if the process dies in each step:

1. `create_order` runs in the transaction of `checkout.place`: the row holds the exact parameters
   and their idempotency key before Stripe is called. Before the commit: nothing happened. Two at
   once: `one_payable_order_per_buyer` rejects the second, which tries again.
2. `_create_session` sends these parameters outside any transaction. Before, during or after it: the
   row is `pending`, and the next caller sends the same bytes under the same key and receives the
   same session. Stripe may then replay an old response, so that session is retrieved; a session
   created just now is not, because nobody else knew its address.
3. `transitions.apply_facts` saves the response. Before its commit: as in 2.
4. `_close_missing` closes an attempt whose session Stripe does not know any more. Before its
   commit: the next caller finds the same. Two at once write the same fact. It closes nothing while
   the session may exist in another account and be payable there.

Each failure is raised as StripeError or DatabaseUnavailable, an unreadable response too, so that
one order holds up no other.
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
from store.core.errors import CheckoutOutOfReach, StripeNotFound, StripeRefused, StripeUncertain
from store.core.order_status import PAYABLE_CHECKOUT
from store.db import bulk
from store.db import engine as db
from store.db.models import Order, OrderItem
from store.orders import history, queries, transitions
from store.orders.batch import lock_orders
from store.orders.history import Action, Change, Source
from store.orders.stripe_facts import ClosedFact, Document, Fact, of_session, reading_answer
from store.stripe_api import clock_skew, requests, transport
from store.stripe_api.clock_skew import CLOCK_SKEW

log = logging.getLogger(__name__)

# Stripe accepts 30 minutes to 24 hours, by its clock, from the creation of the session. The margins
# cover a crash, a retry and a clock that is slightly off.
MIN_LIFETIME, MAX_LIFETIME = timedelta(minutes=35), timedelta(hours=24, minutes=-10)
MIN_REMAINING = timedelta(minutes=31)
MISSING_AFTER = timedelta(minutes=1)  # a younger session may not have been replicated yet


def create_order(
    session: Session,
    buyer: str,
    cart_fingerprint: str,
    lines: Sequence[Line],
    store_url: str,
    *,
    attempt: int,
) -> Order:
    """Add the order with the exact parameters for Stripe; it expires by Stripe's clock."""
    number = queries.new_number()
    wanted = timedelta(minutes=settings.current().checkout_minutes)
    lifetime = min(max(wanted, MIN_LIFETIME), MAX_LIFETIME)
    expires_at = clock_skew.stripe_now().replace(microsecond=0) + lifetime
    order = Order(
        number=number,
        buyer_hash=buyer,
        currency=lines[0].product.currency,
        total_amount=sum(line.amount for line in lines),
        cart_fingerprint=cart_fingerprint,
        attempt=attempt,
        idempotency_key=_key(cart_fingerprint, attempt, number),
        checkout_parameters=checkout_session_params(
            number, lines, store_url, expires_at, mark=queries.shop_mark(session)
        ),
        checkout_expires_at=expires_at,
        placed_under=requests.account_fingerprint(),
    )
    session.add(order)
    session.flush()
    bulk.insert(session, OrderItem, [_item_row(order, line) for line in lines])
    history.log(session, order, "buyer", Action.PLACED, {"attempt": attempt})
    return order


def _item_row(order: Order, line: Line) -> bulk.Row:
    return {
        "order_id": order.id,
        "product_id": line.product.id,
        "name": line.product.name,
        "unit_amount": line.product.unit_amount,
        "quantity": line.quantity,
    }


def _key(cart_fingerprint: str, attempt: int, number: str) -> str:
    """The idempotency key of one attempt.

    The order number makes it unique after an old backup was restored: attempts are counted from
    the rows, and Stripe still knows the keys of rows that are missing then.
    """
    return hashlib.sha256(f"{cart_fingerprint}/{attempt}/{number}".encode()).hexdigest()


def checkout_session_params(
    order_number: str, lines: Sequence[Line], store_url: str, expires_at: datetime, *, mark: str
) -> str:
    """The parameters of the Checkout Session as JSON; a retry must send exactly the same bytes."""
    metadata = {"order_number": order_number}
    order_url = f"{store_url}/order?number={order_number}"
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
            "client_reference_id": order_number,
            "metadata": metadata | {queries.MARK_NAME: mark},
            "payment_intent_data": {"metadata": metadata},  # Stripe does not copy the session's
            "success_url": f"{order_url}&session_id={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{store_url}/?resume={order_number}",
            "expires_at": int(expires_at.timestamp()),
            **({"customer_email": email} if email else {}),
        }
    )


def _images(line: Line, store_url: str) -> dict[str, list[str]]:
    """The product's image; Stripe may reject the whole session if its servers cannot fetch it."""
    if addresses.is_loopback(store_url) and not addresses.is_loopback(transport.api_base()):
        return {}
    return {"images": [f"{store_url}/images/{quote(line.product.image)}"]}


def create_or_refresh_session(order: Order, *, source: Source) -> Order:
    """Create the order's Checkout Session or retrieve it, and return the order as it then is.

    Without a session it sends the order's parameters under its idempotency key. A session created
    just now is not retrieved again: nobody can have paid it yet. A check by a person that changes
    nothing is stored for the timeline; the reconciler's checks are too many for that.
    """
    is_noted = order.checkout_session_id is not None and source != "reconciler"
    if order.checkout_session_id is None:
        fact, is_current = _create_session(order)
        order = _record(order, fact, source)
        if order.checkout_session_id is None or is_current:
            return order
    try:
        fact = _fact(requests.checkout(order.checkout_session_id), order, "looked up at Stripe")
    except StripeNotFound as missing:
        fact, is_noted = _close_missing(order, missing), False
    return _record(order, fact, source, is_noted=is_noted)


def is_in_time(order: Order) -> bool:
    """Whether the order's time limit leaves Stripe enough to create or show a payable session."""
    minimum = MIN_REMAINING if order.checkout_session_id is None else timedelta(0)
    return order.checkout_expires_at > clock_skew.stripe_now() + minimum


def _create_session(order: Order) -> tuple[Fact, bool]:
    """Send the stored parameters, or find the session they led to if they cannot be sent again.

    Returns what Stripe said, and whether it created the session just now.

    Parameters that Stripe rejects, or whose saved response is a failure, never succeed under this
    key. If a session exists nevertheless, it is in Stripe's list; if it is not there, nobody was
    ever given its address, so a new attempt cannot be paid twice.
    """
    if clock.now() < order.created_at + transport.IDEMPOTENCY_KEY_TTL:
        try:
            created = requests.create_checkout(order.checkout_parameters, order.idempotency_key)
            return _fact(created, order, "session created"), not created.replayed
        except StripeRefused as refused:
            reason, call = _refusal_reason(order, refused), refused.call
        except StripeUncertain as uncertain:
            if not uncertain.replayed:
                raise
            reason, call = "Stripe keeps answering with a failure", uncertain.call
    else:
        reason, call = "never reached Stripe", ""
    for session in requests.find_checkouts(order.number, order.created_at):
        return _fact(session, order, "found in Stripe's list"), False
    return ClosedFact(order_number=order.number, status="refused", reason=reason, call=call), False


def _refusal_reason(order: Order, refused: StripeRefused) -> str:
    """Why Stripe refused to create a session, for the history; names a clock that is off."""
    if refused.param != "expires_at":
        return str(refused)
    hint = CLOCK_SKEW.message()
    message = "Stripe refused the time limit of order %s. This machine's clock: %s"
    log.warning(message, order.number, hint, extra={"order_number": order.number})
    off = "the shop's clock and Stripe's differ" if hint != "ok" else "it had waited for too long"
    return f"Stripe did not take the time limit of this attempt: {off}"


def _close_missing(order: Order, missing: StripeNotFound) -> Fact:
    """Close an attempt whose session Stripe does not know, once nobody can pay that session.

    That is certain after its time limit; before it only if the current API key created the session
    and expiring it also answers "no such session". Created with another key, it may exist in that
    key's account and be payable until its time limit.

    Raises:
        StripeNotFound: the response was not Stripe's own, or the order does not wait for payment.
        CheckoutOutOfReach: the session may still be payable.
    """
    if missing.code != "resource_missing" or order.checkout_status not in PAYABLE_CHECKOUT:
        raise missing
    is_over = clock_skew.stripe_now() - MISSING_AFTER > order.checkout_expires_at
    if not is_over and order.placed_under != requests.account_fingerprint():
        raise CheckoutOutOfReach(order.checkout_expires_at) from missing
    if clock.now() < (old_enough := order.created_at + MISSING_AFTER):
        raise CheckoutOutOfReach(old_enough) from missing
    try:
        expired = requests.expire_checkout(str(order.checkout_session_id))
    except StripeRefused as refused:
        if refused.code != "resource_missing":
            raise missing from refused
        reason, call = "Stripe does not know this session any more", missing.call
        return ClosedFact(order_number=order.number, status="expired", reason=reason, call=call)
    return _fact(expired, order, "expired at Stripe")


def _fact(session: Document, order: Order, origin: str) -> Fact:
    """The fact in an answer about this order's session; StripeUncertain if it is no such answer."""
    with reading_answer():
        fact = of_session(session, origin=origin)
    if fact is None or fact.order_number != order.number:
        raise StripeUncertain
    return fact


def expire_checkout_session(order: Order, why: Change, source: Source) -> Order:
    """Expire the session at Stripe and then cancel the order; it may turn out to be paid.

    The intention is stored before Stripe is called: if the process dies in between, the reconciler
    or the next click completes it. Returns the order as it then is.
    """
    with db.unit_of_work() as session:
        batch = lock_orders(session, [order.number])
        locked = batch.order(order.number)
        if locked.checkout_status in PAYABLE_CHECKOUT and locked.cancel_requested_at is None:
            locked.cancel_requested_at = batch.at
            batch.save()
            history.log(session, locked, source, Action.CANCEL_REQUESTED, why)
        order = queries.current(session, order)
    if order.checkout_status not in PAYABLE_CHECKOUT:
        return order
    if order.checkout_session_id is None:
        order = _record(order, _create_session(order)[0], source)
        if order.checkout_session_id is None:
            return order
    try:
        expired = requests.expire_checkout(order.checkout_session_id)
    except StripeNotFound as missing:
        return _record(order, _close_missing(order, missing), source)
    except StripeRefused:
        expired = requests.checkout(order.checkout_session_id)
    return _record(order, _fact(expired, order, "expired at Stripe"), source)


def _record(order: Order, fact: Fact, source: Source, *, is_noted: bool = False) -> Order:
    """Apply one fact about this order and return the order as it then is."""
    with db.unit_of_work() as session:
        (applied,) = transitions.apply_facts(session, [fact], source=source)
        order = queries.current(session, order)
        if is_noted and not applied.changed:
            history.note_repeat(session, order, source, evidence=fact.call)
        return order

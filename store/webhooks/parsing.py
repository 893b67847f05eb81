"""What has arrived as a webhook: signed bytes in, an event and its fact out.

A signed event is taken in however odd it is, since refusing it would only bring it again for days.
What cannot be read, or does not fit its order, is looked up at Stripe once (`check`) in the version
of the API that this shop is written for; that answer decides. Where Stripe does not confirm it,
the order is marked for review.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import orjson
from sqlmodel import col, select

from store.core import clock
from store.core.errors import EventMalformed, StripeRefused
from store.db import engine as db
from store.db.models import Order
from store.orders import failed_attempts
from store.orders.stripe_facts import (
    PAID,
    CheckoutFact,
    Document,
    DoubtFact,
    Fact,
    identity,
    of_charge,
    of_dispute,
    of_refund,
    of_session,
    order_number,
)
from store.stripe_api import gateway

LONGEST_ID = 255
LONGEST_NUMBER = 64
# Every database and every time zone can write these.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
# What reading a document meets that is not as Stripe documents it.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError)
Subject = Literal["checkout", "refund", "dispute", "receipt", "attempt"]


class Arrival(NamedTuple):
    """One event that has arrived, with the fact it carries, if it carries one for us.

    `odd` says in what the event is not as Stripe documents it; `subject` and `object_id` what to
    look up at Stripe when the fact is doubted. `order_number` is the order that an event without a
    handler names itself.
    """

    id: str
    type: str
    created_at: datetime
    livemode: bool
    concerns_orders: bool
    fact: Fact | None
    odd: str = ""
    subject: Subject | None = None
    object_id: str = ""
    order_number: str | None = None


def parse(body: bytes) -> Document:
    """The event in a webhook's body.

    Raises:
        EventMalformed: not a snapshot event as Stripe writes them.
    """
    try:
        event = _decoded(body)
    except (ValueError, RecursionError):
        raise EventMalformed from None
    if not isinstance(event, dict) or event.get("object") not in ("event", "v2.core.event"):
        raise EventMalformed
    return event


def _decoded(body: bytes) -> Any:
    """The document, in which no name comes twice and no number is other than it was written."""
    with suppress(ValueError, TypeError):  # what the quick way cannot read, the strict one judges
        found = orjson.loads(body)
        indented = orjson.OPT_INDENT_2 if body.startswith(b"{\n") else 0
        if orjson.dumps(found, option=indented) == body:
            return found  # written anew it is the same: reading it has lost nothing
    return STRICT.decode(body.decode())


def _refuse(_constant: str) -> None:
    raise ValueError


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two values for one name may be read differently by whoever signed and whoever reads."""
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError
    return found


STRICT = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_without_repeats)


def may_ask(event: Document) -> bool:
    """True where finding out the order may take a look into the database or a call of Stripe."""
    return str(event.get("type")).startswith(ASKING)


def read(event: Document) -> Arrival:
    """What an event says, once it is found out which order it is about.

    A refund or a dispute names its payment only; where the payment is not known here yet, Stripe
    is asked for it, so call this outside a transaction.

    Raises:
        EventMalformed: it has no id or no type, so that there is nothing to know it by.
        StripeError, DatabaseUnavailable: the order cannot be found out now; try again later.
    """
    try:
        identifier, kind = _text(event.get("id")), _text(event.get("type"))
    except ValueError:
        raise EventMalformed from None
    created_at, odd = _created(event)
    handler = HANDLERS.get(kind)
    live = event.get("livemode") is True
    if handler is None or live:
        named = None if live else named_order(event)
        concerns_orders = handler is not None
        return Arrival(
            identifier, kind, created_at, live, concerns_orders, None, odd, order_number=named
        )
    thing, fact, subject = _object_of(event), None, handler.subject
    if event.get("livemode") is not False:
        odd = odd or "the event is not marked as test mode"
    try:
        fact = handler.read(thing, identifier) if thing else None
        odd = odd or ("" if thing else "the event has no object")
    except UNREADABLE:
        odd = odd or f"the event's {subject} cannot be read"
    if odd:
        fact = _doubted(thing, subject, identifier, odd)
    named = str(thing.get("id", ""))[: LONGEST_ID + 1]
    return Arrival(identifier, kind, created_at, live, True, fact, odd, subject, named)


def named_order(event: Document) -> str | None:
    """The order number in an event's metadata, which need not be one of ours."""
    try:
        number = order_number(_object_of(event))
    except UNREADABLE:
        return None
    return number if number and fits_a_number(number) else None


def fits_a_number(text: str) -> bool:
    """True for text that every database stores and indexes as an order number."""
    return text.isprintable() and 0 < len(text) <= LONGEST_NUMBER


def _object_of(event: Document) -> Document:
    data = event.get("data")
    thing = data.get("object") if isinstance(data, Mapping) else None
    return thing if isinstance(thing, Mapping) else {}


def _created(event: Document) -> tuple[datetime, str]:
    """When Stripe made the event; where it does not say so, now, and what is odd about it."""
    try:
        moment = _moment(event.get("created"), thin=event.get("object") != "event")
        if EARLIEST <= moment < LATEST:
            return moment, ""
    except UNREADABLE:
        pass
    return clock.now(), "the event does not say when it was made"


def _doubted(thing: Document, subject: Subject, event_id: str, odd: str) -> Fact | None:
    """A fact for an event that cannot be read, where it still names an order of ours.

    A receipt or a failed attempt is no reason to look into an order: neither moves money.
    """
    if subject in ("receipt", "attempt"):
        return None
    try:
        number = order_number(thing)
        if number is None and subject != "checkout":
            number = order_of_payment(identity(thing["payment_intent"]))
        if number is None or not fits_a_number(number):
            return None
        return DoubtFact(
            order_number=number,
            evidence=event_id,
            proof=proof_of(event_id),
            reason=odd,
            about=_about(subject),
        )
    except UNREADABLE:
        return None


def _about(subject: Subject | None) -> Literal["checkout", "money back"]:
    return "checkout" if subject == "checkout" else "money back"


def check(arrival: Arrival, reason: str) -> Arrival:
    """Ask Stripe what is true of a doubted event, and let that take the event's place.

    Nothing is written here, so dying in it loses nothing: the event has not been answered, and
    comes again. Two at once get the same answer. Call it outside a transaction.

    Raises:
        StripeError, DatabaseUnavailable: not now; the event has to be sent again.
    """
    fact = arrival.fact
    if fact is None or arrival.subject is None:
        return arrival
    answer = _looked_up(arrival, fact.order_number)
    if answer is None or not _explains(arrival, answer):
        return contested(arrival, reason)
    note = f"the event says: {reason}; Stripe was asked"
    told = replace(answer, note=note, evidence=arrival.id, proof=proof_of(arrival.id), checked=True)
    return arrival._replace(fact=told)


def contested(arrival: Arrival, reason: str) -> Arrival:
    """The same event as no more than a reason to look into its order."""
    if arrival.fact is None:
        return arrival
    fact = DoubtFact(
        order_number=arrival.fact.order_number,
        evidence=arrival.id,
        proof=proof_of(arrival.id),
        checked=True,
        reason=reason,
        about=_about(arrival.subject),
    )
    return arrival._replace(fact=fact)


def _looked_up(arrival: Arrival, number: str) -> Fact | None:
    """What Stripe answers about the object of an event; None where it does not confirm it.

    Raises:
        StripeError: Stripe cannot be asked now.
    """
    if not arrival.object_id or len(arrival.object_id) > LONGEST_ID:
        return None
    try:
        answer = LOOK_UPS[arrival.subject or "receipt"](arrival.object_id, number)
    except (StripeRefused, *UNREADABLE):  # there is no such object, or it is no answer
        return None
    return answer if answer and answer.order_number == number else None


def _explains(arrival: Arrival, answer: Fact) -> bool:
    """Whether what Stripe answers accounts for what the event claims.

    An event that says that an order is paid is not answered by a session that is still open.
    """
    if not isinstance(answer, CheckoutFact):
        return True
    claimed = isinstance(arrival.fact, CheckoutFact) and arrival.fact.payment_status in PAID
    if claimed or arrival.type == "checkout.session.async_payment_succeeded":
        return answer.payment_status in PAID
    return arrival.type != "checkout.session.completed" or answer.status == "complete"


def _look_up_session(session_id: str, _number: str) -> Fact | None:
    return of_session(gateway.checkout(session_id), evidence="")


def _look_up_refund(refund_id: str, number: str) -> Fact | None:
    refund = gateway.refund(refund_id)
    captured_amount = _captured(refund, number)
    return of_refund(refund, number, evidence="", captured_amount=captured_amount)


def _look_up_dispute(dispute_id: str, number: str) -> Fact | None:
    dispute = gateway.dispute(dispute_id)
    captured_amount = _captured(dispute, number)
    return of_dispute(dispute, number, evidence="", captured_amount=captured_amount)


def _captured(thing: Document, number: str) -> int | None:
    """What the payment behind a refund or dispute brought in, where it is this order's."""
    payment = gateway.payment(identity(thing["payment_intent"]) or "")
    amount: int | None = payment.get("amount_received") or None
    return amount if order_number(payment) == number else None


LOOK_UPS: Mapping[Subject, Callable[[str, str], Fact | None]] = {
    "checkout": _look_up_session,
    "refund": _look_up_refund,
    "dispute": _look_up_dispute,
    "receipt": lambda _identifier, _number: None,
    "attempt": lambda _identifier, _number: None,
}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID or not value.isprintable():
        raise ValueError
    return value


def _moment(created: Any, *, thin: bool = False) -> datetime:
    """A moment of Stripe's; thin events carry ISO 8601 with its zone.

    Raises:
        ValueError, OverflowError: it is none.
    """
    if thin and isinstance(created, str):
        moment = datetime.fromisoformat(created)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    if type(created) is not int:
        raise ValueError
    return datetime.fromtimestamp(created, UTC)


def proof_of(identifier: str) -> str:
    """What the history shows of an event."""
    return orjson.dumps({"event_id": identifier}).decode()


def _read_receipt(charge: Document, event_id: str) -> Fact | None:
    return of_charge(charge, evidence=event_id, proof=proof_of(event_id))


def _read_refund(refund: Document, event_id: str) -> Fact | None:
    number = order_number(refund) or order_of_payment(identity(refund["payment_intent"]))
    if not number:
        return None
    return of_refund(refund, number, evidence=event_id, proof=proof_of(event_id))


def _read_dispute(dispute: Document, event_id: str) -> Fact | None:
    number = order_of_payment(identity(dispute["payment_intent"]))
    if not number:
        return None
    return of_dispute(dispute, number, evidence=event_id, proof=proof_of(event_id))


def _read_session(session: Document, event_id: str) -> Fact | None:
    return of_session(session, evidence=event_id, proof=proof_of(event_id))


def _read_failed_session(session: Document, event_id: str) -> Fact | None:
    return of_session(session, evidence=event_id, proof=proof_of(event_id), failed=True)


def order_of_payment(payment_intent_id: str | None) -> str | None:
    """The number of the order a payment is for, from our rows or else from Stripe's metadata."""
    if not payment_intent_id or len(payment_intent_id) > LONGEST_ID:
        return None
    if not payment_intent_id.isprintable():  # PostgreSQL refuses to be asked about NUL
        return None
    with db.reading() as session:
        number = session.exec(
            select(Order.number).where(col(Order.payment_intent_id) == payment_intent_id)
        ).first()
    try:
        return number or order_number(gateway.payment(payment_intent_id))
    except StripeRefused:
        return None


ASKING = ("refund.", "charge.dispute.")


class Handler(NamedTuple):
    """How a type of event is read, and what it is about."""

    read: Callable[[Any, str], Fact | None]
    subject: Subject


HANDLERS: Mapping[str, Handler] = {
    "checkout.session.completed": Handler(_read_session, "checkout"),
    "checkout.session.async_payment_succeeded": Handler(_read_session, "checkout"),
    "checkout.session.async_payment_failed": Handler(_read_failed_session, "checkout"),
    "checkout.session.expired": Handler(_read_session, "checkout"),
    "charge.succeeded": Handler(_read_receipt, "receipt"),
    "charge.updated": Handler(_read_receipt, "receipt"),
    "charge.failed": Handler(failed_attempts.of_charge, "attempt"),
    "payment_intent.payment_failed": Handler(failed_attempts.of_payment, "attempt"),
    "refund.created": Handler(_read_refund, "refund"),
    "refund.updated": Handler(_read_refund, "refund"),
    "refund.failed": Handler(_read_refund, "refund"),
    "charge.dispute.created": Handler(_read_dispute, "dispute"),
    "charge.dispute.updated": Handler(_read_dispute, "dispute"),
    "charge.dispute.closed": Handler(_read_dispute, "dispute"),
    "charge.dispute.funds_withdrawn": Handler(_read_dispute, "dispute"),
    "charge.dispute.funds_reinstated": Handler(_read_dispute, "dispute"),
}

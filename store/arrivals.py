"""What has arrived at the webhook door: signed bytes in, an event and its fact out."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from sqlmodel import col, select

from store import db, gateway
from store.errors import EventMalformed, StripeNotFound
from store.facts import (
    Document,
    Fact,
    ReceiptFact,
    identity,
    of_dispute,
    of_refund,
    of_session,
    order_number,
)
from store.models import Order

LONGEST_ID = 255


class Arrival(NamedTuple):
    """One event that has arrived, with the fact it carries, if it carries one for us."""

    id: str
    type: str
    created_at: datetime
    livemode: bool
    concerns_orders: bool
    fact: Fact | None


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
        EventMalformed: required fields are missing or of the wrong type.
        StripeError, DatabaseUnavailable: the order cannot be found out now; try again later.
    """
    try:
        identifier, kind = event["id"], event["type"]
        reader = HANDLERS.get(kind)
        thing = event.get("data", {}).get("object")
        fact = reader(thing, identifier) if reader and not event.get("livemode") else None
        return Arrival(
            id=_text(identifier),
            type=_text(kind),
            created_at=_moment(event["created"]),
            livemode=bool(event.get("livemode")),
            concerns_orders=reader is not None,
            fact=fact,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError):
        raise EventMalformed from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_ID or not value.isprintable():
        raise ValueError
    return value


def _moment(created: Any) -> datetime:
    if isinstance(created, str):  # thin events carry ISO 8601
        return datetime.fromisoformat(created)
    return datetime.fromtimestamp(created, UTC)


def proof_of(identifier: str) -> str:
    """What the history shows of an event."""
    return orjson.dumps({"event_id": identifier}).decode()


def _read_receipt(charge: Document, event_id: str) -> Fact | None:
    number, url = order_number(charge), charge.get("receipt_url")
    if not number or not isinstance(url, str):
        return None
    return ReceiptFact(
        order_number=number, evidence=event_id, proof=proof_of(event_id), receipt_url=url
    )


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
    if not payment_intent_id:
        return None
    with db.reading() as session:
        number = session.exec(
            select(Order.number).where(col(Order.payment_intent_id) == payment_intent_id)
        ).first()
    try:
        return number or order_number(gateway.payment(payment_intent_id))
    except StripeNotFound:
        return None


ASKING = ("refund.", "charge.dispute.")
Reader = Callable[[Any, str], Fact | None]
HANDLERS: Mapping[str, Reader] = {
    "checkout.session.completed": _read_session,
    "checkout.session.async_payment_succeeded": _read_session,
    "checkout.session.async_payment_failed": _read_failed_session,
    "checkout.session.expired": _read_session,
    "charge.succeeded": _read_receipt,
    "charge.updated": _read_receipt,
    "refund.created": _read_refund,
    "refund.updated": _read_refund,
    "refund.failed": _read_refund,
    "charge.dispute.created": _read_dispute,
    "charge.dispute.updated": _read_dispute,
    "charge.dispute.closed": _read_dispute,
    "charge.dispute.funds_withdrawn": _read_dispute,
    "charge.dispute.funds_reinstated": _read_dispute,
}

"""The webhook inbox: each event once, its effect in the same transaction as its row.

Dead before the commit: neither row nor effect exists, no 2xx was sent, Stripe sends it again.
Dead after it: both exist, and the repetition is counted as a duplicate. Two deliveries at once:
the primary key lets one of them insert, and the other waits for it.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from store import clock, db, gateway, orders
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
from store.models import Order, Repeat, StripeEvent
from store.orders import Source

Outcome = Literal["applied", "known", "duplicate", "orphan", "ignored", "livemode"]
LONGEST_ID = 255


@dataclass(frozen=True)
class Arrival:
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
        event = json.loads(body, parse_constant=_refuse, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise EventMalformed from None
    if not isinstance(event, dict) or event.get("object") not in ("event", "v2.core.event"):
        raise EventMalformed
    return event


def _refuse(_constant: str) -> None:
    raise ValueError


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two values for one name may be read differently by whoever signed and whoever reads."""
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError
    return found


def arrival(event: Document) -> Arrival:
    """Read an event, and find out which order it is about.

    A refund or a dispute names its payment only; where the payment is not known here yet, Stripe
    is asked for it, so call this outside a transaction.

    Raises:
        EventMalformed: required fields are missing or of the wrong type.
        StripeError, DatabaseUnavailable: the order cannot be found out now; try again later.
    """
    try:
        identifier, kind = event["id"], event["type"]
        read = HANDLERS.get(kind)
        thing = event.get("data", {}).get("object")
        fact = read(thing, identifier) if read and not event.get("livemode") else None
        if fact:
            fact = replace(fact, proof=json.dumps({"event_id": identifier}))
        return Arrival(
            id=_text(identifier),
            type=_text(kind),
            created_at=_moment(event["created"]),
            livemode=bool(event.get("livemode")),
            concerns_orders=read is not None,
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


def receive(session: Session, arrivals: Sequence[Arrival], *, source: Source) -> list[Outcome]:
    """Take a batch of events into the inbox and let each have its effect, once.

    The reconciler brings events that the webhook door may have seen; those are not deliveries
    and are not counted.
    """
    unseen = _register(session, arrivals, delivered=source == "webhook")
    outcomes: list[Outcome] = []
    taken = []
    for event in arrivals:
        fresh = unseen.pop(event.id, None)
        outcomes.append("duplicate" if fresh is None else _first_look(event))
        if fresh is not None:
            fresh.outcome = outcomes[-1]
        if fresh is not None and event.fact and not event.livemode:
            taken.append((len(outcomes) - 1, fresh, event.fact))
    answers = orders.record(session, [fact for *_, fact in taken], source=source)
    for (place, row, _fact), answer in zip(taken, answers, strict=True):
        outcome: Outcome = "orphan" if answer.order is None else _effect(answer.news)
        outcomes[place] = row.outcome = outcome
        row.order_id = answer.order.id if answer.order else None
    if source == "webhook":
        session.add_all(
            Repeat(at=clock.now(), source=source, event_id=event.id)
            for event, outcome in zip(arrivals, outcomes, strict=True)
            if outcome == "duplicate"
        )
    return outcomes


def _effect(news: bool) -> Outcome:
    return "applied" if news else "known"


def _first_look(event: Arrival) -> Outcome:
    if event.livemode:
        return "livemode"
    return "orphan" if event.concerns_orders else "ignored"


def _register(
    session: Session, arrivals: Sequence[Arrival], *, delivered: bool
) -> dict[str, StripeEvent]:
    """Insert or count every event of a batch; answer the rows that have had no effect yet.

    An orphan's order may have appeared since, so it counts as unseen. Ids are sorted, because
    two batches that insert the same ids in different orders would wait for each other.
    """
    counts = Counter(event.id for event in arrivals)
    rows = {
        event.id: {
            "id": event.id,
            "type": event.type,
            "created_at": event.created_at,
            "received_at": clock.now(),
            "deliveries": counts[event.id] if delivered else 0,
            "outcome": "received",
        }
        for event in arrivals
    }
    if not rows:
        return {}
    dialect = sqlite if db.engine().dialect.name == "sqlite" else postgresql
    insert = dialect.insert(StripeEvent).values([rows[name] for name in sorted(rows)])
    counted = insert.on_conflict_do_update(
        index_elements=["id"],
        set_={"deliveries": col(StripeEvent.deliveries) + insert.excluded.deliveries},
    )
    session.connection().execute(counted)
    fresh = session.exec(
        select(StripeEvent)
        .where(col(StripeEvent.id).in_(rows), col(StripeEvent.outcome).in_(["received", "orphan"]))
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in fresh}


def _read_receipt(charge: Document, evidence: str) -> Fact | None:
    number, url = order_number(charge), charge.get("receipt_url")
    if not number or not isinstance(url, str):
        return None
    return ReceiptFact(order_number=number, evidence=evidence, receipt_url=url)


def _read_refund(refund: Document, evidence: str) -> Fact | None:
    number = order_number(refund) or order_of_payment(identity(refund["payment_intent"]))
    return of_refund(refund, number, evidence=evidence) if number else None


def _read_dispute(dispute: Document, evidence: str) -> Fact | None:
    number = order_of_payment(identity(dispute["payment_intent"]))
    return of_dispute(dispute, number, evidence=evidence) if number else None


def _read_session(session: Document, evidence: str) -> Fact | None:
    return of_session(session, evidence=evidence)


def _read_failed_session(session: Document, evidence: str) -> Fact | None:
    return of_session(session, evidence=evidence, failed=True)


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

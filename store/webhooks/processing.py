"""Processes events: each takes effect once, in the same transaction as its row.

What is left if the process dies:

1. `record_events` locks the orders of a batch, inserts the events, applies their facts and writes
   orders, history and events in one transaction. Before its commit: no row and no effect exists, no
   2xx was sent, and Stripe delivers every event of the batch again.
2. After the commit and before the response: rows and effects exist, and the redelivery by Stripe
   is counted as a duplicate.

Two at once, in two threads, processes or machines: about one order, the second waits for its lock
and then finds the event recorded. About no order, the primary key lets one insert, and the other
waits for it. Orders are always locked before events, each sorted by id, so no two deadlock.

`try_events` leaves out two kinds of events: those whose order is locked by another transaction, so
that they do not delay the rest of the batch, and those that do not fit their order, which must be
looked up at Stripe first, outside the transaction (`parsing.look_up`). If the process dies between
the two, the event was not answered and is delivered again. `process_events` does both steps.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Literal, NamedTuple

from sqlmodel import Session, col, func, select

from store.core import clock
from store.core.errors import StripeError
from store.db import bulk
from store.db import engine as db
from store.db.models import MAX_LISTED, OrderCheck, StripeEvent
from store.orders import fact_checks, transitions
from store.orders.batch import OrderBatch, lock_orders
from store.orders.history import Source
from store.orders.stripe_facts import DoubtFact
from store.webhooks import parsing
from store.webhooks.parsing import ParsedEvent

Outcome = Literal[
    "applied", "no_change", "duplicate", "unknown_order", "ignored", "livemode", "review"
]


class Locked(NamedTuple):
    """Nothing was written: another transaction holds the event's order."""


class Doubt(NamedTuple):
    """Nothing was written: the event does not fit its order and must be looked up at Stripe."""

    reason: str


def process_events(events: Sequence[ParsedEvent], *, source: Source) -> list[Outcome | StripeError]:
    """Process events in transactions of their own, with look-ups at Stripe of doubted ones.

    Returns one result per event; an error is that of a look-up, whose event was not written.
    """
    with db.unit_of_work() as session:
        outcomes = try_events(session, events, source=source, wait=True)
    results: list[Outcome | StripeError] = []
    for event, outcome in zip(events, outcomes, strict=True):
        if isinstance(outcome, Doubt):
            try:
                checked = parsing.look_up(event, outcome.reason)
            except StripeError as error:
                results.append(error)
            else:
                with db.unit_of_work() as session:
                    results += record_events(session, [checked], source=source)
        elif not isinstance(outcome, Locked):
            results.append(outcome)
    return results


def try_events(
    session: Session, events: Sequence[ParsedEvent], *, source: Source, wait: bool
) -> list[Outcome | Doubt | Locked]:
    """Record the events that can be recorded now, and return for each other one why not.

    Without `wait`, an event whose order another transaction holds is left out at once.
    """
    batch = lock_orders(session, _order_numbers(events), wait=wait)
    left_out = _left_out(events, batch)
    rest = [event for place, event in enumerate(events) if place not in left_out]
    recorded = iter(record_events(session, rest, source=source, batch=batch))
    return [
        left_out[place] if place in left_out else next(recorded) for place in range(len(events))
    ]


def _order_numbers(events: Sequence[ParsedEvent]) -> set[str]:
    return {event.fact.order_number for event in events if event.fact}


def _left_out(events: Sequence[ParsedEvent], batch: OrderBatch) -> dict[int, Doubt | Locked]:
    """The events that cannot be recorded now, by their place."""
    doubts, left_out = dict[str, Doubt](), dict[int, Doubt | Locked]()
    for event in events:
        order = batch.orders.get(event.fact.order_number) if event.fact else None
        if event.fact and order and (reason := fact_checks.lookup_reason(batch, order, event.fact)):
            doubts[event.id] = Doubt(reason)
    if doubts:  # not those recorded already
        recorded = select(StripeEvent.id).where(
            col(StripeEvent.id).in_(sorted(doubts)), col(StripeEvent.outcome) != "unknown_order"
        )
        for event_id in batch.session.exec(recorded):
            del doubts[event_id]
    for place, event in enumerate(events):
        if event.fact and event.fact.order_number in batch.locked_elsewhere:
            left_out[place] = Locked()
        elif event.id in doubts:
            left_out[place] = doubts[event.id]
    return left_out


def record_events(
    session: Session,
    events: Sequence[ParsedEvent],
    *,
    source: Source,
    batch: OrderBatch | None = None,
) -> list[Outcome]:
    """Record a batch of events and apply their facts, each once; returns one outcome per event.

    Only webhooks count as deliveries: the reconciler reports events that a webhook may have
    delivered already. An `unknown_order` counts as new: its order may have been added since.
    Pass `batch` if the orders are locked already.
    """
    unique: dict[str, ParsedEvent] = {}
    for event in events:
        unique.setdefault(event.id, event)
    batch = batch or lock_orders(session, _order_numbers(events))
    expected = {event_id: _expected(event, batch) for event_id, event in unique.items()}
    counts = Counter(event.id for event in events) if source == "webhook" else Counter[str]()
    new, reclassified = _register(session, unique, expected, counts)
    facts = {event.id: event.fact for event in unique.values() if event.fact and event.id in new}
    applied = transitions.apply_facts(session, [*facts.values()], source=source, batch=batch)
    for event_id, effect in zip(facts, applied, strict=True):
        if effect.order_id and not effect.changed and expected[event_id].outcome != "review":
            expected[event_id] = EventOutcome("no_change", effect.order_id)
            reclassified.add(event_id)
    rows = [{"id": event_id, **expected[event_id]._asdict()} for event_id in sorted(reclassified)]
    bulk.update(session, StripeEvent, rows)
    outcomes = _outcomes(events, expected, new)
    if source == "webhook":
        _note_duplicates(session, events, outcomes)
    return outcomes


class EventOutcome(NamedTuple):
    """The effect of an event, by the names of its row's columns."""

    outcome: Outcome
    order_id: int | None = None


def _expected(event: ParsedEvent, batch: OrderBatch) -> EventOutcome:
    """The outcome of the event if it is new and its fact changes something."""
    if event.livemode:
        return EventOutcome("livemode")
    order = batch.orders.get(event.fact.order_number) if event.fact else None
    if event.odd and (order or event.fact is None):
        return EventOutcome("review", order.id if order else None)
    if order:
        doubted = isinstance(event.fact, DoubtFact)
        return EventOutcome("review" if doubted else "applied", order.id)
    return EventOutcome("unknown_order" if event.type in parsing.HANDLERS else "ignored")


def _register(
    session: Session,
    unique: Mapping[str, ParsedEvent],
    expected: Mapping[str, EventOutcome],
    counts: Mapping[str, int],
) -> tuple[set[str], set[str]]:
    """Insert or count every event; returns the ids without effect yet, and those of unknown orders.

    INSERT … ON CONFLICT decides which events are new. `retention` may delete a recorded row before
    its deliveries are counted; then the loop inserts it again.
    """
    left, unseen, unknown = set(unique), set[str](), set[str]()
    now = clock.now()
    while left:
        rows = [
            {
                "id": event_id,
                "type": unique[event_id].type,
                "created_at": unique[event_id].created_at,
                "received_at": now,
                "deliveries": counts[event_id],
                "order_number": _unmatched_number(unique[event_id], expected[event_id]),
                **expected[event_id]._asdict(),
            }
            for event_id in sorted(left)
        ]
        inserted = bulk.insert_new(session, StripeEvent, rows)
        recorded = _count(session, left - inserted, counts)
        unseen |= inserted
        unknown |= {event for event, outcome in recorded.items() if outcome == "unknown_order"}
        left -= inserted | recorded.keys()
    return unseen | unknown, unknown


def _unmatched_number(event: ParsedEvent, outcome: EventOutcome) -> str | None:
    """The order number that an event names, if it was not processed for an order."""
    if outcome.order_id is not None or event.livemode:
        return None
    number = event.fact.order_number if event.fact else event.order_number
    return number if parsing.is_id(number, parsing.MAX_NUMBER_LENGTH) else None


def _count(session: Session, event_ids: Set[str], counts: Mapping[str, int]) -> dict[str, str]:
    """Count the deliveries of recorded events; returns the outcome of each."""
    if not event_ids:
        return {}
    rows = session.exec(
        select(StripeEvent.id, StripeEvent.outcome, StripeEvent.deliveries)
        .where(col(StripeEvent.id).in_(event_ids))
        .order_by(col(StripeEvent.id))
        .with_for_update()
    ).all()
    counted = [
        {"id": event_id, "deliveries": deliveries + counts[event_id]}
        for event_id, _, deliveries in rows
        if counts[event_id]
    ]
    bulk.update(session, StripeEvent, counted)
    return {event_id: outcome for event_id, outcome, _ in rows}


def _outcomes(
    events: Sequence[ParsedEvent], expected: Mapping[str, EventOutcome], new: Set[str]
) -> list[Outcome]:
    """The outcome of each event; the second of two equal ones in a batch is a duplicate."""
    left, outcomes = set(new), list[Outcome]()
    for event in events:
        outcomes.append(expected[event.id].outcome if event.id in left else "duplicate")
        if outcomes[-1] != "unknown_order":
            left.discard(event.id)
    return outcomes


def _note_duplicates(
    session: Session, events: Sequence[ParsedEvent], outcomes: Sequence[Outcome]
) -> None:
    """Store duplicate deliveries; beyond `MAX_LISTED` of one event they are only counted."""
    duplicates = [
        event.id for event, outcome in zip(events, outcomes, strict=True) if outcome == "duplicate"
    ]
    if not duplicates:
        return
    query = (
        select(OrderCheck.event_id, func.count())
        .where(col(OrderCheck.event_id).in_(set(duplicates)))
        .group_by(col(OrderCheck.event_id))
    )
    listed = Counter(dict(session.exec(query).all()))
    rows = []
    for event_id in duplicates:
        listed[event_id] += 1
        if listed[event_id] <= MAX_LISTED:
            rows.append(
                {"at": clock.now(), "source": "webhook", "event_id": event_id, "evidence": ""}
            )
    bulk.insert(session, OrderCheck, rows)

"""The webhook inbox: each event once, its effect in the same transaction as its row.

Where `receive` may die, and what is then left:

1. It locks the orders that a batch is about, inserts the events, applies what is news and writes
   orders, history and events, all in one transaction. Dead anywhere before its commit: no row
   and no effect exists, no 2xx was sent, and Stripe sends every event of the batch again.
2. Dead after the commit and before the answer: rows and effects exist, and the repetition that
   Stripe sends is counted as a duplicate.

Two at once, in two threads, processes or machines: about one order, the second waits for the
lock on it and then finds the event known. About no order, the primary key lets one insert, and
the other waits for it. Everybody locks orders first and events then, each sorted by id, so that
nobody waits in a circle.

`try_receive` leaves two kinds of events unwritten: those whose order is locked by somebody else,
so that they do not hold up the rest of the batch, and those that do not fit their order, which
have to be looked up at Stripe first, outside the transaction (`arrivals.check`). Dead between the
two: the event was not answered and comes again. `take_in` does both steps.
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
from store.orders import batch as ledger
from store.orders import service, transitions
from store.orders.service import Source
from store.orders.stripe_facts import DoubtFact
from store.webhooks import parsing
from store.webhooks.parsing import Arrival

Outcome = Literal[
    "applied", "no_change", "duplicate", "unknown_order", "ignored", "livemode", "review"
]


class Locked(NamedTuple):
    """Nothing was written: somebody else holds this event's order or row."""


class Doubt(NamedTuple):
    """Nothing was written: the event does not fit its order, and Stripe has to be asked first."""

    reason: str


def take_in(batch: Sequence[Arrival], *, source: Source) -> list[Outcome | StripeError]:
    """Receive events in transactions of this function's own; looks up those that are doubted.

    Answers event by event; an error is that of a look-up, whose event is not written.

    Raises:
        DatabaseUnavailable
    """
    with db.unit_of_work() as session:
        outcomes = try_receive(session, batch, source=source, wait=True)
    answers: list[Outcome | StripeError] = []
    for event, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, Doubt):
            try:
                checked = parsing.check(event, outcome.reason)
            except StripeError as error:
                answers.append(error)
                continue
            with db.unit_of_work() as session:
                answers += receive(session, [checked], source=source)
        elif not isinstance(outcome, Locked):
            answers.append(outcome)
    return answers


def try_receive(
    session: Session, batch: Sequence[Arrival], *, source: Source, wait: bool
) -> list[Outcome | Doubt | Locked]:
    """Receive those events of a batch that can be now; says of each other one why not.

    Without `wait`, an event whose order is locked is left out at once, and so is one whose own
    row is.
    """
    held = ledger.hold(session, _numbers(batch), wait=wait)
    doubts = _doubts(session, batch, held)
    if not doubts and not held.locked:  # nearly always
        return [*receive(session, batch, source=source, held=held)]
    outcomes: dict[int, Outcome | Doubt | Locked] = {}
    rest = []
    for place, event in enumerate(batch):
        if event.fact and event.fact.order_number in held.locked:
            outcomes[place] = Locked()
        elif event.id in doubts:
            outcomes[place] = doubts[event.id]
        else:
            rest.append(place)
    received = receive(session, [batch[place] for place in rest], source=source, held=held)
    outcomes |= dict(zip(rest, received, strict=True))
    return [outcomes[place] for place in range(len(batch))]


def _numbers(batch: Sequence[Arrival]) -> set[str]:
    return {event.fact.order_number for event in batch if event.fact}


def _doubts(session: Session, batch: Sequence[Arrival], held: ledger.Ledger) -> dict[str, Doubt]:
    """The events that do not fit their orders, unless they have been taken in already."""
    doubts = dict[str, Doubt]()
    for event in batch:
        order = held.orders.get(event.fact.order_number) if event.fact else None
        if event.fact and order and (reason := transitions.doubt(held, order, event.fact)):
            doubts[event.id] = Doubt(reason)
    if doubts:
        known = select(StripeEvent.id).where(
            col(StripeEvent.id).in_(sorted(doubts)), col(StripeEvent.outcome) != "unknown_order"
        )
        for event_id in session.exec(known):
            del doubts[event_id]
    return doubts


def receive(
    session: Session,
    arrivals: Sequence[Arrival],
    *,
    source: Source,
    held: ledger.Ledger | None = None,
) -> list[Outcome]:
    """Take a batch of events into the inbox and let each have its effect, once.

    The reconciler brings events that the webhook door may have seen; those are not deliveries
    and are not counted. An orphan's order may have appeared since, so it counts as unseen.
    `held` are their orders, where the caller has locked them already.
    """
    first: dict[str, Arrival] = {}
    for event in arrivals:
        first.setdefault(event.id, event)
    held = held or ledger.hold(session, _numbers(arrivals))
    verdicts = {name: _expected(event, held) for name, event in first.items()}
    counts = Counter(event.id for event in arrivals) if source == "webhook" else Counter[str]()
    unseen, corrected = _register(session, first, verdicts, counts)
    taken = [event for event in first.values() if event.fact and event.id in unseen]
    facts = [event.fact for event in taken if event.fact]
    for event, answer in zip(
        taken, service.record(session, facts, source=source, held=held), strict=True
    ):
        if answer.order_id and not answer.news and verdicts[event.id].outcome != "review":
            verdicts[event.id] = Verdict("no_change", answer.order_id)
            corrected.add(event.id)
    rows = [{"id": name, **verdicts[name]._asdict()} for name in sorted(corrected)]
    bulk.update(session, StripeEvent, rows)
    outcomes = _outcomes(arrivals, verdicts, unseen)
    if source == "webhook":
        _note_repeats(session, arrivals, outcomes)
    return outcomes


class Verdict(NamedTuple):
    """What became of an event, by the names of its row's columns."""

    outcome: Outcome
    order_id: int | None = None


def _expected(event: Arrival, held: ledger.Ledger) -> Verdict:
    """What becomes of an event that is new and whose fact is news, which is nearly every one."""
    if event.livemode:
        return Verdict("livemode")
    order = held.orders.get(event.fact.order_number) if event.fact else None
    if event.odd and (order or event.fact is None):
        return Verdict("review", order.id if order else None)
    if order:
        doubted = isinstance(event.fact, DoubtFact)
        return Verdict("review" if doubted else "applied", order.id)
    return Verdict("unknown_order" if event.concerns_orders else "ignored")


def _register(
    session: Session,
    first: Mapping[str, Arrival],
    verdicts: Mapping[str, Verdict],
    counts: Mapping[str, int],
) -> tuple[set[str], set[str]]:
    """Insert or count every event; answers which have had no effect yet, and those with a row.

    The primary key decides which is new. A known one may be forgotten at this very moment
    (`retention`); then it is new after all.
    """
    left, unseen, orphans = set(first), set[str](), set[str]()
    now = clock.now()
    while left:
        rows = [
            {
                "id": name,
                "type": first[name].type,
                "created_at": first[name].created_at,
                "received_at": now,
                "deliveries": counts[name],
                "order_number": _unmatched_number(first[name], verdicts[name]),
                **verdicts[name]._asdict(),
            }
            for name in sorted(left)
        ]
        inserted = bulk.insert_new(session, StripeEvent, rows)
        known = _count(session, left - inserted, counts)
        unseen |= inserted
        orphans |= {name for name, outcome in known.items() if outcome == "unknown_order"}
        left -= inserted | known.keys()
    return unseen | orphans, orphans


def _unmatched_number(event: Arrival, verdict: Verdict) -> str | None:
    """The order that an event names, where it was not processed for one."""
    if verdict.order_id is not None or event.livemode:
        return None
    number = event.fact.order_number if event.fact else event.order_number
    return number if number and parsing.fits_a_number(number) else None


def _count(session: Session, known: Set[str], counts: Mapping[str, int]) -> dict[str, str]:
    """Count the deliveries of events that were here before; answers the outcome of each."""
    if not known:
        return {}
    rows = session.exec(
        select(StripeEvent.id, StripeEvent.outcome, StripeEvent.deliveries)
        .where(col(StripeEvent.id).in_(known))
        .order_by(col(StripeEvent.id))
        .with_for_update()
    ).all()
    counted = [
        {"id": name, "deliveries": deliveries + counts[name]}
        for name, _, deliveries in rows
        if counts[name]
    ]
    bulk.update(session, StripeEvent, counted)
    return {name: outcome for name, outcome, _ in rows}


def _outcomes(
    arrivals: Sequence[Arrival], verdicts: Mapping[str, Verdict], unseen: Set[str]
) -> list[Outcome]:
    """What to answer to each; of two alike in one batch the second meets what the first left."""
    left, outcomes = set(unseen), list[Outcome]()
    for event in arrivals:
        outcomes.append(verdicts[event.id].outcome if event.id in left else "duplicate")
        if outcomes[-1] != "unknown_order":
            left.discard(event.id)
    return outcomes


def _note_repeats(
    session: Session, arrivals: Sequence[Arrival], outcomes: Sequence[Outcome]
) -> None:
    """List the duplicates; beyond `MAX_LISTED` of one event they are only counted with it."""
    again = [e.id for e, outcome in zip(arrivals, outcomes, strict=True) if outcome == "duplicate"]
    if not again:
        return
    query = (
        select(OrderCheck.event_id, func.count())
        .where(col(OrderCheck.event_id).in_(set(again)))
        .group_by(col(OrderCheck.event_id))
    )
    listed = Counter(dict(session.exec(query).all()))
    rows = []
    for event_id in again:
        listed[event_id] += 1
        if listed[event_id] <= MAX_LISTED:
            rows.append(
                {"at": clock.now(), "source": "webhook", "event_id": event_id, "evidence": ""}
            )
    bulk.insert(session, OrderCheck, rows)

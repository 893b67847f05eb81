"""The events that no webhook brought: Stripe's list of them, through the same inbox.

No event holds up another. One that cannot be read or taken in now is remembered as an orphan with
a time for its next try, so that the list need not be read again from where it stands. Dead before
that is written: the pass was not done, and the next one meets the event in the list again. Two at
once: the inbox takes each event in once.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice

from sqlmodel import Session, col, or_, select, update

from store.core import clock
from store.core.each import Failure, Item, each, report
from store.core.errors import StripeError, StripeNotFound, StripeUncertain
from store.db import bulk
from store.db import engine as db
from store.db.models import StripeEvent
from store.reconciliation.open_orders import PATIENT, probe
from store.stripe_api import requests, transport
from store.webhooks import parsing, processing
from store.webhooks.parsing import ParsedEvent

log = logging.getLogger(__name__)

EVENTS_KEPT = timedelta(days=30)
BATCH = 100
TRIES = 50  # in one pass
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=6)


@dataclass
class TakenIn:
    """How many events had an effect, and how many could not be taken in."""

    applied: int = 0
    failed: int = 0


def take_in(since: datetime, taken: TakenIn) -> None:
    """Take in every event since a moment of Stripe's clock that has had no effect yet.

    Raises:
        StripeError, DatabaseUnavailable: the list cannot be read to its end.
    """
    listed = requests.events(list(parsing.HANDLERS), since)
    nameless = 0
    while batch := list(islice(listed, BATCH)):
        oldest_first = batch[::-1]
        named = {str(event["id"]): event for event in oldest_first if _is_id(event.get("id"))}
        nameless += len(batch) - len(named)
        _take_in_batch(named, taken)
        time.sleep(transport.PAUSE_SECONDS)
    if nameless:
        log.warning("%s events in Stripe's list have no id; the list is read again.", nameless)
        taken.failed += nameless
        raise StripeUncertain(replayed=False)


def try_again(taken: TakenIn) -> None:
    """Fetch the events again that could not be taken in before, each after its pause.

    Raises:
        StripeError, DatabaseUnavailable: nothing can be asked or written at all.
    """
    now = clock.now()
    with db.reading() as session:
        due = select(StripeEvent.id, StripeEvent.received_at).where(
            col(StripeEvent.next_try_at) <= now
        )
        rows = session.exec(due.order_by(col(StripeEvent.next_try_at)).limit(TRIES)).all()
    received_at = dict(rows)
    with transport.time_limit(PATIENT.seconds):
        failures = each(
            (Item("event", name, partial(_fetch, name, taken)) for name in received_at), probe
        )
    for item, error in failures:
        pause = min(max((now - received_at[item.name]) / 2, SHORTEST_PAUSE), LONGEST_PAUSE)
        gone = isinstance(error, StripeNotFound)
        taken.failed += not gone
        with db.unit_of_work() as session:
            _set_next_try(session, item.name, None if gone else now + pause)


def _fetch(name: str, taken: TakenIn) -> None:
    _take_in_one(parsing.parse_event(requests.event(name)), taken)
    with db.unit_of_work() as session:
        _set_next_try(session, name, None)
    time.sleep(transport.PAUSE_SECONDS)


def _set_next_try(session: Session, name: str, at: datetime | None) -> None:
    row = update(StripeEvent).where(col(StripeEvent.id) == name)
    session.connection().execute(row.values(next_try_at=at))


def _is_id(said: object) -> bool:
    return isinstance(said, str) and 0 < len(said) <= parsing.MAX_ID_LENGTH and said.isprintable()


def _take_in_batch(named: Mapping[str, transport.Document], taken: TakenIn) -> None:
    known = _known(named)
    read = dict[str, ParsedEvent]()

    def read_one(name: str) -> None:
        read[name] = parsing.parse_event(named[name])

    with transport.time_limit(PATIENT.seconds):
        items = (
            Item("event", name, partial(read_one, name)) for name in named if name not in known
        )
        failures = each(items, probe)
    failures += _take_in_all(read, taken)
    if failures:
        taken.failed += len(failures)
        _remember([named[failure.item.name] for failure in failures])


def _known(named: Mapping[str, transport.Document]) -> set[str]:
    """The events that had their effect, and those that wait for their next try."""
    over = or_(
        col(StripeEvent.outcome) != "unknown_order", col(StripeEvent.next_try_at).is_not(None)
    )
    with db.reading() as session:
        return set(session.exec(select(StripeEvent.id).where(col(StripeEvent.id).in_(named), over)))


def _take_in_all(read: Mapping[str, ParsedEvent], taken: TakenIn) -> list[Failure]:
    """Take events in together, or one by one where that fails; answers those that failed."""
    alone = {
        name: Item("event", name, partial(_take_in_one, arrival, taken))
        for name, arrival in read.items()
    }
    try:
        outcomes = processing.process_events(list(read.values()), source="reconciler")
    except Exception:
        log.warning("A batch of events failed; they are taken in one by one.", exc_info=True)
        return each(alone.values(), probe)
    taken.applied += outcomes.count("applied")
    failures = [
        Failure(item, outcome)
        for item, outcome in zip(alone.values(), outcomes, strict=True)
        if isinstance(outcome, StripeError)
    ]
    for failure in failures:
        report(failure.item, failure.error)
    return failures


def _take_in_one(arrival: ParsedEvent, taken: TakenIn) -> None:
    (outcome,) = processing.process_events([arrival], source="reconciler")
    if isinstance(outcome, StripeError):
        raise outcome
    taken.applied += outcome == "applied"


def _remember(failed: Sequence[transport.Document]) -> None:
    """Keep events that could not be taken in, to fetch them again one by one."""
    now = clock.now()
    rows = [
        {
            "id": event["id"],
            "type": event["type"] if _is_id(event.get("type")) else "unknown",
            "created_at": _created(event) or now,
            "received_at": now,
            "deliveries": 0,
            "outcome": "unknown_order",
            "order_number": parsing.named_order(event),
            "next_try_at": now + SHORTEST_PAUSE,
        }
        for event in sorted(failed, key=lambda event: str(event["id"]))
    ]
    with db.unit_of_work() as session:
        inserted = bulk.insert_new(session, StripeEvent, rows)
        for row in rows:
            if row["id"] not in inserted:
                _set_next_try(session, row["id"], row["next_try_at"])


def _created(event: transport.Document) -> datetime | None:
    try:
        return datetime.fromtimestamp(event["created"], UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None

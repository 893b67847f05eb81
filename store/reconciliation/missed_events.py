"""Events that no webhook delivered: read from Stripe's list and processed like delivered ones.

No event holds up another. One that cannot be read or processed now is stored as an unknown order's
event with a time for its next try, so that the list need not be read again from there. If the
process dies before that, the pass does not count, and the next one meets the event in the list
again. Two at once: each event is processed once.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from sqlmodel import Session, col, or_, select, update

from store.core import clock
from store.core.errors import StripeError, StripeNotFound, StripeUncertain
from store.core.isolation import Failure, Item, log_failure, process_each
from store.db import bulk
from store.db import engine as db
from store.db.models import StripeEvent
from store.reconciliation.open_orders import PATIENT, probe
from store.reconciliation.result import ReconcileResult
from store.stripe_api import requests, transport
from store.webhooks import parsing, processing
from store.webhooks.parsing import ParsedEvent

log = logging.getLogger(__name__)

EVENTS_KEPT = timedelta(days=30)
BATCH = 100
MAX_RETRIES = 50  # in one pass
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=6)


def process_since(since: datetime, done: ReconcileResult) -> None:
    """Process every event since a moment of Stripe's clock that has had no effect yet.

    StripeError or DatabaseUnavailable if the list cannot be read to its end.
    """
    listed = requests.events(list(parsing.HANDLERS), since)
    nameless = 0
    while batch := list(islice(listed, BATCH)):
        oldest_first = reversed(batch)
        named = {event["id"]: event for event in oldest_first if parsing.is_id(event.get("id"))}
        nameless += len(batch) - len(named)
        _process_batch(named, done)
        time.sleep(transport.PAUSE_SECONDS)
    if nameless:
        log.warning("%s events in Stripe's list have no id; the list is read again.", nameless)
        done.failed += nameless
        raise StripeUncertain


def retry_failed(done: ReconcileResult) -> None:
    """Fetch and process again the events that failed before, each after its pause.

    StripeError or DatabaseUnavailable if nothing can be read or written at all.
    """
    now = clock.now()
    with db.reading() as session:
        due = (
            select(StripeEvent.id, StripeEvent.received_at)
            .where(col(StripeEvent.next_try_at) <= now)
            .order_by(col(StripeEvent.next_try_at))
            .limit(MAX_RETRIES)
        )
        received_at = dict(session.exec(due).all())
    with transport.time_limit(PATIENT.seconds):
        failures = process_each(
            (Item("event", name, partial(_fetch, name, done)) for name in received_at), probe
        )
    for item, error in failures:
        pause = min(max((now - received_at[item.name]) / 2, SHORTEST_PAUSE), LONGEST_PAUSE)
        gone = isinstance(error, StripeNotFound)
        done.failed += not gone
        with db.unit_of_work() as session:
            _set_next_try(session, item.name, None if gone else now + pause)


def _fetch(name: str, done: ReconcileResult) -> None:
    _process_one(parsing.parse_event(requests.event(name)), done)
    with db.unit_of_work() as session:
        _set_next_try(session, name, None)
    time.sleep(transport.PAUSE_SECONDS)


def _set_next_try(session: Session, name: str, at: datetime | None) -> None:
    row = update(StripeEvent).where(col(StripeEvent.id) == name)
    session.connection().execute(row.values(next_try_at=at))


def _process_batch(named: Mapping[str, transport.Document], done: ReconcileResult) -> None:
    known = _done_or_waiting(named)
    read = dict[str, ParsedEvent]()

    def read_one(name: str) -> None:
        read[name] = parsing.parse_event(named[name])

    with transport.time_limit(PATIENT.seconds):
        items = (
            Item("event", name, partial(read_one, name)) for name in named if name not in known
        )
        failures = process_each(items, probe)
    failures += _process_all(read, done)
    if failures:
        done.failed += len(failures)
        _store_failed([named[failure.item.name] for failure in failures])


def _done_or_waiting(named: Mapping[str, transport.Document]) -> set[str]:
    """The events that had their effect, and those that wait for their next try."""
    over = or_(
        col(StripeEvent.outcome) != "unknown_order", col(StripeEvent.next_try_at).is_not(None)
    )
    with db.reading() as session:
        return set(session.exec(select(StripeEvent.id).where(col(StripeEvent.id).in_(named), over)))


def _process_all(read: Mapping[str, ParsedEvent], done: ReconcileResult) -> list[Failure]:
    """Process events together, or one by one if that fails; returns those that failed."""
    alone = [Item("event", name, partial(_process_one, read[name], done)) for name in read]
    try:
        outcomes = processing.process_events(list(read.values()), source="reconciler")
    except Exception:
        log.warning("A batch of events failed; they are processed one by one.", exc_info=True)
        return process_each(alone, probe)
    done.events += outcomes.count("applied")
    failures = [
        Failure(item, outcome)
        for item, outcome in zip(alone, outcomes, strict=True)
        if isinstance(outcome, StripeError)
    ]
    for failure in failures:
        log_failure(failure.item, failure.error)
    return failures


def _process_one(event: ParsedEvent, done: ReconcileResult) -> None:
    (outcome,) = processing.process_events([event], source="reconciler")
    if isinstance(outcome, StripeError):
        raise outcome
    done.events += outcome == "applied"


def _store_failed(failed: Sequence[transport.Document]) -> None:
    """Store events that could not be processed, to fetch them again one by one."""
    now = clock.now()
    rows = [
        {
            "id": event["id"],
            "type": event["type"] if parsing.is_id(event.get("type")) else "unknown",
            "created_at": parsing.created_at(event)[0],
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

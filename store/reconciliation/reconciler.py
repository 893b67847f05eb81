"""The reconciler: records what Stripe knows and no webhook or returning buyer has reported.

Each pass processes missed events, refreshes orders that may still change, and submits pending
refunds. No item holds up another: each order, event, refund and listed object is processed on its
own (`isolation.process_each`); one that fails is skipped, counted and tried last in the next pass.
Each stage runs whatever the previous one did; a missing permission or an unreadable list stops its
own stage only.

Two passes at once, or one that dies on any line, only repeat known facts. A pass with an unfinished
stage raises at its end, so that it does not count as complete: its events are listed again.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from store.catalog import seeding
from store.core import clock, settings
from store.core.errors import StoreError
from store.core.isolation import Item, process_each
from store.db import engine as db
from store.db import leases
from store.db.models import Lease, Refund
from store.orders import queries, refunds, transitions
from store.orders.stripe_facts import Document, Fact, object_id, of_dispute, of_refund, of_session
from store.reconciliation import missed_events, open_orders, restored_orders
from store.reconciliation.missed_events import EVENTS_KEPT
from store.reconciliation.open_orders import PATIENT, probe
from store.reconciliation.result import ReconcileResult
from store.stripe_api import clock_skew, requests, transport
from store.stripe_api.clock_skew import CLOCK_SKEW

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=10)  # an event may be listed a little after its time
BATCH = 100
LISTED = "listed at Stripe"
EVENTS = "events"  # the lease whose `processed_until` is by Stripe's clock, for missed events

Reader = Callable[[Document], Fact | None]


def run_forever(stop: threading.Event) -> None:
    """Run a pass every `RECONCILE_SECONDS`, in one of all processes at a time, until `stop` is set.

    A process that has just started runs one at once: there may have been none before.
    """
    every, pause_seconds = timedelta(0), 30.0
    while not stop.is_set():
        try:
            pause_seconds = settings.current().reconcile_seconds
            if not db.schema_is_current():
                seeding.migrate()
            if CLOCK_SKEW.is_old:  # new orders need it, also if another process holds the lease
                with suppress(StoreError):
                    requests.clock_offset()
            at_start, every = every, timedelta(seconds=pause_seconds)
            _run_with_lease(at_start)
        except StoreError as error:
            log.warning("Could not catch up with Stripe: %s", error.for_operator)
        except BaseException:  # the loop must survive any error
            log.exception("Could not catch up with Stripe")
        stop.wait(pause_seconds)


def _run_with_lease(every: timedelta) -> None:
    done = ReconcileResult()
    with leases.lease("reconciler", every=every) as mine:
        if mine is None:
            return
        try:
            reconcile_recent(_events_since(), done, remember=True)
        finally:
            if done.events or done.refunds or done.failures:
                log.info("Caught up with Stripe: %s.", done)


def _events_since() -> datetime | None:
    """From when on events are listed, by Stripe's clock."""
    with db.reading() as session:
        lease = session.get(Lease, EVENTS)
    return lease.processed_until - OVERLAP if lease and lease.processed_until else None


def reconcile_recent(
    since: datetime | None = None,
    done: ReconcileResult | None = None,
    *,
    everything: bool = False,
    remember: bool = False,
) -> ReconcileResult:
    """One pass; `since` bounds the events that are listed, 30 days by default.

    `done` is updated on the way, to show progress. `everything` refreshes every undecided order,
    without waiting for its pause; `remember` stores up to when events are processed. The error of a
    stage that could not be finished is raised after all others ran; the next pass continues.
    """
    done = done or ReconcileResult()
    stages = {
        "reading Stripe's events": lambda: _process_missed_events(since, done, remember=remember),
        "trying failed events again": lambda: missed_events.retry_failed(done),
        "looking up orders": lambda: open_orders.refresh_due_orders(done, everything=everything),
        "sending refunds that are owed": lambda: _send_refunds(done),
    }
    _in_turn(done, stages)
    return done


def _process_missed_events(
    since: datetime | None, done: ReconcileResult, *, remember: bool
) -> None:
    earliest = clock_skew.stripe_now() - EVENTS_KEPT
    began = clock.now()
    missed_events.process_since(max(since or earliest, earliest), done)
    if not remember:
        return
    # What the list's answers said of Stripe's clock counts from here on.
    processed_until = clock_skew.to_stripe_time(began)
    with db.unit_of_work() as session:
        lease = Lease(name=EVENTS, acquired_at=clock.now(), processed_until=processed_until)
        session.merge(lease)


def _in_turn(done: ReconcileResult, stages: Mapping[str, Callable[[], object]]) -> None:
    """Run each stage, whatever the previous one raised; then raise the first error.

    Further, different errors are logged.
    """
    errors: list[Exception] = []
    for name, stage in stages.items():
        done.stage = name
        try:
            stage()
        except StoreError as error:
            if errors and str(error) != str(errors[0]):
                log.warning('The stage "%s" ended early: %s', name, error.for_operator)
            errors.append(error)
        except Exception as error:
            log.exception('The stage "%s" ended early', name)
            errors.append(error)
    if errors:
        raise errors[0]


def _send_refunds(done: ReconcileResult) -> None:
    with db.reading() as session:
        due = refunds.pending_refunds(session)

    def submit(refund: Refund) -> None:
        done.refunds += 1
        refunds.submit_refund(refund, source="reconciler")
        time.sleep(transport.PAUSE_SECONDS)

    with transport.time_limit(PATIENT.seconds):
        items = (Item("refund", str(row.id), partial(submit, row)) for row in due)
        done.failed += len(process_each(items, probe))


def reconcile_everything(done: ReconcileResult | None = None) -> ReconcileResult:
    """One pass, and then everything else that Stripe lists, however old; errors as of one pass.

    Missing orders are restored first, so that their events find them.
    """
    done = done or ReconcileResult()
    number_of: dict[str, str] = {}

    def read_session(session: Document) -> Fact | None:
        fact = of_session(session, origin=LISTED)
        if fact and fact.payment_intent_id:
            number_of[fact.payment_intent_id] = fact.order_number
        return fact

    def read_money_back(read: Callable[..., Fact], document: Document) -> Fact | None:
        payment = object_id(document["payment_intent"])
        number = payment and (number_of.get(payment) or queries.number_of_payment(payment))
        return read(document, number, origin=LISTED) if number else None

    read_refund = partial(read_money_back, of_refund)
    read_dispute = partial(read_money_back, of_dispute)
    _in_turn(
        done,
        {
            "looking for orders that are missing here": lambda: restored_orders.restore_missing(
                done
            ),
            "catching up": lambda: reconcile_recent(done=done, everything=True),
            "reading every Checkout Session": lambda: _record(
                done, requests.checkouts(), read_session
            ),
            "reading every refund": lambda: _record(done, requests.refunds(), read_refund),
            "reading every dispute": lambda: _record(done, requests.disputes(), read_dispute),
        },
    )
    return done


def _record(done: ReconcileResult, listed: Iterator[Document], read: Reader) -> None:
    """Record the facts of a list; if a batch fails, each of its facts is recorded alone."""
    facts = _read_each(done, listed, read)
    while batch := list(islice(facts, BATCH)):
        try:
            _record_batch(done, batch)
        except Exception:
            log.warning("A batch of facts failed; they are recorded one by one.", exc_info=True)
            alone = (
                Item("order", fact.order_number, partial(_record_batch, done, [fact]))
                for fact in batch
            )
            done.failed += len(process_each(alone, probe))


def _record_batch(done: ReconcileResult, batch: Sequence[Fact]) -> None:
    with db.unit_of_work() as session:
        recorded = transitions.apply_facts(session, batch, source="reconciler")
    done.older += sum(fact.changed for fact in recorded)


def _read_each(done: ReconcileResult, listed: Iterator[Document], read: Reader) -> Iterator[Fact]:
    """The facts of a list; unreadable objects are counted and skipped."""
    for answer in listed:
        facts: list[Fact | None] = []
        item = Item("object", str(answer.get("id")), lambda: facts.append(read(answer)))  # noqa: B023
        done.failed += len(process_each([item], probe))
        yield from filter(None, facts)

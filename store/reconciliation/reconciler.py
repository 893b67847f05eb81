"""Catching up with Stripe: what no webhook and no returning buyer has told us yet.

Each pass takes in missed events, looks up orders that may still change, and sends the refunds that
are written down. No item holds up another: each order, event, refund and listed object is done on
its own (`each.each`), and one that cannot be now is skipped, counted and asked last next time.
Each stage has its try, whatever became of the one before; a missing permission or a list that
cannot be read stops its own stage only.

Nothing here is trusted to run alone or to the end: two passes at once, or one that dies on any
line, only repeat known facts. A pass that left a stage unfinished raises at its end, so that it
does not count as done: its events are listed again.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from sqlmodel import col, select

from store.catalog import seeding
from store.core import clock, settings
from store.core.each import Item, each
from store.core.errors import StoreError
from store.core.wording import counted
from store.db import engine as db
from store.db import leases
from store.db.models import Lease, Order, Refund
from store.orders import refunds, transitions
from store.orders.stripe_facts import Fact, object_id, of_dispute, of_refund, of_session
from store.reconciliation import missed_events, open_orders, restored_orders
from store.reconciliation.missed_events import EVENTS_KEPT, TakenIn
from store.reconciliation.open_orders import PATIENT, Checked, probe
from store.stripe_api import clock_skew, requests, transport
from store.stripe_api.clock_skew import CLOCK_SKEW

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=10)  # an event may be listed a little after its time
BATCH = 100
EVENTS = "events"  # the turn in which is kept up to when events are taken in, by Stripe's clock


@dataclass
class CaughtUp:
    """What one pass did; `stage` is the one it is at."""

    stage: str = ""
    events_taken: TakenIn = field(default_factory=TakenIn)
    orders_checked: Checked = field(default_factory=Checked)
    refunds: int = 0
    older: int = 0
    failed: int = 0
    restored: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)  # missing orders, and why they stay so

    @property
    def looked_up(self) -> int:
        return self.orders_checked.looked_up

    @property
    def events(self) -> int:
        return self.events_taken.applied

    @property
    def troubles(self) -> int:
        """Items that are left for the next pass."""
        stages = self.events_taken.failed + self.orders_checked.failed
        return self.failed + len(self.lost) + stages

    def __str__(self) -> str:
        return (
            f"{counted(self.looked_up, 'open order')} looked up, "
            f"{counted(self.events, 'missed event')} taken in, "
            f"{counted(self.refunds, 'refund')} sent, {counted(self.older, 'older fact')} found, "
            f"{counted(len(self.restored), 'missing order')} brought back, "
            f"{self.troubles} left for the next pass"
        )


def run_forever(stop: threading.Event) -> None:
    """Catch up every `RECONCILE_SECONDS`, taking turns with all other processes.

    One that has just started does so at once: it may be the one that was missing. Nothing ends
    this loop but `stop`.
    """
    every, pause_seconds = timedelta(0), 30.0
    while not stop.is_set():
        try:
            pause_seconds = settings.current().reconcile_seconds
            if not db.schema_is_current():
                seeding.migrate()
            if CLOCK_SKEW.is_old:  # also where others have the turns, new orders need it
                with suppress(StoreError):
                    requests.clock_offset()
            at_start, every = every, timedelta(seconds=pause_seconds)
            _take_a_turn(at_start)
        except StoreError as error:
            log.warning("Could not catch up with Stripe: %s", error.for_operator)
        except BaseException:  # a thread that ended would be missed by nobody
            log.exception("Could not catch up with Stripe")
        stop.wait(pause_seconds)


def _take_a_turn(every: timedelta) -> None:
    done = CaughtUp()
    with leases.lease("reconciler", every=every) as mine:
        if mine is None:
            return
        try:
            run_once(_events_since(), done, remember=True)
        finally:
            if done.events or done.refunds or done.troubles:
                log.info("Caught up with Stripe: %s.", done)


def _events_since() -> datetime | None:
    """From when on events are listed, by Stripe's clock."""
    with db.reading() as session:
        turn = session.get(Lease, EVENTS)
    return turn.processed_until - OVERLAP if turn and turn.processed_until else None


def _keep_events_until(moment: datetime) -> None:
    with db.unit_of_work() as session:
        session.merge(Lease(name=EVENTS, acquired_at=clock.now(), processed_until=moment))


def run_once(
    since: datetime | None = None,
    done: CaughtUp | None = None,
    *,
    everything: bool = False,
    remember: bool = False,
) -> CaughtUp:
    """One pass; `since` bounds the events that are listed, 30 days by default.

    `done` is counted up on the way, for whoever watches. `everything` looks up every undecided
    order, whatever its pause is still; `remember` keeps up to when events are taken in.

    Raises:
        StoreError: a stage could not be finished; the others have had their try, and the next
            pass continues.
    """
    done = CaughtUp() if done is None else done

    def events() -> None:
        earliest = clock_skew.stripe_now() - EVENTS_KEPT
        began = clock.now()
        missed_events.take_in(max(since or earliest, earliest), done.events_taken)
        if remember:  # what the list's answers said of Stripe's clock counts from here on
            _keep_events_until(clock_skew.to_stripe_time(began))

    _in_turn(
        done,
        ("events", events),
        ("events tried before", lambda: missed_events.try_again(done.events_taken)),
        ("orders", lambda: open_orders.check(done.orders_checked, everything=everything)),
        ("refunds", lambda: _send_refunds(done)),
    )
    return done


def _in_turn(done: CaughtUp, *stages: tuple[str, Callable[[], None]]) -> None:
    """Let each stage have its try.

    Raises:
        StoreError: the first of those that ended one early. The others are in the log, unless
            they say the same.
    """
    errors: list[Exception] = []
    for name, stage in stages:
        done.stage = name
        try:
            stage()
        except StoreError as error:
            if errors and str(error) != str(errors[0]):
                log.warning("The stage %s ended early: %s", name, error.for_operator)
            errors.append(error)
        except Exception as error:
            log.exception("The stage %s ended early", name)
            errors.append(error)
    if errors:
        raise errors[0]


def _send_refunds(done: CaughtUp) -> None:
    with db.reading() as session:
        due = refunds.pending_refunds(session)

    def submit(refund: Refund) -> None:
        done.refunds += 1
        refunds.submit_refund(refund, source="reconciler")
        time.sleep(transport.PAUSE_SECONDS)

    with transport.time_limit(PATIENT.seconds):
        items = (Item("refund", str(row.id), partial(submit, row)) for row in due)
        done.failed += len(each(items, probe))


def catch_up(done: CaughtUp | None = None) -> CaughtUp:
    """One pass, and then everything else that Stripe knows, however long ago it happened.

    Orders that are missing here come first, so that their events find them.

    Raises:
        StoreError: as `run_once`.
    """
    done = CaughtUp() if done is None else done
    number_of: dict[str, str] = {}
    _in_turn(
        done,
        ("missing orders", lambda: _bring_back(done)),
        ("pass", lambda: _pass(done)),
        ("all sessions", lambda: _record(done, _sessions(done, number_of))),
        ("all refunds", lambda: _record(done, _refunds(done, number_of))),
        ("all disputes", lambda: _record(done, _disputes(done, number_of))),
    )
    return done


def _bring_back(done: CaughtUp) -> None:
    found = restored_orders.bring_back()
    done.restored, done.lost = found.numbers, found.left


def _pass(done: CaughtUp) -> None:
    run_once(done=done, everything=True)


def _record(done: CaughtUp, facts: Iterator[Fact]) -> None:
    """Record what a list says; facts that cannot be recorded together are recorded alone."""
    while batch := list(islice(facts, BATCH)):
        try:
            _record_batch(done, batch)
        except Exception:
            log.warning("A batch of facts failed; they are recorded one by one.", exc_info=True)
            alone = (
                Item("order", fact.order_number, partial(_record_batch, done, [fact]))
                for fact in batch
            )
            done.failed += len(each(alone, probe))


def _record_batch(done: CaughtUp, batch: Sequence[Fact]) -> None:
    with db.unit_of_work() as session:
        recorded = transitions.apply_facts(session, batch, source="reconciler")
    done.older += sum(fact.changed for fact in recorded)


def _read(
    done: CaughtUp,
    listed: Iterator[transport.Document],
    reader: Callable[[transport.Document], Fact | None],
) -> Iterator[Fact]:
    """The facts of a list; what cannot be read is counted and skipped."""
    for answer in listed:
        facts: list[Fact | None] = []
        item = Item("object", str(answer.get("id")), lambda: facts.append(reader(answer)))  # noqa: B023
        done.failed += len(each([item], probe))
        yield from (fact for fact in facts if fact)


def _sessions(done: CaughtUp, number_of: dict[str, str]) -> Iterator[Fact]:
    """What Stripe's list of sessions says about our orders; notes whose each payment is."""

    def read(session: transport.Document) -> Fact | None:
        fact = of_session(session, origin="listed at Stripe")
        if fact and fact.payment_intent_id:
            number_of[fact.payment_intent_id] = fact.order_number
        return fact

    return _read(done, requests.checkouts(), read)


def _refunds(done: CaughtUp, number_of: dict[str, str]) -> Iterator[Fact]:
    def read(refund: transport.Document) -> Fact | None:
        number = _order_of(object_id(refund["payment_intent"]), number_of)
        return of_refund(refund, number, origin="listed at Stripe") if number else None

    return _read(done, requests.refunds(), read)


def _disputes(done: CaughtUp, number_of: dict[str, str]) -> Iterator[Fact]:
    def read(dispute: transport.Document) -> Fact | None:
        number = _order_of(object_id(dispute["payment_intent"]), number_of)
        return of_dispute(dispute, number, origin="listed at Stripe") if number else None

    return _read(done, requests.disputes(), read)


def _order_of(payment: str | None, number_of: dict[str, str]) -> str | None:
    """The number of the order of a payment, from Stripe's list of sessions or else our rows."""
    if payment is None or payment in number_of:
        return number_of.get(payment or "")
    with db.reading() as session:
        known = select(Order.number).where(col(Order.payment_intent_id) == payment)
        return session.exec(known).first()

"""Catching up with Stripe: what no webhook and no returning buyer has told us yet.

Each pass looks up every order that may still change, feeds missed events through the same inbox
as the webhook door, and sends the refunds that are written down. Nothing here is trusted to run
alone or to the end: two passes at once, or one that dies half way, only repeat known facts.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from sqlmodel import col, select

from store import (
    arrivals,
    attempts,
    clock,
    db,
    events,
    gateway,
    orders,
    refunds,
    restore,
    settings,
    turns,
)
from store.errors import (
    EventMalformed,
    StoreError,
    StripeError,
    StripeRefused,
    StripeUncertain,
)
from store.facts import Fact, identity, of_dispute, of_refund, of_session
from store.models import UNDECIDED, Order, StripeEvent

log = logging.getLogger(__name__)

IN_FLIGHT = timedelta(seconds=5)  # an order that young is being sent to Stripe right now
EVENTS_KEPT = timedelta(days=30)
OVERLAP = timedelta(minutes=10)  # an event may be listed a little after its time
BATCH = 100


@dataclass
class CaughtUp:
    """What one pass did."""

    looked_up: int = 0
    events: int = 0
    refunds: int = 0
    older: int = 0
    troubles: int = 0
    restored: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)  # missing orders, and why they stay so

    def __str__(self) -> str:
        return (
            f"{self.looked_up} open orders looked up, {self.events} missed events taken in, "
            f"{self.refunds} refunds sent, {self.older} older facts found, "
            f"{len(self.restored)} missing orders brought back, "
            f"{self.troubles} left for the next pass"
        )


def run_forever(stop: threading.Event) -> None:
    """Catch up every `RECONCILE_SECONDS`, taking turns with all other processes.

    One that has just started does so at once: it may be the one that was missing.
    """
    every = timedelta(0)
    while not stop.is_set():
        try:
            if not db.schema_is_current():
                db.migrate()
            _take_a_turn(every)
            every = timedelta(seconds=settings.current().reconcile_seconds)
        except StoreError as error:
            log.warning("Could not catch up with Stripe: %s", error.for_operator)
        except Exception:
            log.exception("Could not catch up with Stripe")
        stop.wait(settings.current().reconcile_seconds)


def _take_a_turn(every: timedelta) -> None:
    with turns.turn("reconciler", every=every) as mine:
        if mine is None:
            return
        done = run_once(mine.done_until and mine.done_until - OVERLAP)
    if done.events or done.refunds or done.troubles:
        log.info("Caught up with Stripe: %s.", done)


def run_once(since: datetime | None = None, done: CaughtUp | None = None) -> CaughtUp:
    """One pass; `since` bounds the events that are listed, 30 days by default.

    `done` is counted up on the way, for whoever watches.

    Raises:
        StripeError: Stripe cannot be reached; the next pass continues.
        DatabaseUnavailable
    """
    done = CaughtUp() if done is None else done
    earliest = clock.now() - EVENTS_KEPT
    for order in unsettled_orders():
        _attempt(done, lambda order=order: _look_up(order))  # type: ignore[misc]
        done.looked_up += 1
    for batch in _batches(max(since or earliest, earliest)):
        done.events += _take_in(batch, done)
    with db.reading() as session:
        wishes = refunds.waiting(session)
    for wish in wishes:
        _attempt(done, lambda wish=wish: refunds.send(wish, source="reconciler"))  # type: ignore[misc]
        done.refunds += 1
    return done


def catch_up(done: CaughtUp | None = None) -> CaughtUp:
    """One pass, and then everything else that Stripe knows, however long ago it happened.

    Orders that are missing here come first, so that their events find them.

    Raises:
        StripeError, DatabaseUnavailable
    """
    done = CaughtUp() if done is None else done
    found = restore.bring_back()
    done.restored, done.lost = found.numbers, found.left
    done.troubles += len(found.left)
    done = run_once(done=done)
    told = facts_at_stripe()
    while batch := list(islice(told, BATCH)):
        with db.unit_of_work() as session:
            recorded = orders.record(session, batch, source="reconciler")
        done.older += sum(answer.news for answer in recorded)
    return done


def facts_at_stripe() -> Iterator[Fact]:
    """What Stripe's lists say about our orders: sessions, then refunds and disputes."""
    number_of: dict[str | None, str] = {}
    for session in gateway.checkouts():
        if fact := of_session(session, evidence="listed at Stripe"):
            number_of[fact.payment_intent_id] = fact.order_number
            yield fact
    for refund in gateway.refunds():
        if number := number_of.get(identity(refund["payment_intent"])):
            yield of_refund(refund, number, evidence="listed at Stripe")
    for dispute in gateway.disputes():
        if number := number_of.get(identity(dispute["payment_intent"])):
            yield of_dispute(dispute, number, evidence="listed at Stripe")


def unsettled_orders() -> list[Order]:
    """Orders whose state at Stripe may be ahead of ours, oldest first."""
    with db.reading() as session:
        return list(
            session.exec(
                select(Order)
                .where(
                    UNDECIDED,
                    col(Order.created_at) < clock.now() - IN_FLIGHT,
                )
                .order_by(col(Order.id))
            )
        )


def _look_up(order: Order) -> None:
    if order.cancel_requested_at and order.session_status in attempts.PAYABLE_SESSION:
        attempts.retire(order, "finishing a cancellation", "reconciler")
    else:
        attempts.look_up(order, source="reconciler")


def _attempt(done: CaughtUp, act: Callable[[], object]) -> None:
    """One order that Stripe refuses to speak about must not keep the others waiting.

    Nor must one whose key repeats a saved failure for a day.
    """
    try:
        act()
    except (StripeRefused, StripeUncertain) as error:
        done.troubles += 1
        log.warning("Left for the next pass: %s", error.for_operator)
    time.sleep(gateway.PAUSE_SECONDS)


def _batches(since: datetime) -> Iterator[list[gateway.Document]]:
    listed = gateway.events(list(arrivals.HANDLERS), since)
    while batch := list(islice(listed, BATCH)):
        yield batch
        time.sleep(gateway.PAUSE_SECONDS)


def _take_in(batch: list[gateway.Document], done: CaughtUp) -> int:
    """Feed the events of a batch that had no effect yet to the inbox; answers how many."""
    with db.reading() as session:
        known = set(
            session.exec(
                select(StripeEvent.id).where(
                    col(StripeEvent.id).in_([event["id"] for event in batch]),
                    col(StripeEvent.outcome) != "orphan",
                )
            )
        )
    missed = []
    for event in batch:
        if event["id"] in known:
            continue
        try:
            missed.append(arrivals.read(event))
        except (EventMalformed, StripeRefused):
            done.troubles += 1
    outcomes = events.take_in(missed, source="reconciler")
    done.troubles += sum(isinstance(outcome, StripeError) for outcome in outcomes)
    return sum(outcome == "applied" for outcome in outcomes)

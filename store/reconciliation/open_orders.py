"""Looking up the orders that Stripe may know more of, at a cost that stays bounded.

Most changes are found in Stripe's list of events. What is asked here finds the rest: attempts that
never got their session, cancellations that were not finished, and changes without an event. Many
open sessions are read from Stripe's list, a hundred at a time: an order whose session is in the
list of open ones is as it was; one whose session is missing there is looked up.

No item holds up another: an order whose look-up fails is skipped. Each is given little time first;
those that were too slow or busy are asked once more after all others. What fails then is asked
last in the next pass, and after growing pauses. `next_check_at` is no fact: dead before it is
written, the order is asked once more; two at once write the same.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import takewhile

from sqlalchemy import bindparam, case
from sqlmodel import col, func, or_, select

from store.core import clock
from store.core.each import Failure, Item, each
from store.core.errors import (
    DatabaseUnavailable,
    StoreError,
    StripeBusy,
    StripeKeyRefused,
    StripeUnreachable,
)
from store.core.order_status import PAYABLE_CHECKOUT
from store.db import bulk
from store.db import engine as db
from store.db.models import UNDECIDED, Order
from store.orders import checkout_session
from store.stripe_api import requests, transport

log = logging.getLogger(__name__)

IN_FLIGHT = timedelta(seconds=5)  # an order that young is being sent to Stripe right now
QUICK = transport.TimeLimit(4.0, retry=False)
PATIENT = transport.TimeLimit(10.0)
SECOND_LOOK_SECONDS = 60.0
PASS_SECONDS = 300.0
LIST_FROM = 20  # so many single questions cost about as much as the list
PAGE = 100
# While nothing happens to an order, it is asked about after a tenth of that time, and so seldom
# that all orders together make no more than one question in this time.
QUESTION_EVERY = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=15)
FIRST_PAUSE, LONGEST_FAILING = timedelta(seconds=30), timedelta(hours=1)
MAYBE_LATER = (StripeUnreachable, StripeBusy, DatabaseUnavailable)


@dataclass
class Checked:
    """How many orders were asked about, and how many of those failed."""

    looked_up: int = 0
    failed: int = 0


def check(checked: Checked, *, everything: bool = False) -> None:
    """Look up each order whose turn it is, or with `everything` each that is undecided.

    Raises:
        StoreError: neither Stripe nor the database can be asked at all.
    """
    due = unsettled_orders(everything=everything)
    listable = [order for order in due if _is_listable(order)]
    open_count, other_count = _counts()
    pages = LIST_FROM + open_count // PAGE
    questions = min(open_count, pages) + other_count
    least_pause = questions * QUESTION_EVERY if questions > LIST_FROM else timedelta(0)
    unchanged = set[str]()
    if len(listable) > pages:
        unchanged = _listed_as_open(listable, max(least_pause, FIRST_PAUSE))
        checked.looked_up += len(unchanged)
    single = [order for order in due if order.checkout_session_id not in unchanged]
    _look_up_each(single, least_pause, checked)


def unsettled_orders(*, everything: bool = True) -> list[Order]:
    """Orders whose state at Stripe may be ahead of ours, oldest first; those that fail last.

    Orders that are being sent to Stripe are left out here and not in SQL: given a condition about
    `created_at`, SQLite reads the index of that column, with every order there ever was.
    """
    now = clock.now()
    due = or_(col(Order.next_check_at).is_(None), col(Order.next_check_at) <= now)
    question = (
        select(Order)
        .where(UNDECIDED)
        .order_by(
            col(Order.check_failures) > 0,
            col(Order.next_check_at).is_not(None),
            col(Order.next_check_at),
            col(Order.id),
        )
    )
    with db.reading() as session:
        undecided = session.exec(question if everything else question.where(due))
        return [order for order in undecided if order.created_at < now - IN_FLIGHT]


def _counts() -> tuple[int, int]:
    """How many undecided orders have an open session, and how many have not."""
    open_ones = func.sum(case((col(Order.checkout_status) == "open", 1), else_=0))
    with db.reading() as session:
        count, listed = session.exec(select(func.count(), open_ones).where(UNDECIDED)).one()
    return listed or 0, count - (listed or 0)


def _is_listable(order: Order) -> bool:
    return (
        order.checkout_status == "open"
        and order.checkout_session_id is not None
        and order.cancel_requested_at is None
    )


def _listed_as_open(listable: Sequence[Order], pause: timedelta) -> set[str]:
    """The sessions of these orders that are open still, from Stripe's list of open ones.

    Where the list cannot be read, or the account has many more open sessions than this shop, the
    orders that were not met are looked up one by one.
    """
    wanted = {str(order.checkout_session_id): order for order in listable}
    met = set[str]()
    most = PAGE * (2 + len(wanted) // LIST_FROM)
    try:
        for place, session in enumerate(requests.open_checkouts()):
            if session.get("status") == "open" and session.get("id") in wanted:
                met.add(session["id"])
            if len(met) == len(wanted) or place == most:
                break
    except StripeKeyRefused:
        raise
    except StoreError as error:
        log.warning("The list of open sessions cannot be read: %s", error.for_operator)
    _write([_row(wanted[name], pause) for name in met])
    return met


def _look_up_each(single: Sequence[Order], least_pause: timedelta, checked: Checked) -> None:
    """Look up orders one by one: quickly, and once more those that were slow or busy."""
    answered = dict[str, bulk.Row]()

    def look_up(order: Order) -> None:
        now = _look_up(order)
        answered[order.number] = _row(now, max(least_pause, _pause(now)))
        time.sleep(transport.PAUSE_SECONDS)

    def attempt(orders: Iterable[Order], limit: transport.TimeLimit, most: float) -> list[Failure]:
        over = time.monotonic() + most
        items = (Item("order", order.number, partial(look_up, order)) for order in orders)
        with transport.time_limit(limit.seconds, retry=limit.retry):
            return each(takewhile(lambda _: time.monotonic() < over, items), probe)

    order_of = {order.number: order for order in single}
    try:
        failures = attempt(single, QUICK, PASS_SECONDS)
        slow = [failure for failure in failures if isinstance(failure.error, MAYBE_LATER)]
        attempt((order_of[slow_one.item.name] for slow_one in slow), PATIENT, SECOND_LOOK_SECONDS)
    finally:
        checked.looked_up += len(answered)
        _write(answered.values())
    failed = [failure.item.name for failure in failures if failure.item.name not in answered]
    checked.failed += len(failed)
    _write(_failed_row(order_of[name]) for name in failed)


def _look_up(order: Order) -> Order:
    if order.cancel_requested_at and order.checkout_status in PAYABLE_CHECKOUT:
        return checkout_session.expire_checkout_session(
            order, "finishing a cancellation", "reconciler"
        )
    return checkout_session.create_or_refresh_session(order, source="reconciler")


def probe() -> None:
    """Find out whether anything can be asked and written at all.

    Raises:
        StoreError: it cannot.
    """
    with transport.time_limit(PATIENT.seconds):
        requests.clock_offset()
    with db.unit_of_work():
        pass


def _pause(order: Order) -> timedelta:
    return min((clock.now() - order.updated_at) / 10, LONGEST_PAUSE)


def _row(order: Order, pause: timedelta) -> bulk.Row:
    return {"id": order.id, "next_check_at": clock.now() + pause, "check_failures": 0}


def _failed_row(order: Order) -> bulk.Row:
    """Asked again in the next pass, after all others; from the second failure on after a pause."""
    failures = order.check_failures + 1
    pause = timedelta(0) if failures == 1 else FIRST_PAUSE * 2 ** min(failures - 2, 10)
    next_at = clock.now() + min(pause, LONGEST_FAILING)
    return {"id": order.id, "next_check_at": next_at, "check_failures": failures}


def _write(rows: Iterable[bulk.Row]) -> None:
    """Keep when these orders are asked about next; of one that somebody holds, it is not kept."""
    left = {int(row["id"]): row for row in rows}
    free = select(Order.id).where(col(Order.id).in_(bindparam("ids", expanding=True)))
    statement = free.order_by(col(Order.id)).with_for_update(skip_locked=True)
    ids = sorted(left)
    for start in range(0, len(ids), PAGE):
        with db.unit_of_work() as session:
            held = session.exec(statement, params={"ids": ids[start : start + PAGE]})
            bulk.update(session, Order, [left[found] for found in held if found is not None])

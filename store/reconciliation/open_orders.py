"""Refreshes orders that Stripe may know more about, with a bounded number of requests.

Most changes are found in Stripe's list of events. This finds the rest: attempts that never got
their session, unfinished cancellations, and changes without an event. Many open sessions are read
from Stripe's list, a hundred at a time: an order whose session is listed as open is unchanged; one
whose session is missing there is retrieved.

No item holds up another: an order that fails is skipped. Each gets little time at first; slow or
busy ones are tried once more after all others. Orders that fail then are tried last in the next
pass, and after growing pauses. `next_check_at` is not a fact: if the process dies before writing
it, the order is refreshed once more; two at once write the same.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from itertools import takewhile

from sqlalchemy import bindparam, case
from sqlmodel import col, func, or_, select

from store.core import clock
from store.core.errors import (
    DatabaseUnavailable,
    StoreError,
    StripeBusy,
    StripeKeyRefused,
    StripeUnreachable,
)
from store.core.isolation import Failure, Item, process_each
from store.core.order_status import PAYABLE_CHECKOUT
from store.db import bulk
from store.db import engine as db
from store.db.models import UNDECIDED, Order
from store.orders import checkout_session
from store.reconciliation.result import ReconcileResult
from store.stripe_api import requests, transport

log = logging.getLogger(__name__)

MIN_ORDER_AGE = timedelta(seconds=5)  # a younger order is being sent to Stripe right now
QUICK = transport.TimeLimit(4.0, retry=False)
PATIENT = transport.TimeLimit(10.0)
SECOND_TRY_SECONDS = 60.0
PASS_SECONDS = 300.0
LIST_FROM = 20  # so many single requests cost about as much as the list
PAGE = 100
# An unchanged order is refreshed after a tenth of the time since its last change. With more than
# `LIST_FROM` requests to make, all orders together cause at most one request in this time.
REQUEST_EVERY = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(minutes=15)
FIRST_PAUSE, LONGEST_FAILING = timedelta(seconds=30), timedelta(hours=1)
INTERRUPTED = {"cancel": "unfinished"}  # in the history of an order that was to be canceled
TEMPORARY_ERRORS = (StripeUnreachable, StripeBusy, DatabaseUnavailable)


def refresh_due_orders(done: ReconcileResult, *, everything: bool = False) -> None:
    """Refresh each order that is due, or with `everything` each that is undecided.

    StoreError if Stripe or the database cannot be reached at all.
    """
    due = undecided_orders(everything=everything)
    listable = [
        order
        for order in due
        if order.checkout_status == "open"
        and order.checkout_session_id
        and order.cancel_requested_at is None
    ]
    open_count, other_count = _counts()
    pages = LIST_FROM + open_count // PAGE
    request_count = min(open_count, pages) + other_count
    is_many = request_count > LIST_FROM
    least_pause = request_count * REQUEST_EVERY if is_many else timedelta(0)
    unchanged = set[str]()
    if len(listable) > pages:
        unchanged = _listed_as_open(listable, max(least_pause, FIRST_PAUSE))
        done.looked_up += len(unchanged)
    single = [order for order in due if order.checkout_session_id not in unchanged]
    _look_up_each(single, least_pause, done)


def undecided_orders(*, everything: bool = True) -> list[Order]:
    """Orders whose state at Stripe may be ahead of ours, oldest first; failing ones last.

    Orders that are being sent to Stripe are left out here and not in SQL: given a condition about
    `created_at`, SQLite reads the index of that column, with every order there ever was.
    """
    now = clock.now()
    due = or_(col(Order.next_check_at).is_(None), col(Order.next_check_at) <= now)
    query = (
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
        undecided = session.exec(query if everything else query.where(due))
        return [order for order in undecided if order.created_at < now - MIN_ORDER_AGE]


def _counts() -> tuple[int, int]:
    """How many undecided orders have an open session, and how many have not."""
    open_ones = func.sum(case((col(Order.checkout_status) == "open", 1), else_=0))
    with db.reading() as session:
        count, listed = session.exec(select(func.count(), open_ones).where(UNDECIDED)).one()
    return listed or 0, count - (listed or 0)


def _listed_as_open(listable: Sequence[Order], pause: timedelta) -> set[str]:
    """The sessions of these orders that are still open, from Stripe's list of open ones.

    If the list cannot be read, or the account has many more open sessions than this shop, orders
    that were not found in it are refreshed one by one.
    """
    orders = {str(order.checkout_session_id): order for order in listable}
    still_open = set[str]()
    most = PAGE * (2 + len(orders) // LIST_FROM)
    try:
        for place, session in enumerate(requests.open_checkouts()):
            if session.get("status") == "open" and session.get("id") in orders:
                still_open.add(session["id"])
            if len(still_open) == len(orders) or place == most:
                break
    except StripeKeyRefused:
        raise
    except StoreError as error:
        log.warning("The list of open sessions cannot be read: %s", error.for_operator)
    _write([_row(orders[session_id], pause) for session_id in still_open])
    return still_open


def _look_up_each(single: Sequence[Order], least_pause: timedelta, done: ReconcileResult) -> None:
    """Look up orders one by one: quickly, and once more those that were slow or busy."""
    answered = dict[str, bulk.Row]()

    def look_up(order: Order) -> None:
        if order.cancel_requested_at and order.checkout_status in PAYABLE_CHECKOUT:
            order = checkout_session.expire_checkout_session(order, INTERRUPTED, "reconciler")
        else:
            order = checkout_session.create_or_refresh_session(order, source="reconciler")
        pause = min((clock.now() - order.updated_at) / 10, LONGEST_PAUSE)
        answered[order.number] = _row(order, max(least_pause, pause))
        time.sleep(transport.PAUSE_SECONDS)

    def attempt(orders: Iterable[Order], limit: transport.TimeLimit, most: float) -> list[Failure]:
        over = time.monotonic() + most
        items = (Item("order", order.number, partial(look_up, order)) for order in orders)
        with transport.time_limit(limit.seconds, retry=limit.retry):
            return process_each(takewhile(lambda _: time.monotonic() < over, items), probe)

    order_of = {order.number: order for order in single}
    try:
        failures = attempt(single, QUICK, PASS_SECONDS)
        slow = [failure for failure in failures if isinstance(failure.error, TEMPORARY_ERRORS)]
        attempt((order_of[slow_one.item.name] for slow_one in slow), PATIENT, SECOND_TRY_SECONDS)
    finally:
        done.looked_up += len(answered)
        _write(answered.values())
    failed = [failure.item.name for failure in failures if failure.item.name not in answered]
    done.failed += len(failed)
    _write(_failed_row(order_of[name]) for name in failed)


def probe() -> None:
    """Check whether Stripe and the database can be reached at all; StoreError if not."""
    with transport.time_limit(PATIENT.seconds):
        requests.clock_offset()
    with db.unit_of_work():
        pass


def _row(order: Order, pause: timedelta, failures: int = 0) -> bulk.Row:
    return {"id": order.id, "next_check_at": clock.now() + pause, "check_failures": failures}


def _failed_row(order: Order) -> bulk.Row:
    """Tried again in the next pass, after all others; from the second failure on after a pause."""
    failures = order.check_failures + 1
    pause = timedelta(0) if failures == 1 else FIRST_PAUSE * 2 ** min(failures - 2, 10)
    return _row(order, min(pause, LONGEST_FAILING), failures)


def _write(rows: Iterable[bulk.Row]) -> None:
    """Store when these orders are refreshed next; locked orders are skipped."""
    left = {int(row["id"]): row for row in rows}
    free = select(Order.id).where(col(Order.id).in_(bindparam("ids", expanding=True)))
    statement = free.order_by(col(Order.id)).with_for_update(skip_locked=True)
    ids = sorted(left)
    for start in range(0, len(ids), PAGE):
        with db.unit_of_work() as session:
            held = session.exec(statement, params={"ids": ids[start : start + PAGE]})
            bulk.update(session, Order, [left[found] for found in held if found is not None])

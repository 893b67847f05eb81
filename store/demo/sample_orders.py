"""Twenty-five sample orders of the last 90 days, the same every time.

Each is placed and refunded by the shop, paid and disputed at the emulator, by a buyer of its own,
so amounts and states are true on both sides. Then all are dated back to absolute times: first
in the emulator, then in our database, each in one transaction.

If the process dies on the way, the orders made so far stay, undated; the next press makes those
that are missing and dates all of them. A sample whose buyer has an order is not made again. Two
presses at once take turns: see `runner.Rehearsals`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlmodel import Session, col, select

from store.core import clock
from store.db import engine as db
from store.db.models import Dispute, HistoryEntry, Order, Refund
from store.demo.clients import wait_until
from store.demo.context import ScenarioContext
from store.demo.reset import is_delivering
from store.orders import checkout, history, refunds
from store.reconciliation import reconciler
from store.reports import timeline

DECLINED_CARD = "4000000000000002"
WEBHOOK_SECONDS = 5
CAPTURE_SECONDS = 1.2  # the emulator sends `charge.updated` a second after the payment
RECONCILE_SINCE = timedelta(minutes=10)
BUYER = "sample-order-"  # no cookie's hash begins like this


def _pay_at_second_try(context: ScenarioContext, number: str) -> None:
    context.pay(number, DECLINED_CARD)
    context.pay(number)


def _debit(context: ScenarioContext, number: str, *, succeeded: bool | None = None) -> None:
    """Pay by bank debit: Checkout completes at once; later the money arrives, or not."""
    path = f"sessions/{context.session_id(number)}/pay_later"
    outcome = "fails" if succeeded is False else "succeeds"
    context.stripe.control("POST", path, outcome=outcome, email=context.email)
    if succeeded is not None:
        path = f"payments/{context.payment_id(number)}/settle"
        context.stripe.control("POST", path, succeeded=succeeded)


def _expire(context: ScenarioContext, number: str) -> None:
    context.stripe.post(f"checkout/sessions/{context.session_id(number)}/expire")


def _refund(context: ScenarioContext, number: str, *, amounts: Sequence[int | None]) -> None:
    context.pay(number)
    checkout.refresh_order(context.buyer, number)
    for part, amount in enumerate(amounts):
        row = refunds.create_refund(number, amount, key=f"sample-{number}-{part}")
        refunds.submit_refund(row, source="operator")


def _dispute(context: ScenarioContext, number: str, *, won: bool = False) -> None:
    context.pay(number)
    payment = context.payment_id(number)
    (charge,) = context.stripe.list_all("charges", payment_intent=payment)
    dispute = context.stripe.control("POST", f"charges/{charge['id']}/dispute")
    if won:
        context.stripe.control("POST", f"disputes/{dispute['id']}/close", won=True)


# What happens to an order after the click, and the status that it ends in.
ENDINGS: dict[str, tuple[Callable[[ScenarioContext, str], None], str]] = {
    "paid": (ScenarioContext.pay, "paid"),
    "declined first": (_pay_at_second_try, "paid"),
    "late payment": (partial(_debit, succeeded=True), "paid"),
    "dispute won": (partial(_dispute, won=True), "paid"),
    "disputed": (_dispute, "disputed"),
    "refunded": (partial(_refund, amounts=[None]), "refunded"),
    "partly refunded": (partial(_refund, amounts=[1000]), "partially_refunded"),
    "refunded in parts": (partial(_refund, amounts=[500, 700]), "partially_refunded"),
    "failed": (partial(_debit, succeeded=False), "failed"),
    "expired": (_expire, "expired"),
    "canceled": (ScenarioContext.cancel, "canceled"),
    "processing": (_debit, "processing"),
    "open": (lambda *_: None, "open"),
}
NAMES = ("ada", "grace", "alan", "edsger", "barbara", "donald", "lin")
SHIRT, JEANS, SNEAKERS = "red-t-shirt", "blue-jeans", "sneakers"


@dataclass(frozen=True)
class Sample:
    """`days_ago` is when it was placed; 0: now."""

    days_ago: int
    ending: str
    cart: dict[str, int]


# A dispute waits nine days for an answer at Stripe, so the open one is younger than that.
SAMPLES = (
    Sample(89, "paid", {SHIRT: 2}),
    Sample(84, "paid", {JEANS: 1}),
    Sample(80, "expired", {SHIRT: 1, SNEAKERS: 1}),
    Sample(77, "paid", {SNEAKERS: 1}),
    Sample(73, "refunded", {JEANS: 1}),
    Sample(69, "paid", {SHIRT: 3, JEANS: 1}),
    Sample(64, "late payment", {SNEAKERS: 2}),
    Sample(61, "canceled", {SHIRT: 10}),
    Sample(57, "paid", {SHIRT: 1}),
    Sample(52, "partly refunded", {SHIRT: 2, SNEAKERS: 1}),
    Sample(48, "declined first", {JEANS: 2}),
    Sample(43, "paid", {SNEAKERS: 1, JEANS: 1}),
    Sample(38, "failed", {JEANS: 3}),
    Sample(33, "paid", {SHIRT: 4}),
    Sample(28, "refunded", {SHIRT: 1}),
    Sample(24, "paid", {SHIRT: 1, JEANS: 1, SNEAKERS: 1}),
    Sample(20, "refunded in parts", {JEANS: 1, SNEAKERS: 1}),
    Sample(17, "dispute won", {SHIRT: 2, JEANS: 2}),
    Sample(13, "paid", {JEANS: 1, SHIRT: 1}),
    Sample(10, "partly refunded", {SNEAKERS: 2}),
    Sample(7, "disputed", {SNEAKERS: 3}),
    Sample(4, "refunded", {SHIRT: 1, SNEAKERS: 1}),
    Sample(2, "paid", {SHIRT: 2, SNEAKERS: 2}),
    Sample(0, "processing", {JEANS: 1}),
    Sample(0, "open", {SHIRT: 1, JEANS: 1}),
)


def buyer_of(place: int) -> str:
    return f"{BUYER}{place + 1:02}"


def existing() -> dict[str, Order]:
    """The sample orders that are here, by buyer."""
    query = select(Order).where(col(Order.buyer_hash).startswith(BUYER))
    with db.reading() as session:
        orders = session.exec(query.order_by(col(Order.id).desc()))
        return {order.buyer_hash: order for order in orders}


def create(context: ScenarioContext) -> Iterator[str]:
    """Make the samples that are missing, then date all back; yields each one's buyer when done."""
    present = existing()
    for place, sample in enumerate(SAMPLES):
        context.buyer = buyer_of(place)
        context.email = f"{NAMES[place % len(NAMES)]}@example.com"
        if context.buyer not in present:
            _create_one(context, sample)
        yield context.buyer
    time.sleep(CAPTURE_SECONDS)
    wait_until(lambda: not is_delivering(context.stripe), WEBHOOK_SECONDS)
    _date_back(context)


def _create_one(context: ScenarioContext, sample: Sample) -> None:
    act, status = ENDINGS[sample.ending]
    number = context.open(sample.cart)
    act(context, number)
    checkout.refresh_order(context.buyer, number)
    if not wait_until(lambda: context.order(number).status == status, WEBHOOK_SECONDS):
        # No webhook server: the reconciler records it.
        reconciler.reconcile_recent(clock.now() - RECONCILE_SINCE)


def planned_statuses() -> list[str]:
    return sorted(ENDINGS[sample.ending][1] for sample in SAMPLES)


def _placed_at(place: int, now: datetime) -> datetime:
    """A time of day that differs from sample to sample, so that no two look alike."""
    day = now - timedelta(days=SAMPLES[place].days_ago)
    return day.replace(hour=8 + place * 5 % 12, minute=place * 13 % 60, second=0, microsecond=0)


def _date_back(context: ScenarioContext) -> None:
    """Let each sample have been placed on its day, in the emulator and here.

    If the process dies between the two, the amounts agree, and the next press dates ours.
    """
    orders, now = existing(), clock.now()
    shifts: dict[int | None, timedelta] = {}
    sessions = {}
    for place, sample in enumerate(SAMPLES):
        order, placed_at = orders.get(buyer_of(place)), _placed_at(place, now)
        if not (sample.days_ago and order and order.checkout_session_id):
            continue
        if order.created_at - placed_at > timedelta(days=1):
            shifts[order.id] = order.created_at - placed_at
            sessions[order.checkout_session_id] = int(placed_at.timestamp())
    if not shifts:
        return
    context.stripe.control("POST", "date_back", sessions=sessions)
    query = select(Order).where(col(Order.id).in_(shifts)).order_by(col(Order.id))
    with db.unit_of_work() as session:
        for order in session.exec(query.with_for_update()):
            _shift_order(session, order, shifts[order.id])


def _shift_order(session: Session, order: Order, shift: timedelta) -> None:
    """Move every time of an order and of what belongs to it, and note so in its history.

    Times that are already in the past (of an event that came after the emulator's part) stay.
    """
    oldest = order.created_at - timedelta(minutes=1)
    for row in _rows(session, order):
        for name, moment in row.model_dump().items():
            # `next_…` is no time of the past: it says when the shop looks again.
            if isinstance(moment, datetime) and moment >= oldest and not name.startswith("next_"):
                setattr(row, name, moment - shift)
        session.add(row)
    note = f"sample order, dated back {shift.days} days"
    history.log(session, order, "operator", history.Action.NOTED, {"text": note})


def _rows(session: Session, order: Order) -> list[Any]:
    order_events = timeline.load_events(session, order.id or 0)
    rows: list[Any] = [order, *order_events.events, *order_events.repeats]
    for model in (HistoryEntry, Refund, Dispute):
        rows += session.exec(select(model).where(col(model.order_id) == order.id))
    return rows

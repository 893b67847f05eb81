"""The number that must not move: how often a buyer was charged, beside how often they ordered.

Counted from our own book, which the audit holds against Stripe's. Anything that does not fit
becomes an alarm with its cause.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, NamedTuple

from sqlalchemy import text
from sqlmodel import Session, col, or_, select

from store.db.models import Order, Refund
from store.orders.stripe_facts import PAID
from store.reports.order_view import OrderView, RefundView
from store.reports.timeline import Heard

Cause = Literal["second payment", "review"]
# Where the money of a second payment is: still owed, owed although Stripe was asked, taken on by
# Stripe, waiting for the buyer's details, back, or taken back by the bank.
Whereabouts = Literal["owed", "overdue", "pending", "requires_action", "returned", "taken"]

# For each order by itself, so that each part goes by the index of that order's rows. All of it is
# read in the indexes, which stay together where the rows of a long past are far apart.
COUNTED = text(
    f"""
    SELECT status, count(*), count(*) FILTER (WHERE payment_status IN {tuple(sorted(PAID))}),
      sum(refunds), sum(events), sum(deliveries), sum(applied), sum(lines), sum(which)
    FROM (
      SELECT status, payment_status,
        (SELECT count(*) FROM refunds WHERE order_id = orders.id) AS refunds,
        (SELECT count(*) FROM stripe_events WHERE order_id = orders.id) AS events,
        (SELECT coalesce(sum(deliveries), 0) FROM stripe_events
          WHERE order_id = orders.id) AS deliveries,
        (SELECT count(*) FROM stripe_events
          WHERE order_id = orders.id AND outcome = 'applied' AND deliveries > 0) AS applied,
        (SELECT count(*) FROM order_log WHERE order_id = orders.id) AS lines,
        (SELECT coalesce(sum(id), 0) FROM order_log WHERE order_id = orders.id) AS which
      FROM orders WHERE buyer_hash = :buyer
    ) AS mine
    GROUP BY status ORDER BY status
    """  # noqa: S608 - the two words for paid are ours
)


class Counted(NamedTuple):
    """A buyer's orders of one status, and what was said of them.

    No two moments have the same figures unless nothing was said between them: each line that is
    added to the history has a higher id than those that `retention` takes away.
    """

    status: str
    orders: int
    charged: int
    refunds: int
    events: int
    deliveries: int
    applied: int
    lines: int
    which: int  # the sum of the lines' ids


@dataclass(frozen=True)
class Alarm:
    """Why a charge does not fit its order; `over` once the money is back."""

    cause: Cause
    number: str
    detail: str
    amount: int
    currency: str
    over: bool = False
    money: Whereabouts = "owed"


@dataclass(frozen=True)
class Tally:
    orders: int
    charges: int
    deliveries: int
    ignored: int
    alarms: tuple[Alarm, ...] = ()

    @property
    def sent_back(self) -> int:
        """Second payments that are the buyer's again."""
        return sum(alarm.over for alarm in self.alarms)

    @property
    def charged_words(self) -> str:
        """ "charged once", "not charged", "13 charged once each", "charged twice" """
        second = sum(alarm.cause == "second payment" for alarm in self.alarms)
        if not self.charges:
            return "not charged"
        if second:
            return "charged twice" if self.charges == 2 else f"charged {self.charges} times"
        if self.charges == 1:
            return "charged once" if self.orders == 1 else "1 charged once"
        return f"{self.charges} charged once each"

    @property
    def webhook_words(self) -> str:
        """ "webhook received 5 times" """
        if not self.deliveries:
            return "no webhook yet"
        times = {1: "once", 2: "twice"}.get(self.deliveries, f"{self.deliveries:,} times")
        return f"webhook received {times}"

    @property
    def alarmed(self) -> bool:
        return any(not alarm.over for alarm in self.alarms)


def counted(session: Session, buyer: str) -> tuple[Counted, ...]:
    """How many orders a buyer has of each status, in one question."""
    rows = session.connection().execute(COUNTED, {"buyer": buyer})
    return tuple(Counted(row[0], *map(int, row[1:])) for row in rows)


def of_buyer(
    session: Session, buyer: str, counted: Sequence[Counted], shown: Sequence[OrderView]
) -> Tally:
    """The figures of all that a buyer ordered; every order that needs review is among `shown`."""
    suspects: dict[str, Order | OrderView] = {o.number: o for o in shown if o.status == "review"}
    second: dict[str, list[RefundView]] = {}
    if any(each.refunds for each in counted):
        for order, refund in _strays(session, buyer):
            suspects[order.number] = order
            second.setdefault(order.number, []).append(RefundView.of(refund, order))
    alarms = [
        alarm
        for order in sorted(suspects.values(), key=attrgetter("created_at"), reverse=True)
        for alarm in _alarms(order, second.get(order.number, []))
    ]
    return _tally(
        sum(each.orders for each in counted),
        sum(each.charged for each in counted),
        sum(each.deliveries for each in counted),
        sum(each.applied for each in counted),
        alarms,
    )


def _strays(session: Session, buyer: str) -> Sequence[tuple[Order, Refund]]:
    """Money that went back from another payment than the order's own."""
    return session.exec(
        select(Order, Refund)
        .join(Order, col(Order.id) == col(Refund.order_id))
        .where(
            col(Order.buyer_hash) == buyer,
            or_(
                col(Refund.reason) == "duplicate",
                col(Refund.payment_intent_id) != col(Order.payment_intent_id),
            ),
        )
    ).all()


def of_order(order: OrderView, told: Heard) -> Tally:
    """The figures of one order, from what its page has read anyway."""
    alarms = _alarms(order, [refund for refund in order.refunds if refund.second])
    applied = told.deliveries - told.ignored
    return _tally(1, int(order.is_charged), told.deliveries, applied, alarms)


def _tally(
    orders: int, charged: int, deliveries: int, applied: int, alarms: Sequence[Alarm]
) -> Tally:
    extra = sum(alarm.cause == "second payment" for alarm in alarms)
    return Tally(orders, charged + extra, deliveries, deliveries - applied, tuple(alarms))


def _alarms(order: Order | OrderView, second: Iterable[RefundView]) -> list[Alarm]:
    payments: dict[str, list[RefundView]] = {}
    for refund in second:
        payments.setdefault(refund.payment_intent_id, []).append(refund)
    found = [_second_payment(order, payment, refunds) for payment, refunds in payments.items()]
    if order.status == "review":
        contested = getattr(order, "refund_review_reason", None)
        reason = contested or order.review_reason or "what Stripe says does not fit"
        found.append(Alarm("review", order.number, reason, order.total_amount, order.currency))
    return found


def _second_payment(order: Order | OrderView, payment: str, refunds: Sequence[RefundView]) -> Alarm:
    where = whereabouts(refunds)
    return Alarm(
        "second payment",
        order.number,
        payment,
        max(refund.payment_amount or refund.amount for refund in refunds),
        order.currency,
        over=where in ("returned", "taken"),
        money=where,
    )


def whereabouts(refunds: Sequence[RefundView]) -> Whereabouts:
    """Where the money of one second payment is; what is owed comes before what is on its way."""
    states = {refund.status for refund in refunds}
    if "requested" in states:
        late = any(refund.overdue for refund in refunds if refund.status == "requested")
        return "overdue" if late else "owed"
    if "requires_action" in states:
        return "requires_action"
    if "pending" in states:
        return "pending"
    return "returned" if "succeeded" in states else "taken"

"""How often a buyer was charged, beside how often they ordered; the two must be equal.

Counted from the shop's own database, which the audit compares with Stripe. Anything that does not
fit becomes an alert with its cause.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Literal, NamedTuple

from sqlalchemy import text
from sqlmodel import Session, col, or_, select

from store.db.models import Order, Refund
from store.orders.status_rules import PAID
from store.reports import order_view
from store.reports.order_view import OrderView, RefundView
from store.reports.timeline import OrderEvents

# The state of a second payment's refund: not sent yet, not sent although tried for long, accepted
# by Stripe, waiting for the buyer's details, refunded, or withdrawn by the bank.
RefundState = Literal["owed", "overdue", "pending", "requires_action", "returned", "taken"]

# Subqueries per order, so that each uses the index of that order's rows. All columns are read from
# indexes, whose pages lie together where the rows of a long past are far apart.
STATUS_COUNTS = text(
    f"""
    SELECT status, count(*), count(*) FILTER (WHERE payment_status IN {tuple(sorted(PAID))}),
      sum(refunds), sum(deliveries), sum(applied), max(revision)
    FROM (
      SELECT status, payment_status,
        (SELECT count(*) FROM refunds WHERE order_id = orders.id) AS refunds,
        (SELECT coalesce(sum(deliveries), 0) FROM stripe_events
          WHERE order_id = orders.id) AS deliveries,
        (SELECT count(*) FROM stripe_events
          WHERE order_id = orders.id AND outcome = 'applied' AND deliveries > 0) AS applied,
        (SELECT coalesce(max(id), 0) FROM order_history WHERE order_id = orders.id) AS revision
      FROM orders WHERE buyer_hash = :buyer
    ) AS of_buyer
    GROUP BY status ORDER BY status
    """  # noqa: S608 - the two payment statuses are constants
)


class StatusCounts(NamedTuple):
    """Counts over a buyer's orders of one status; `revision` grows with every change of them."""

    status: str
    orders: int
    charged: int
    refunds: int
    deliveries: int
    applied: int
    revision: int


@dataclass(frozen=True)
class Alert:
    """Why a charge does not fit its order; `resolved` once the money is back."""

    cause: Literal["second payment", "review"]
    order_number: str
    detail: str
    amount: int
    currency: str
    resolved: bool = False
    refund_state: RefundState = "owed"


@dataclass(frozen=True)
class ChargeSummary:
    orders: int
    charges: int
    deliveries: int
    ignored: int
    alerts: tuple[Alert, ...] = ()

    @property
    def refunded_second_payments(self) -> int:
        return sum(alert.resolved for alert in self.alerts)

    @property
    def charges_text(self) -> str:
        """ "charged once", "not charged", "13 charged once each", "charged twice" """
        second = sum(alert.cause == "second payment" for alert in self.alerts)
        if not self.charges:
            return "not charged"
        if second:
            return "charged twice" if self.charges == 2 else f"charged {self.charges} times"
        if self.charges == 1:
            return "charged once" if self.orders == 1 else "1 charged once"
        return f"{self.charges} charged once each"

    @property
    def webhooks_text(self) -> str:
        """ "webhook received 5 times" """
        if not self.deliveries:
            return "no webhook yet"
        times = {1: "once", 2: "twice"}.get(self.deliveries, f"{self.deliveries:,} times")
        return f"webhook received {times}"

    @property
    def has_open_alert(self) -> bool:
        return any(not alert.resolved for alert in self.alerts)


def status_counts(session: Session, buyer: str) -> tuple[StatusCounts, ...]:
    """One row of counts per status of this buyer's orders, in one query."""
    rows = session.connection().execute(STATUS_COUNTS, {"buyer": buyer})
    return tuple(StatusCounts(row[0], *map(int, row[1:])) for row in rows)


def of_buyer(
    session: Session, buyer: str, counts: Sequence[StatusCounts], orders: Sequence[OrderView]
) -> ChargeSummary:
    """The summary of all of a buyer's orders; `orders` includes each one that needs review."""
    to_check = {order.number: order for order in orders if order.status == "review"}
    if any(row.refunds for row in counts):
        query = select(Order, Refund).join(Order, col(Order.id) == col(Refund.order_id))
        not_of_its_own_payment = or_(
            col(Refund.reason) == "duplicate",
            col(Refund.payment_intent_id) != col(Order.payment_intent_id),
        )
        query = query.where(col(Order.buyer_hash) == buyer, not_of_its_own_payment)
        for order, refund in session.exec(query):
            view = to_check.get(order.number) or order_view.view(order, ())
            refunds = (*view.refunds, RefundView.of(refund, order))
            to_check[order.number] = replace(view, refunds=refunds)
    newest_first = sorted(to_check.values(), key=attrgetter("created_at"), reverse=True)
    return _summary(counts, [alert for order in newest_first for alert in _alerts(order)])


def of_order(order: OrderView, events: OrderEvents) -> ChargeSummary:
    """The summary of one order, from what its page has read already."""
    charged, applied = int(order.is_charged), events.deliveries - events.ignored
    counts = StatusCounts(order.status, 1, charged, 0, events.deliveries, applied, 0)
    return _summary([counts], _alerts(order))


def _summary(counts: Sequence[StatusCounts], alerts: Sequence[Alert]) -> ChargeSummary:
    charged_again = sum(alert.cause == "second payment" for alert in alerts)
    return ChargeSummary(
        orders=sum(row.orders for row in counts),
        charges=sum(row.charged for row in counts) + charged_again,
        deliveries=sum(row.deliveries for row in counts),
        ignored=sum(row.deliveries - row.applied for row in counts),
        alerts=tuple(alerts),
    )


def _alerts(order: OrderView) -> list[Alert]:
    """One alert per second payment of an order, and one if it needs review."""
    alerts = []
    for payment_id, refunds in second_payments(order).items():
        state, number = refund_state(refunds), order.number
        amount = max(refund.payment_amount or refund.amount for refund in refunds)
        back = state in ("returned", "taken")
        alerts.append(
            Alert("second payment", number, payment_id, amount, order.currency, back, state)
        )
    if order.status == "review":
        reason = order.review_reason or "what Stripe says does not fit"
        alerts.append(Alert("review", order.number, reason, order.total_amount, order.currency))
    return alerts


def second_payments(order: OrderView) -> dict[str, list[RefundView]]:
    """The refunds of each payment that is not the order's own, by its id at Stripe."""
    payments: dict[str, list[RefundView]] = {}
    for refund in order.refunds:
        if refund.is_second_payment:
            payments.setdefault(refund.payment_intent_id, []).append(refund)
    return payments


def refund_state(refunds: Sequence[RefundView]) -> RefundState:
    """The state of one second payment's refunds; an unsent one counts before a pending one."""
    statuses = {refund.status for refund in refunds}
    if "requested" in statuses:
        overdue = any(refund.overdue for refund in refunds if refund.status == "requested")
        return "overdue" if overdue else "owed"
    if "requires_action" in statuses:
        return "requires_action"
    if "pending" in statuses:
        return "pending"
    return "returned" if "succeeded" in statuses else "taken"

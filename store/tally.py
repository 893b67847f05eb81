"""The number that must not move: how often a buyer was charged, beside how often they ordered.

Counted from our own book, which the audit holds against Stripe's. Anything that does not fit
becomes an alarm with its cause.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlmodel import Session, and_, col, func, or_, select

from store.models import Order, Refund, StripeEvent
from store.timeline import Heard
from store.views import OrderView, RefundView

Cause = Literal["second payment", "review"]


@dataclass(frozen=True)
class Alarm:
    """Why a charge does not fit its order; `over` once the money is back."""

    cause: Cause
    number: str
    detail: str
    amount: int
    currency: str
    over: bool = False


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
    def alarmed(self) -> bool:
        return any(not alarm.over for alarm in self.alarms)


def of_buyer(session: Session, buyer: str, orders: Sequence[OrderView]) -> Tally:
    """The figures of all that a buyer ordered; `orders` are those already read for the page."""
    applied = and_(col(StripeEvent.outcome) == "applied", col(StripeEvent.deliveries) > 0)
    deliveries, counted = session.exec(
        select(func.coalesce(func.sum(StripeEvent.deliveries), 0), func.count().filter(applied))
        .join(Order, col(Order.id) == col(StripeEvent.order_id))
        .where(col(Order.buyer) == buyer)
    ).one()
    strays = session.exec(
        select(Order, Refund)
        .join(Order, col(Order.id) == col(Refund.order_id))
        .where(
            col(Order.buyer) == buyer,
            or_(
                col(Refund.reason) == "duplicate",
                col(Refund.payment_intent_id) != col(Order.payment_intent_id),
            ),
        )
    ).all()
    found: dict[str, list[RefundView]] = {}
    for order, refund in strays:
        found.setdefault(order.number, []).append(RefundView.of(refund, order))
    return _tally(orders, found, int(deliveries), int(counted))


def of_order(order: OrderView, told: Heard) -> Tally:
    """The figures of one order, from what its page has read anyway."""
    second = {order.number: [refund for refund in order.refunds if refund.second]}
    return _tally([order], second, told.deliveries, told.deliveries - told.ignored)


def _tally(
    orders: Sequence[OrderView],
    second: dict[str, list[RefundView]],
    deliveries: int,
    counted: int,
) -> Tally:
    alarms = [alarm for order in orders for alarm in _alarms(order, second.get(order.number, []))]
    extra = sum(alarm.cause == "second payment" for alarm in alarms)
    charges = sum(order.is_charged for order in orders) + extra
    return Tally(len(orders), charges, deliveries, deliveries - counted, tuple(alarms))


def _alarms(order: OrderView, second: Iterable[RefundView]) -> list[Alarm]:
    payments: dict[str, list[RefundView]] = {}
    for refund in second:
        payments.setdefault(refund.payment_intent_id, []).append(refund)
    found = [
        Alarm(
            "second payment",
            order.number,
            payment,
            max(refund.amount for refund in refunds),
            order.currency,
            over=any(refund.status == "succeeded" for refund in refunds),
        )
        for payment, refunds in payments.items()
    ]
    if order.status == "review":
        reason = order.review_reason or "what Stripe says does not fit"
        found.append(Alarm("review", order.number, reason, order.total_amount, order.currency))
    return found

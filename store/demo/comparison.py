"""Orders compared with Stripe: what Stripe charged and refunded, and what our database says."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from store.core import money
from store.db import engine as db
from store.db.models import HistoryEntry, Order
from store.demo.clients import Document, EmulatorClient
from store.orders.status_rules import PAID, REFUND_VOID
from store.orders.stripe_facts import order_number_of
from store.reports import order_detail, timeline
from store.reports.history_text import payload_of

CLOCK_MARGIN_SECONDS = 60
PAID_CHANGE = {"payment_status": "paid"}  # in an order's history, once its payment is known


@dataclass
class RehearsedOrder:
    """One order here and at Stripe; `*_amount(s)` in minor units."""

    number: str
    status: str
    currency: str
    paid_amount: int
    refunded_amount: int
    refund_count: int
    paid_sources: list[str]
    deliveries: int
    effects: int
    sessions: list[str] = field(default_factory=list)
    stripe_charge_amounts: list[int] = field(default_factory=list)
    stripe_refund_amounts: list[int] = field(default_factory=list)

    @property
    def charged_twice(self) -> bool:
        return len(self.stripe_charge_amounts) > 1 or len(self.paid_sources) > 1

    @property
    def is_lost(self) -> bool:
        """Stripe has the buyer's money, and our database does not know."""
        return bool(self.stripe_charge_amounts) and not self.paid_amount

    @property
    def difference(self) -> str | None:
        """How the two sides differ, in words; None where they agree."""
        if self.charged_twice:
            charges, times = len(self.stripe_charge_amounts), len(self.paid_sources)
            return f"charged {charges} times and marked paid {times} times"
        if self.is_lost:
            return "Stripe has the money and our database does not know"
        for word, ours, stripes in (
            ("paid", self.paid_amount, sum(self.stripe_charge_amounts)),
            ("refunded", self.refunded_amount, sum(self.stripe_refund_amounts)),
        ):
            if ours != stripes:
                our_text, stripe_text = (money.text(n, self.currency) for n in (ours, stripes))
                return f"our database says {our_text} {word}, Stripe {stripe_text}"
        return None


def compare_orders(stripe: EmulatorClient, numbers: Sequence[str]) -> list[RehearsedOrder]:
    """These orders on both sides, in this order; those that do not exist are left out."""
    with db.reading() as session:
        rows = list(session.exec(select(Order).where(col(Order.number).in_(numbers))))
        orders = {row.number: _from_database(session, row) for row in rows}
    if oldest := min((row.created_at for row in rows), default=None):
        start = int(oldest.timestamp()) - CLOCK_MARGIN_SECONDS
        for checkout in stripe.list_all("checkout/sessions", **{"created[gte]": start}):
            if order := orders.get(order_number_of(checkout) or ""):
                _add_stripe_side(stripe, order, checkout)
    return [orders[number] for number in numbers if number in orders]


def _from_database(session: Session, order: Order) -> RehearsedOrder:
    history = session.exec(select(HistoryEntry).where(col(HistoryEntry.order_id) == order.id)).all()
    events = timeline.load_events(session, order.id or 0)
    return RehearsedOrder(
        number=order.number,
        status=order.status,
        currency=order.currency,
        paid_amount=order.total_amount if order.payment_status in PAID else 0,
        refunded_amount=order.refunded_amount,
        refund_count=len(order_detail.refunds_of(session, order)),
        paid_sources=[row.source for row in history if PAID_CHANGE in payload_of(row)["changes"]],
        deliveries=events.deliveries,
        effects=events.deliveries - events.ignored,
    )


def _add_stripe_side(stripe: EmulatorClient, order: RehearsedOrder, checkout: Document) -> None:
    order.sessions.append(checkout["id"])
    if payment := checkout["payment_intent"]:
        charges = stripe.list_all("charges", payment_intent=payment)
        refunds = stripe.list_all("refunds", payment_intent=payment)
        paid = [charge["amount"] for charge in charges if charge["status"] == "succeeded"]
        given_back = [refund["amount"] for refund in refunds if refund["status"] not in REFUND_VOID]
        order.stripe_charge_amounts += paid
        order.stripe_refund_amounts += given_back


def totals(orders: Collection[RehearsedOrder]) -> Counter[str]:
    """Sums over many orders; `charged_twice` and `lost` must stay 0."""
    sums = Counter(orders=len(orders))
    for order in orders:
        sums.update(
            charges=len(order.stripe_charge_amounts),
            deliveries=order.deliveries,
            effects=order.effects,
            charged_twice=order.charged_twice,
            lost=order.is_lost,
            differing=order.difference is not None,
        )
    return sums

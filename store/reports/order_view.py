"""Orders as pages show them: immutable values, usable after the database session has ended."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlmodel import Session, col

from store.core.order_status import OrderStatus
from store.db.models import Dispute, Order, OrderItem, Product, Refund
from store.orders.status_rules import PAID, REFUND_VOID

Tone = Literal["waiting", "good", "bad", "neutral"]


@dataclass(frozen=True)
class Badge:
    """A status as a glyph and a word, never by colour alone; `buyer_word` is the buyer's word."""

    glyph: str
    word: str
    tone: Tone
    buyer_word: str


STATUS_BADGES = {
    "pending": Badge("○", "Pending", "waiting", "Payment not begun"),
    "open": Badge("◔", "Open", "waiting", "Not paid yet"),
    "processing": Badge("◑", "Processing", "waiting", "Payment on its way"),
    "paid": Badge("●", "Paid", "good", "Paid"),
    "failed": Badge("✕", "Failed", "bad", "Payment failed"),
    "expired": Badge("◌", "Expired", "neutral", "Not paid in time"),
    "canceled": Badge("⊘", "Canceled", "neutral", "Canceled"),
    "partially_refunded": Badge("◐", "Partially refunded", "neutral", "Partly refunded"),
    "refunded": Badge("↩", "Refunded", "neutral", "Refunded"),
    "disputed": Badge("⚑", "Disputed", "bad", "Disputed"),
    "review": Badge("!", "Needs review", "bad", "Being checked"),
}


@dataclass(frozen=True)
class ItemView:
    slug: str
    name: str
    quantity: int
    unit_amount: int

    @property
    def amount(self) -> int:
        return self.unit_amount * self.quantity


@dataclass(frozen=True)
class RefundView:
    """A refund; `is_second_payment` where its payment is not the order's own.

    `payment_amount` is that payment's amount; `overdue` means that an operator should act.
    """

    amount: int
    status: str
    stripe_refund_id: str | None
    payment_intent_id: str
    created_at: datetime
    is_second_payment: bool
    payment_amount: int | None = None
    overdue: bool = False

    @property
    def is_void(self) -> bool:
        """True where Stripe never created it and it is not owed any more."""
        return self.status in REFUND_VOID and self.stripe_refund_id is None

    @classmethod
    def of(cls, row: Refund, order: Order) -> "RefundView":
        own = order.payment_intent_id
        is_second_payment = row.reason == "duplicate" or own not in (None, row.payment_intent_id)
        return cls(
            **shared_values(cls, row), is_second_payment=is_second_payment, overdue=row.is_overdue
        )


@dataclass(frozen=True)
class DisputeView:
    amount: int
    status: str
    reason: str
    stripe_dispute_id: str


@dataclass(frozen=True)
class OrderView:
    """An order as its buyer sees it; `*_amount` in minor units of `currency`, `*_at` in UTC.

    Hashable, because rendered HTML is cached by it.
    """

    number: str
    status: str
    currency: str
    total_amount: int
    refunded_amount: int
    items: tuple[ItemView, ...]
    email: str | None
    receipt_url: str | None
    checkout_session_id: str | None
    payment_intent_id: str | None
    created_at: datetime
    paid_at: datetime | None
    is_payable: bool
    is_charged: bool = False
    review_reason: str | None = None
    refunds: tuple[RefundView, ...] = ()
    disputes: tuple[DisputeView, ...] = ()
    was_superseded: bool = False  # canceled: a newer cart, perhaps in another tab, replaced it

    @property
    def is_waiting(self) -> bool:
        """True while the order may change without an action of the buyer on this page."""
        return self.status in OrderStatus.WAITING

    @property
    def buyer_word(self) -> str:
        return STATUS_BADGES[self.status].buyer_word

    @property
    def can_be_bought_again(self) -> bool:
        return self.status not in OrderStatus.UNDECIDED


Items = Mapping[int, Sequence[ItemView]]


def items_of(session: Session, orders: Sequence[Order]) -> Items:
    """The items of each order, by order id; an empty list for any other id."""
    items: defaultdict[int, list[ItemView]] = defaultdict(list)
    if not orders:
        return items
    columns = (Product.slug, OrderItem.name, OrderItem.quantity, OrderItem.unit_amount)
    rows = session.connection().execute(
        select(col(OrderItem.order_id), *map(col, columns))
        .join(Product, col(Product.id) == col(OrderItem.product_id))
        .where(col(OrderItem.order_id).in_([order.id for order in orders]))
        .order_by(col(OrderItem.id))
    )
    for order_id, *values in rows:
        items[order_id].append(ItemView(*values))
    return items


def shared_values(view: type[Any], row: Order | Refund | Dispute) -> dict[str, Any]:
    """The row's values under the names that the view has as well."""
    columns = type(row).model_fields
    return {field.name: getattr(row, field.name) for field in fields(view) if field.name in columns}


def view(
    order: Order,
    items: Sequence[ItemView],
    refunds: Sequence[Refund] = (),
    disputes: Sequence[Dispute] = (),
    *,
    is_superseded: bool = False,
) -> OrderView:
    values = shared_values(OrderView, order) | {
        "items": tuple(items),
        "is_payable": order.status in OrderStatus.PAYABLE and order.cancel_requested_at is None,
        "is_charged": order.payment_status in PAID,
        "review_reason": order.refund_review_reason or order.review_reason,
        "refunds": tuple(RefundView.of(row, order) for row in refunds),
        "disputes": tuple(DisputeView(**shared_values(DisputeView, row)) for row in disputes),
        "was_superseded": is_superseded and order.status == OrderStatus.CANCELED,
    }
    return OrderView(**values)

"""All tables with their indexes and constraints: the migrations end in exactly this schema.

`*_amount` are integer minor units, `*_at` are UTC.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from store.core.clock import now
from store.core.order_status import PAYABLE_CHECKOUT, OrderStatus, sql_in
from store.core.text import folded

MAX_LISTED = 20  # checks and redeliveries of an order or event that have a row each
OVERDUE = timedelta(minutes=15)  # how long a refund may stay unsent before an operator should act


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A time in UTC. SQLite stores no zone, so UTC is added on reading."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        time: datetime = value
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _utc(**options: Any) -> Any:
    return Field(sa_type=UtcDateTime, **options)


def _positive(name: str) -> Any:
    """A column of this name that holds a number above zero."""
    return Field(sa_column_args=[sa.CheckConstraint(f"{name} > 0")])


def _partial_index(
    name: str, *columns: str, where: sa.TextClause, unique: bool = False
) -> sa.Index:
    return sa.Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


class Product(SQLModel, table=True):
    __tablename__ = "products"

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(unique=True)
    name: str
    description: str
    unit_amount: int
    currency: str
    image: str
    active: bool = True
    # Products are shown by `position`, then by id.
    position: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    updated_at: datetime = _utc(default_factory=now, sa_column_kwargs={"onupdate": now})


# At most one order per buyer may be payable: a unique index on this condition refuses a second
# one from another tab, process or server.
PAYABLE = sa.text(sql_in("checkout_status", PAYABLE_CHECKOUT))
# Orders that may still change at Stripe, a small part of all. A query uses the index on this
# condition only if it repeats it word for word.
UNDECIDED = sa.text(f"({PAYABLE} OR {sql_in('status', OrderStatus.UNDECIDED)})")
# Refunds that have not ended yet, whether they exist at Stripe or not.
UNFINISHED_REFUNDS = sa.text("status IN ('requested', 'pending', 'requires_action')")
# Events that the reconciler could not apply yet.
TO_TRY = sa.text("next_try_at IS NOT NULL")
NAMES_AN_ORDER = sa.text("order_number IS NOT NULL")


class Order(SQLModel, table=True):
    """One attempt to buy one cart: the frozen parameters of its Checkout Session, and the facts.

    `status` follows from the facts (`checkout_status`, `payment_status`, `cancel_requested_at`,
    the two review reasons, and the rows of refunds and disputes); only `apply_facts` writes it.

    `next_check_at` is when the reconciler retrieves the session next (None: now),
    `check_failures` how often in a row that has failed. `placed_under` is the fingerprint of the
    Stripe account's key at that time.
    """

    __tablename__ = "orders"
    __table_args__ = (
        _partial_index("one_payable_order_per_buyer", "buyer_hash", where=PAYABLE, unique=True),
        # With every column that is counted of a buyer's orders: no row of `orders` is read for it.
        sa.Index("orders_of_a_buyer", "buyer_hash", "id", "status", "payment_status"),
        _partial_index("undecided_orders", "id", where=UNDECIDED),
        sa.Index("orders_by_creation", "created_at", "id"),
        sa.Index("orders_by_status", "status", "created_at", "id"),
        # With every column that the sales figures add up.
        sa.Index("orders_by_payment", "paid_at", "currency", "total_amount", "refunded_amount"),
        # A prefix is found by this index only in the order of bytes, which SQLite always uses.
        # SQLAlchemy writes an operator class verbatim, so the collation can stand in its place.
        sa.Index("orders_by_email", "email_folded", postgresql_ops={"email_folded": 'COLLATE "C"'}),
    )

    id: int | None = Field(default=None, primary_key=True)
    number: str = Field(unique=True)
    buyer_hash: str
    currency: str
    total_amount: int = _positive("total_amount")
    status: str = "pending"

    cart_fingerprint: str = Field(index=True)
    attempt: int
    idempotency_key: str = Field(unique=True)
    checkout_parameters: str = Field(sa_type=sa.Text)
    checkout_session_id: str | None = Field(default=None, unique=True)
    checkout_url: str | None = Field(default=None, sa_type=sa.Text)
    checkout_expires_at: datetime = _utc()
    placed_under: str | None = None

    checkout_status: str = "none"
    payment_status: str = "unpaid"
    payment_intent_id: str | None = Field(default=None, unique=True)
    cancel_requested_at: datetime | None = _utc(default=None)
    # Why the payment needs review, and why a reported refund or dispute does.
    review_reason: str | None = Field(default=None, sa_type=sa.Text)
    refund_review_reason: str | None = Field(default=None, sa_type=sa.Text)

    check_failures: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    next_check_at: datetime | None = _utc(default=None)

    refunded_amount: int = 0
    email: str | None = None
    email_folded: str | None = None  # as it is searched; follows `email`
    receipt_url: str | None = Field(default=None, sa_type=sa.Text)
    created_at: datetime = _utc(default_factory=now)
    paid_at: datetime | None = _utc(default=None)
    updated_at: datetime = _utc(default_factory=now, sa_column_kwargs={"onupdate": now})


@sa.event.listens_for(Order.email, "set")
def _fold_email(order: Order, email: str | None, *_event: Any) -> None:
    order.email_folded = folded(email) if email else None


class OrderItem(SQLModel, table=True):
    """A line of an order with the product's name and price at the time of the order."""

    __tablename__ = "order_items"

    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="orders.id", index=True)
    product_id: int = Field(foreign_key="products.id")
    name: str
    unit_amount: int
    quantity: int = _positive("quantity")


class HistoryEntry(SQLModel, table=True):
    """One entry of an order's history, with who reported it; rows are added, never changed.

    `action` and `payload` (JSON) are those of `orders.history`.
    """

    __tablename__ = "order_history"
    __table_args__ = (sa.Index("history_of_an_order", "order_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="orders.id")
    at: datetime = _utc(default_factory=now)
    source: str
    action: str
    payload: str = Field(default='{"changes":[]}', sa_type=sa.Text)


class OrderCheck(SQLModel, table=True):
    """A redelivered event (`event_id` set) or a status check (`order_id` set) that changed nothing.

    Shown in the timeline of the order; the first delivery of an event is its row in
    `stripe_events`. At most `MAX_LISTED` rows are stored per event, and per order and source;
    further ones are counted in `StripeEvent.deliveries` or in `times` of the last row.
    """

    __tablename__ = "order_checks"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = _utc(default_factory=now)
    source: str
    event_id: str | None = Field(default=None, foreign_key="stripe_events.id", index=True)
    order_id: int | None = Field(default=None, foreign_key="orders.id", index=True)
    evidence: str = Field(default="", sa_type=sa.Text)
    times: int = Field(default=1, sa_column_kwargs={"server_default": "1"})


class Refund(SQLModel, table=True):
    """A refund: first our request (`requested`), then the status that Stripe reports.

    A `requested` row is owed until the refund exists at Stripe: `refusal` is why Stripe refused it
    last, `next_try_at` when it is sent again. `payment_amount` is what a second payment captured.
    """

    __tablename__ = "refunds"
    __table_args__ = (_partial_index("unfinished_refunds", "id", where=UNFINISHED_REFUNDS),)

    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="orders.id", index=True)
    payment_intent_id: str
    amount: int = _positive("amount")
    payment_amount: int | None = None
    status: str = "requested"
    reason: str = ""
    idempotency_key: str = Field(unique=True)
    attempt: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    next_try_at: datetime | None = _utc(default=None)
    refusal: str | None = Field(default=None, sa_type=sa.Text)
    stripe_refund_id: str | None = Field(default=None, unique=True)
    created_at: datetime = _utc(default_factory=now)
    updated_at: datetime = _utc(default_factory=now, sa_column_kwargs={"onupdate": now})

    @property
    def is_unsent(self) -> bool:
        """True while it is owed and does not exist at Stripe."""
        return self.status == "requested" and self.stripe_refund_id is None

    @property
    def is_overdue(self) -> bool:
        """True if an operator should act: refused, unsent for long, or waiting for the buyer."""
        if self.is_unsent:
            return self.refusal is not None or self.created_at < now() - OVERDUE
        return self.status == "requires_action"


class Dispute(SQLModel, table=True):
    __tablename__ = "disputes"

    id: int | None = Field(default=None, primary_key=True)
    order_id: int = Field(foreign_key="orders.id", index=True)
    payment_intent_id: str
    amount: int = _positive("amount")
    status: str
    reason: str = ""
    stripe_dispute_id: str = Field(unique=True)
    created_at: datetime = _utc(default_factory=now)
    updated_at: datetime = _utc(default_factory=now, sa_column_kwargs={"onupdate": now})


class StripeEvent(SQLModel, table=True):
    """A Stripe event, applied once however often it is delivered.

    An event that the reconciler found in Stripe's list and could not apply is an `unknown_order`;
    it is fetched again from Stripe at `next_try_at`.

    `order_id` is the order that the event was applied to. `order_number` is what any other event
    has in its metadata, unverified; the back office finds its order by it.
    """

    __tablename__ = "stripe_events"
    __table_args__ = (
        _partial_index("events_to_try", "next_try_at", where=TO_TRY),
        sa.Index("events_by_arrival", "received_at", "id"),
        sa.Index("events_of_an_order", "order_id", "outcome", "deliveries"),
        sa.Index("events_by_outcome", "outcome", "received_at", "id"),
        _partial_index("events_naming_an_order", "order_number", where=NAMES_AN_ORDER),
    )

    id: str = Field(primary_key=True)
    type: str
    created_at: datetime = _utc()
    received_at: datetime = _utc(default_factory=now)
    deliveries: int = 1
    outcome: str = "received"
    order_id: int | None = Field(default=None, foreign_key="orders.id")
    order_number: str | None = None
    next_try_at: datetime | None = _utc(default=None)


class Lease(SQLModel, table=True):
    """Work that only one process may do at a time, and which process holds the lease.

    `acquired_at` is when the lease was last taken, `processed_until` the moment up to which the
    work is complete. `holder` and `held_until` are None while no process holds it.
    """

    __tablename__ = "leases"

    name: str = Field(primary_key=True)
    acquired_at: datetime = _utc()
    processed_until: datetime | None = _utc(default=None)
    holder: str | None = None
    held_until: datetime | None = _utc(default=None)


class ShopMark(SQLModel, table=True):
    """The mark in the metadata of this shop's Checkout Sessions; one row."""

    __tablename__ = "shop_marks"

    id: int = Field(default=1, primary_key=True)
    mark: str

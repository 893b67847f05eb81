"""Read-only views of orders, for the pages and the command line."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from sqlmodel import Session, col, func, select

from store import money, orders
from store.models import Order, OrderItem, OrderLog, Product

Tone = Literal["waiting", "good", "bad", "neutral"]
# A sheet runs what begins with one of these as a formula.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Badge:
    """A status for people: told by sign and word, never by colour alone."""

    glyph: str
    word: str
    tone: Tone


STATUS_BADGES = {
    "pending": Badge("○", "Pending", "waiting"),
    "open": Badge("◔", "Open", "waiting"),
    "processing": Badge("◑", "Processing", "waiting"),
    "paid": Badge("●", "Paid", "good"),
    "failed": Badge("✕", "Failed", "bad"),
    "expired": Badge("◌", "Expired", "neutral"),
    "canceled": Badge("⊘", "Canceled", "neutral"),
    "partially_refunded": Badge("◐", "Partially refunded", "neutral"),
    "refunded": Badge("↩", "Refunded", "neutral"),
    "disputed": Badge("⚑", "Disputed", "bad"),
    "review": Badge("!", "Needs review", "bad"),
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
class LogView:
    at: datetime
    source: str
    action: str
    detail: str


@dataclass(frozen=True)
class OrderView:
    """An order as its buyer sees it; `*_amount` in minor units of `currency`, `*_at` in UTC."""

    number: str
    status: str
    currency: str
    total_amount: int
    refunded_amount: int
    items: list[ItemView]
    log: list[LogView]
    email: str | None
    receipt_url: str | None
    checkout_session_id: str | None
    payment_intent_id: str | None
    created_at: datetime
    paid_at: datetime | None
    is_payable: bool

    @property
    def is_waiting(self) -> bool:
        """True while something may still change without the buyer doing anything here."""
        return self.status in ("pending", "open", "processing")

    @property
    def cart(self) -> dict[str, int]:
        return {item.slug: item.quantity for item in self.items}


def orders_of(session: Session, buyer: str) -> list[OrderView]:
    """What this buyer ordered, newest first, without the histories."""
    mine = session.exec(
        select(Order).where(col(Order.buyer) == buyer).order_by(col(Order.id).desc())
    ).all()
    items = _items(session, mine)
    return [_view(order, items[order.id or 0], []) for order in mine]


def order_of(session: Session, buyer: str, number: str) -> OrderView:
    """One order with its history.

    Raises:
        OrderNotFound: there is none of this number, or it is a stranger's.
    """
    order = orders.owned(session, buyer, number)
    history = session.exec(
        select(OrderLog).where(col(OrderLog.order_id) == order.id).order_by(col(OrderLog.id))
    )
    log = [LogView(row.at, row.source, row.action, row.detail) for row in history]
    return _view(order, _items(session, [order])[order.id or 0], log)


def _items(session: Session, mine: Sequence[Order]) -> Mapping[int, list[ItemView]]:
    rows = session.exec(
        select(OrderItem, Product.slug)
        .join(Product, col(Product.id) == col(OrderItem.product_id))
        .where(col(OrderItem.order_id).in_([order.id for order in mine]))
        .order_by(col(OrderItem.id))
    )
    found: defaultdict[int, list[ItemView]] = defaultdict(list)
    for item, slug in rows:
        found[item.order_id].append(ItemView(slug, item.name, item.quantity, item.unit_amount))
    return found


def _view(order: Order, items: list[ItemView], log: list[LogView]) -> OrderView:
    return OrderView(
        number=order.number,
        status=order.status,
        currency=order.currency,
        total_amount=order.total_amount,
        refunded_amount=order.refunded_amount,
        items=items,
        log=log,
        email=order.email,
        receipt_url=order.receipt_url,
        checkout_session_id=order.checkout_session_id,
        payment_intent_id=order.payment_intent_id,
        created_at=order.created_at,
        paid_at=order.paid_at,
        is_payable=order.status in ("pending", "open") and order.cancel_requested_at is None,
    )


def orders_by_status(session: Session) -> dict[str, int]:
    """How many orders there are of each status, the empty ones included."""
    counted = session.exec(select(Order.status, func.count()).group_by(col(Order.status))).all()
    return dict.fromkeys(STATUS_BADGES, 0) | dict(counted)


def export_csv(session: Session, path: Path) -> int:
    """Write every order to a CSV file, oldest first; answers how many there were.

    Raises:
        OSError: the file cannot be written.
    """
    every = session.exec(select(Order).order_by(col(Order.id))).all()
    items = _items(session, every)
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        sheet = csv.writer(file)
        sheet.writerow(
            ["number", "created_at", "paid_at", "status", "items", "currency", "total", "refunded"]
        )
        for order in every:
            sheet.writerow(map(_cell, _row(order, items[order.id or 0])))
    return len(every)


def _row(order: Order, items: Iterable[ItemView]) -> list[str]:
    return [
        order.number,
        order.created_at.isoformat(timespec="seconds"),
        order.paid_at.isoformat(timespec="seconds") if order.paid_at else "",
        order.status,
        ", ".join(f"{item.quantity} × {item.name}" for item in items),
        order.currency,
        str(money.major(order.total_amount, order.currency)),
        str(money.major(order.refunded_amount, order.currency)),
    ]


def _cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text

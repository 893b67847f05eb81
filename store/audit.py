"""Both books side by side: what Stripe took and gave back for our orders, and what we think."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlmodel import col, select

from store import db, gateway
from store.facts import PAID, REFUND_VOID, identity, order_number
from store.models import Dispute, Order, Refund


@dataclass
class Book:
    """One side's figures for one order, in minor units."""

    paid_amount: int = 0
    refunded_amount: int = 0
    disputes: dict[str, str] = field(default_factory=dict)

    @property
    def kept_amount(self) -> int:
        return self.paid_amount - self.refunded_amount


@dataclass
class Entry:
    """One order in both books."""

    number: str
    currency: str
    ours: Book = field(default_factory=Book)
    stripes: Book = field(default_factory=Book)

    @property
    def difference_amount(self) -> int:
        """What Stripe holds for this order beyond what we think it does."""
        return self.stripes.kept_amount - self.ours.kept_amount

    @property
    def agrees(self) -> bool:
        return self.ours == self.stripes

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"difference_amount": self.difference_amount, "agrees": self.agrees}


@dataclass(frozen=True)
class Audit:
    """Every order of ours, and the order numbers on Stripe's side that are not ours.

    An order is written down before Stripe is asked for anything, so a number that is unknown
    here belongs to another shop, or to an earlier database of this one.
    """

    entries: list[Entry]
    strangers: list[str]

    @property
    def difference_amount(self) -> int:
        return sum(abs(entry.difference_amount) for entry in self.entries)

    @property
    def agrees(self) -> bool:
        return all(entry.agrees for entry in self.entries)


def audit() -> Audit:
    """Read both books.

    Raises:
        StripeError, DatabaseUnavailable
    """
    stripes = dict(_stripes_book())  # before ours: what happens in between is then in ours too
    entries = _our_book()
    for number, book in stripes.items():
        if number in entries:
            entries[number].stripes = book
    strangers = sorted(stripes.keys() - entries.keys())
    return Audit(list(entries.values()), strangers)


def _our_book() -> dict[str, Entry]:
    with db.reading() as session:
        rows = session.exec(select(Order).order_by(col(Order.id))).all()
        refunds, disputes = session.exec(select(Refund)).all(), session.exec(select(Dispute)).all()
    entries = {order.id: Entry(order.number, order.currency) for order in rows}
    own_payment = {order.id: order.payment_intent_id for order in rows}
    for order in rows:
        paid = order.payment_status in PAID
        entries[order.id].ours.paid_amount = order.total_amount if paid else 0
    for refund in refunds:
        book = entries[refund.order_id].ours
        if refund.payment_intent_id != own_payment[refund.order_id]:
            book.paid_amount += refund.amount  # a second payment is known by its refund
        if refund.stripe_refund_id and refund.status not in REFUND_VOID:
            book.refunded_amount += refund.amount
    for dispute in disputes:
        entries[dispute.order_id].ours.disputes[dispute.stripe_dispute_id] = dispute.status
    return {entry.number: entry for entry in entries.values()}


def _stripes_book() -> Iterator[tuple[str, Book]]:
    books: defaultdict[str, Book] = defaultdict(Book)
    number_of: dict[str, str] = {}
    for session in gateway.checkouts():
        if not (number := order_number(session)):
            continue
        book = books[number]
        if session["payment_status"] in PAID:
            book.paid_amount += session["amount_total"]
        if payment := identity(session["payment_intent"]):
            number_of[payment] = number
    for refund in gateway.refunds():
        payment = identity(refund["payment_intent"])
        if payment in number_of and refund["status"] not in REFUND_VOID:
            books[number_of[payment]].refunded_amount += refund["amount"]
    for dispute in gateway.disputes():
        payment = identity(dispute["payment_intent"])
        if payment in number_of:
            books[number_of[payment]].disputes[dispute["id"]] = dispute["status"]
    yield from books.items()

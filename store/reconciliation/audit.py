"""The audit: compares Stripe's records with ours, payment by payment.

Differences are also refunds that are still owed, orders with this shop's mark at Stripe that are
missing here, and unreadable objects in Stripe's lists: absence never counts as agreement.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from sqlmodel import col, select

from store.db import engine as db
from store.db.models import Dispute, Order, Refund
from store.orders import queries
from store.orders.status_rules import DISPUTE_DECIDED, PAID, REFUND_VOID
from store.orders.stripe_facts import UNREADABLE, Document, object_id, order_number_of
from store.reconciliation import restored_orders
from store.reconciliation.restored_orders import MissingOrder
from store.stripe_api import requests

T = TypeVar("T")


@dataclass
class Payment:
    """One payment's amounts in minor units of `currency`; `owed_amount` is still to be refunded."""

    currency: str = ""
    paid_amount: int = 0
    refunded_amount: int = 0
    owed_amount: int = 0

    @property
    def kept_amount(self) -> int:
        return self.paid_amount - self.refunded_amount - self.owed_amount


@dataclass
class OrderTotals:
    """One side's records of one order: its payments and disputes, by their Stripe ids."""

    payments: dict[str, Payment] = field(default_factory=dict)
    disputes: dict[str, str] = field(default_factory=dict)

    def payment(self, name: str) -> Payment:
        return self.payments.setdefault(name, Payment())

    @property
    def total(self) -> Payment:
        """All payments as one."""
        total = Payment()
        for payment in self.payments.values():
            total.paid_amount += payment.paid_amount
            total.refunded_amount += payment.refunded_amount
            total.owed_amount += payment.owed_amount
        return total


@dataclass
class OrderComparison:
    """One order in our records and in Stripe's."""

    number: str
    currency: str
    ours: OrderTotals = field(default_factory=OrderTotals)
    stripes: OrderTotals = field(default_factory=OrderTotals)

    @property
    def difference_amount(self) -> int:
        """What Stripe holds for this order beyond what it should by our records."""
        return self.stripes.total.kept_amount - self.ours.total.kept_amount

    @property
    def differing_amount(self) -> int:
        """The differences of its payments, none made up for by another."""
        ours, stripes, none = self.ours.payments, self.stripes.payments, Payment()
        return sum(
            abs(stripes.get(name, none).kept_amount - ours.get(name, none).kept_amount)
            for name in ours.keys() | stripes.keys()
        )

    @property
    def agrees(self) -> bool:
        return self.ours == self.stripes


@dataclass(frozen=True)
class Audit:
    """Every order of ours, and what Stripe has besides.

    An order is written down before Stripe is asked for anything. So a number that is unknown here
    is `missing` where its session carries this shop's mark, as after an old backup was restored;
    else it belongs to another shop (`strangers`). `unreadable` are the ids of listed objects
    that lack what is to be compared.
    """

    entries: list[OrderComparison]
    strangers: list[str]
    missing: list[MissingOrder] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def difference_amount(self) -> int:
        here = sum(entry.differing_amount for entry in self.entries)
        return here + sum(order.paid_amount for order in self.missing)

    @property
    def agrees(self) -> bool:
        return not self.missing and not self.unreadable and all(e.agrees for e in self.entries)


def audit(stripes: "StripeRecords | None" = None) -> Audit:
    """Compare both records; StripeError or DatabaseUnavailable if one cannot be read.

    `stripes` is filled on the way, to show progress.
    """
    stripes = stripes or StripeRecords()
    stripes.read()  # before ours: what happens in between is then in ours too
    entries = _our_entries()
    for entry in entries.values():
        entry.stripes = stripes.totals.get(entry.number, entry.stripes)
        for name, payment in entry.ours.payments.items():  # of a second one, we have no currency
            theirs = entry.stripes.payments.get(name, payment)
            payment.currency = payment.currency or theirs.currency
    missing = restored_orders.missing_orders(stripes.sessions, entries.keys(), queries.known_mark())
    strangers = stripes.totals.keys() - entries.keys() - {order.number for order in missing}
    return Audit(list(entries.values()), sorted(strangers), missing, stripes.unreadable)


def _our_entries() -> dict[str, OrderComparison]:
    with db.reading() as session:
        rows = session.exec(select(Order).order_by(col(Order.id))).all()
        refunds, disputes = session.exec(select(Refund)).all(), session.exec(select(Dispute)).all()
    entries = {order.id: OrderComparison(order.number, order.currency) for order in rows}
    for order in rows:
        if order.payment_status in PAID:
            name = order.payment_intent_id or order.checkout_session_id or ""
            entries[order.id].ours.payments[name] = Payment(order.currency, order.total_amount)
    for dispute in disputes:
        entries[dispute.order_id].ours.disputes[dispute.stripe_dispute_id] = dispute.status
    contested = {d.payment_intent_id for d in disputes if d.status not in DISPUTE_DECIDED}
    for refund in refunds:
        payment = entries[refund.order_id].ours.payment(refund.payment_intent_id)
        if refund.payment_amount:
            payment.paid_amount = refund.payment_amount
        if refund.is_unsent and refund.payment_intent_id not in contested:
            payment.owed_amount += refund.amount
        if refund.stripe_refund_id and refund.status not in REFUND_VOID:
            payment.refunded_amount += refund.amount
    return {entry.number: entry for entry in entries.values()}


@dataclass
class StripeRecords:
    """What Stripe lists: totals by order number, and the ids of unreadable objects."""

    counts: Counter[str] = field(default_factory=Counter)
    totals: dict[str, OrderTotals] = field(default_factory=dict)
    sessions: list[Document] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    number_of: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return (
            f"{self.counts['sessions']:,} Checkout Sessions, {self.counts['refunds']:,} refunds "
            f"and {self.counts['disputes']:,} disputes read at Stripe"
        )

    def read(self) -> None:
        self._each("sessions", requests.checkouts(), self._add_session)
        self._each("refunds", requests.refunds(), self._add_refund)
        self._each("disputes", requests.disputes(), self._add_dispute)

    def _each(self, name: str, listed: Iterable[Document], add: Callable[[Document], None]) -> None:
        for item in listed:
            self.counts[name] += 1
            try:
                add(item)
            except UNREADABLE:
                self.unreadable.append(str(item.get("id", "?"))[:100])

    def _add_session(self, session: Document) -> None:
        if not (number := order_number_of(session)):
            return
        self.sessions.append(session)
        totals_of_order = self.totals.setdefault(number, OrderTotals())
        payment = object_id(session["payment_intent"])
        if payment:
            self.number_of[payment] = number
        if session["payment_status"] in PAID:
            currency = _exact(str, session["currency"])
            paid = Payment(currency, _exact(int, session["amount_total"]))
            totals_of_order.payments[payment or session["id"]] = paid

    def _add_refund(self, refund: Document) -> None:
        number = self.number_of.get(object_id(refund["payment_intent"]) or "")
        if number and _exact(str, refund["status"]) not in REFUND_VOID:
            payment = self.totals[number].payment(str(object_id(refund["payment_intent"])))
            payment.refunded_amount += _exact(int, refund["amount"])

    def _add_dispute(self, dispute: Document) -> None:
        if number := self.number_of.get(object_id(dispute["payment_intent"]) or ""):
            status = _exact(str, dispute["status"])
            self.totals[number].disputes[_exact(str, dispute["id"])] = status


def _exact(kind: type[T], value: object) -> T:
    """A value of Stripe's of just this type; a missing amount is not 0."""
    if type(value) is not kind:
        raise TypeError
    return value

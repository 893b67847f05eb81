"""Both books of the rehearsed orders, read afresh: what Stripe took, and what we think it did."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlmodel import Session, col, select

from store import db, money
from store.facts import PAID, REFUND_VOID, order_number
from store.models import Order, OrderLog, Refund, StripeEvent
from store.rehearsal.stand_in import Document, StandIn

SETTLED = "payment status paid"  # what an order's history says when its payment becomes known


@dataclass
class BothBooks:
    """One order here and at Stripe; `*_amount` in minor units."""

    number: str
    status: str
    currency: str
    paid_amount: int
    refunded_amount: int
    refunds: int
    settlings: list[str]
    deliveries: int
    effects: int
    sessions: list[str] = field(default_factory=list)
    charged_amounts: list[int] = field(default_factory=list)
    given_back_amounts: list[int] = field(default_factory=list)

    @property
    def charged_twice(self) -> bool:
        return len(self.charged_amounts) > 1 or len(self.settlings) > 1

    @property
    def is_lost(self) -> bool:
        """Stripe has the buyer's money, and our book does not know."""
        return bool(self.charged_amounts) and not self.paid_amount

    @property
    def fault(self) -> str | None:
        """How the books differ, in words; None where they say the same."""
        if self.charged_twice:
            charges, settlings = len(self.charged_amounts), len(self.settlings)
            return f"charged {charges} times and settled {settlings} times"
        if self.is_lost:
            return "Stripe took the money and our book does not know"
        return self._difference("paid", self.paid_amount, self.charged_amounts) or (
            self._difference("refunded", self.refunded_amount, self.given_back_amounts)
        )

    def _difference(self, word: str, ours: int, theirs: list[int]) -> str | None:
        if ours == sum(theirs):
            return None
        told, taken = (money.text(amount, self.currency) for amount in (ours, sum(theirs)))
        return f"our book says {told} {word}, Stripe {taken}"


def both_books(stripe: StandIn, numbers: Sequence[str]) -> list[BothBooks]:
    """Both books of these orders, in their order; an order that is not here any more is left out.

    Raises:
        EmulatorSilent, DatabaseUnavailable
    """
    if not numbers:
        return []
    with db.reading() as session:
        rows = list(session.exec(select(Order).where(col(Order.number).in_(numbers))))
        ours = {row.number: _our_side(session, row) for row in rows}
    since = min((row.created_at for row in rows), default=None)
    if since:
        start = int(since.timestamp()) - 60
        for checkout in stripe.every("checkout/sessions", **{"created[gte]": start}):
            if book := ours.get(order_number(checkout) or ""):
                _add_stripes_side(stripe, book, checkout)
    return [ours[number] for number in numbers if number in ours]


def _our_side(session: Session, order: Order) -> BothBooks:
    about_it = col(OrderLog.order_id) == order.id
    history = session.exec(select(OrderLog).where(about_it)).all()
    events = session.exec(select(StripeEvent).where(StripeEvent.order_id == order.id)).all()
    refunds = session.exec(select(Refund).where(col(Refund.order_id) == order.id)).all()
    return BothBooks(
        number=order.number,
        status=order.status,
        currency=order.currency,
        paid_amount=order.total_amount if order.payment_status in PAID else 0,
        refunded_amount=order.refunded_amount,
        refunds=len(refunds),
        settlings=[row.source for row in history if SETTLED in row.detail],
        deliveries=sum(event.deliveries for event in events),
        effects=sum(event.outcome == "applied" and event.deliveries > 0 for event in events),
    )


def _add_stripes_side(stripe: StandIn, book: BothBooks, checkout: Document) -> None:
    book.sessions.append(checkout["id"])
    if not (payment := checkout["payment_intent"]):
        return
    for charge in stripe.every("charges", payment_intent=payment):
        if charge["status"] == "succeeded":
            book.charged_amounts.append(charge["amount"])
    for refund in stripe.every("refunds", payment_intent=payment):
        if refund["status"] not in REFUND_VOID:
            book.given_back_amounts.append(refund["amount"])


@dataclass(frozen=True)
class Tally:
    """The figures of many orders: the two that must stay 0 are the point of it all."""

    orders: int = 0
    charges: int = 0
    deliveries: int = 0
    ignored: int = 0
    charged_twice: int = 0
    lost: int = 0
    differing: int = 0

    @classmethod
    def of(cls, books: Sequence[BothBooks]) -> "Tally":
        return cls(
            orders=len(books),
            charges=sum(len(book.charged_amounts) for book in books),
            deliveries=sum(book.deliveries for book in books),
            ignored=sum(book.deliveries - book.effects for book in books),
            charged_twice=sum(book.charged_twice for book in books),
            lost=sum(book.is_lost for book in books),
            differing=sum(book.fault is not None for book in books),
        )

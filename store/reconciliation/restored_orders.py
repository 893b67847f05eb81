"""Restores orders that Stripe has under this shop's mark and our database has not.

They are missing after an old backup was restored. An order can be restored if its number, amount,
currency, items and email are at Stripe. Its buyer is not: the cookie is in their browser only, so
the order appears in the back office and in no buyer's list.

Each order is restored in a transaction of its own, from what was read before it; the facts of its
sessions are applied in the same one, by the same rules as any other. If the process dies before the
commit, nothing happened, and the next reconciliation starts again. Of two at once, the unique
number rejects the second, which leaves the order to the first.
"""

import hashlib
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from store.core.errors import StoreError
from store.db import bulk
from store.db import engine as db
from store.db.models import Order, OrderItem, Product
from store.orders import history, queries, transitions
from store.orders.status_rules import PAID
from store.orders.stripe_facts import Document, nested, object_id, of_session, order_number_of
from store.reconciliation.result import ReconcileResult
from store.stripe_api import requests

log = logging.getLogger(__name__)

BATCH = 500
CHARGE = ("payment_intent", "latest_charge")
IMAGE = "mark.svg"
SEEN = "brought back from Stripe"


class CannotRestore(StoreError):
    """Why an order cannot be restored from Stripe's records."""


@dataclass(frozen=True)
class MissingOrder:
    """One order that Stripe has and we have not; `amount` is None where Stripe's is not readable.

    `sessions` are the ids of its Checkout Sessions, `status` what they are together.
    """

    number: str
    status: str
    amount: int | None
    currency: str
    created_at: str
    sessions: tuple[str, ...]

    @property
    def paid_amount(self) -> int:
        return (self.amount or 0) if self.status == "paid" else 0


def missing_orders(
    sessions: Iterable[Document], known: Collection[str], mark: str | None
) -> list[MissingOrder]:
    """The orders with this shop's mark that are not among the known ones, by their numbers."""
    groups = _marked(sessions, mark)
    return [_described(number, groups[number]) for number in sorted(groups.keys() - known)]


def _marked(sessions: Iterable[Document], mark: str | None) -> dict[str, list[Document]]:
    """Sessions with this mark by order number; those that expired unpaid are nobody's loss."""
    groups: dict[str, list[Document]] = {}
    for session in sessions:
        metadata = session.get("metadata")
        if not isinstance(metadata, dict):
            continue  # nobody can tell whose it is
        marked = metadata.get(queries.MARK_NAME) == mark
        over = session.get("status") == "expired" and session.get("payment_status") not in PAID
        number = order_number_of(session)
        if mark and marked and number and not over:
            groups.setdefault(number, []).append(session)
    return groups


def _described(number: str, sessions: Sequence[Document]) -> MissingOrder:
    own = _own(sessions)
    amount, created = own.get("amount_total"), own.get("created")
    paid = own.get("payment_status") in PAID
    return MissingOrder(
        number=number,
        status="paid" if paid else str(own.get("status") or "unknown"),
        amount=amount if type(amount) is int else None,
        currency=str(own.get("currency") or ""),
        created_at=_moment(created).isoformat() if type(created) is int else "",
        sessions=tuple(str(session.get("id")) for session in sessions),
    )


def _own(sessions: Sequence[Document]) -> Document:
    """The order's own session: the first one paid whose money has not gone back, else the first."""

    def place(session: Document) -> tuple[bool, bool, int]:
        unpaid = session.get("payment_status") not in PAID
        created = session.get("created")
        went_back = bool(nested(session, *CHARGE).get("refunded"))
        return unpaid, went_back, created if type(created) is int else 0

    return min(sessions, key=place)


def restore_missing(done: ReconcileResult) -> None:
    """Restore the missing orders; `done` gets their numbers, and why others could not be restored.

    StripeError if Stripe's list cannot be read; DatabaseUnavailable.
    """
    mark = queries.known_mark()
    if mark is None:
        return
    # One odd item of a list must not end the work; the audit names it.
    readable = (s for s in requests.checkouts() if isinstance(s.get("payment_status"), str))
    groups = _marked(readable, mark)
    for number in sorted(groups.keys() - _known(groups)):
        try:
            if _restore(number, groups[number]):
                done.restored.append(number)
        except StoreError as error:
            done.lost[number] = error.for_operator
        except Exception:
            log.exception("Could not bring order %s back", number)
            done.lost[number] = "Stripe's answer about it cannot be read"


def _known(numbers: Collection[str]) -> set[str]:
    """Those of these numbers that have an order; read after Stripe's list."""
    found, listed = set[str](), list(numbers)
    for start in range(0, len(listed), BATCH):
        batch = listed[start : start + BATCH]
        with db.reading() as session:
            found |= set(session.exec(select(Order.number).where(col(Order.number).in_(batch))))
    return found


def _restore(number: str, sessions: Sequence[Document]) -> bool:
    """False where another process has just done it."""
    own = _own(sessions)
    lines = list(_lines(own))
    own_first = [own, *(other for other in sessions if other is not own)]
    facts = [fact for each in own_first if (fact := of_session(each, origin=SEEN))]
    try:
        with db.unit_of_work() as session:
            order = _order(number, own)
            session.add(order)
            session.flush()
            items = []
            for line in lines:
                product = _product(session, line, order.currency)
                items.append({"order_id": order.id, "product_id": product.id} | asdict(line))
            bulk.insert(session, OrderItem, items)
            history.log(session, order, "reconciler", history.Action.RESTORED, {"text": SEEN})
            transitions.apply_facts(session, facts, source="reconciler")
    except IntegrityError:
        if number in _known([number]):
            return False
        raise
    return True


@dataclass(frozen=True)
class Line:
    name: str
    quantity: int
    unit_amount: int


def _lines(own: Document) -> Iterator[Line]:
    """The items of a session; CannotRestore if they do not make up its amount."""
    if own.get("livemode") is not False:
        raise CannotRestore("it is a live-mode session, or does not say that it is not")
    amount, currency = own.get("amount_total"), own.get("currency")
    if type(amount) is not int or amount <= 0 or not isinstance(currency, str):
        raise CannotRestore("Stripe names no amount or no currency for it")
    sum_amount = 0
    for item in requests.line_items(own["id"]):
        line = Line(item["description"], item["quantity"], item["price"]["unit_amount"])
        if line.quantity * line.unit_amount != item["amount_total"] or not line.name:
            raise CannotRestore("one of its items has no name, or no whole price")
        sum_amount += item["amount_total"]
        yield line
    if sum_amount != amount:
        raise CannotRestore("its items do not make up its amount")


def _order(number: str, own: Document) -> Order:
    """The row as far as Stripe knows it; its buyer is a value that no cookie can have."""
    charge = nested(own, *CHARGE)
    paid_at = charge["created"] if charge and own["payment_status"] in PAID else None
    return Order(
        number=number,
        buyer_hash=f"unknown-{number}",
        currency=own["currency"],
        total_amount=own["amount_total"],
        cart_fingerprint=f"restored-{number}",
        attempt=1,
        idempotency_key=f"restored-{own['id']}",
        checkout_parameters="{}",
        checkout_session_id=own["id"],
        checkout_expires_at=_moment(own["expires_at"]),
        payment_intent_id=object_id(own["payment_intent"]),
        created_at=_moment(own["created"]),
        paid_at=_moment(paid_at) if paid_at else None,
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _product(session: Session, line: Line, currency: str) -> Product:
    """The product of this name; one that is gone is added again, and not on sale."""
    named = select(Product).where(col(Product.name) == line.name).order_by(col(Product.id))
    if product := session.exec(named).first():
        return product
    product = Product(
        slug=f"restored-{hashlib.sha256(line.name.encode()).hexdigest()[:16]}",
        name=line.name,
        description=f"Sold before; {SEEN}.",
        unit_amount=line.unit_amount,
        currency=currency,
        image=IMAGE,
        active=False,
    )
    session.add(product)
    session.flush()
    return product

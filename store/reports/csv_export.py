"""Orders as a CSV file that no spreadsheet takes for formulas."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from store.core import money, private_files
from store.db import engine as db
from store.db.models import Order
from store.reports import order_view

Items = Mapping[int, list[order_view.ItemView]]
Batch = tuple[Sequence[Order], Items]
BATCH = 500
# A sheet runs what begins with one of these as a formula; some read the wide forms alike.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
HEAD = [
    *("number", "created_at", "paid_at", "status", "items", "currency", "total", "refunded"),
    *("email", "checkout_session", "payment"),
]
MARK = "\ufeff"  # tells a spreadsheet that this is UTF-8


def write_csv(session: Session, path: Path) -> int:
    """Write every order to a CSV file, oldest first; answers how many there were.

    However many there are, a few hundred at a time are in memory; the file is there whole or not.

    Raises:
        OSError: the file cannot be written.
    """
    count = 0
    db.copy_pages(session)

    def counted() -> Iterator[Batch]:
        nonlocal count
        for rows, items in every_order(session):
            count += len(rows)
            yield rows, items

    with (
        private_files.written_whole(path) as draft,
        draft.open("w", newline="", encoding="utf-8") as file,
    ):
        file.writelines(stream(counted()))
    return count


def every_order(session: Session) -> Iterator[Batch]:
    """All orders with their items, oldest first; forgotten by the session batch by batch."""
    after = 0
    while True:
        query = select(Order).where(col(Order.id) > after).order_by(col(Order.id)).limit(BATCH)
        rows = session.exec(query.options(defer(Order.checkout_parameters))).all()  # type: ignore[arg-type]
        if not rows:
            return
        after = rows[-1].id or 0
        yield rows, order_view.items_of(session, rows)
        session.expunge_all()


def stream(batches: Iterable[Batch]) -> Iterator[str]:
    """A CSV file piece by piece, however many orders there are."""
    yield MARK + lines([HEAD])
    for rows, items in batches:
        yield sheet(rows, items)


def sheet(rows: Sequence[Order], items: Items) -> str:
    return lines(map(_cell, _row(order, items[order.id or 0])) for order in rows)


def lines(rows: Iterable[Iterable[str]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()


def _row(order: Order, items: Iterable[order_view.ItemView]) -> list[str]:
    return [
        order.number,
        order.created_at.isoformat(timespec="seconds"),
        order.paid_at.isoformat(timespec="seconds") if order.paid_at else "",
        order.status,
        ", ".join(f"{item.quantity} × {item.name}" for item in items),
        order.currency,
        str(money.major(order.total_amount, order.currency)),
        str(money.major(order.refunded_amount, order.currency)),
        order.email or "",
        order.checkout_session_id or "",
        order.payment_intent_id or "",
    ]


def _cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text

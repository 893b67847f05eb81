"""Orders as CSV, safe to open in a spreadsheet: no cell can be run as a formula."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sqlmodel import Session, col, select

from store.core import money, private_files
from store.db import engine as db
from store.db.models import Order
from store.orders import queries
from store.reports import order_view

Batch = tuple[Sequence[Order], order_view.Items]
BATCH = 500
# Spreadsheets run cells that begin with one of these as formulas, some also the wide forms.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
COLUMNS = [
    *("number", "created_at", "paid_at", "status", "items", "currency", "total", "refunded"),
    *("email", "checkout_session", "payment"),
]
BYTE_ORDER_MARK = "\ufeff"  # so that spreadsheets read UTF-8


def write_csv(session: Session, path: Path) -> int:
    """Write every order to a CSV file, oldest first; returns how many there were.

    Reads a few hundred orders at a time; the file is complete or not there at all (OSError).
    """
    count = 0
    db.copy_pages(session)
    query = select(Order).order_by(col(Order.id)).options(queries.WITHOUT_PARAMETERS)
    orders = session.exec(query, execution_options={"yield_per": BATCH})
    with (
        private_files.written_whole(path) as draft,
        draft.open("w", newline="", encoding="utf-8") as file,
    ):
        file.write(BYTE_ORDER_MARK + to_csv([COLUMNS]))
        for rows in orders.partitions():
            count += len(rows)
            file.write(csv_rows(rows, order_view.items_of(session, rows)))
    return count


def csv_stream(batches: Iterable[Batch]) -> Iterator[str]:
    yield BYTE_ORDER_MARK + to_csv([COLUMNS])
    for rows, items in batches:
        yield csv_rows(rows, items)


def csv_rows(rows: Sequence[Order], items: order_view.Items) -> str:
    return to_csv(map(_cell, _row(order, items[order.id or 0])) for order in rows)


def to_csv(rows: Iterable[Iterable[str]]) -> str:
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
        str(money.to_major_units(order.total_amount, order.currency)),
        str(money.to_major_units(order.refunded_amount, order.currency)),
        order.email or "",
        order.checkout_session_id or "",
        order.payment_intent_id or "",
    ]


def _cell(text: str) -> str:
    """Quote what a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text

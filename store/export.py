"""Orders as a CSV file that no spreadsheet takes for formulas."""

import csv
from collections.abc import Iterable
from pathlib import Path

from sqlmodel import Session, col, select

from store import money, views
from store.models import Order

# A sheet runs what begins with one of these as a formula.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(session: Session, path: Path) -> int:
    """Write every order to a CSV file, oldest first; answers how many there were.

    Raises:
        OSError: the file cannot be written.
    """
    every = session.exec(select(Order).order_by(col(Order.id))).all()
    items = views.items_of(session, every)
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        sheet = csv.writer(file)
        sheet.writerow(
            ["number", "created_at", "paid_at", "status", "items", "currency", "total", "refunded"]
        )
        for order in every:
            sheet.writerow(map(_cell, _row(order, items[order.id or 0])))
    return len(every)


def _row(order: Order, items: Iterable[views.ItemView]) -> list[str]:
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

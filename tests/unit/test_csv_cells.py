"""A row of the CSV file, and cells that no spreadsheet takes for a formula."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest

from store.db.models import Order
from store.reports import csv_export
from store.reports.order_view import ItemView

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def a_row(**changes: Any) -> dict[str, str]:
    """The row of a paid order, by the names of its columns."""
    values: dict[str, Any] = {
        "id": 1,
        "number": "TEST-TEST-TEST-TEST",
        "status": "paid",
        "currency": "usd",
        "total_amount": 3998,
        "refunded_amount": 0,
        "created_at": NOON,
        "paid_at": NOON,
        "email": "ada@example.com",
    }
    order = Order(**values | changes)
    text = csv_export.csv_rows([order], {1: [ItemView("red-t-shirt", "Red T-Shirt", 2, 1999)]})
    (cells,) = csv.reader(io.StringIO(text))
    return dict(zip(csv_export.COLUMNS, cells, strict=True))


def test_an_order_is_one_row() -> None:
    row = a_row()

    assert (row["items"], row["currency"]) == ("2 × Red T-Shirt", "usd")
    assert (row["total"], row["refunded"]) == ("39.98", "0.00")
    assert row["created_at"] == row["paid_at"] == "2026-11-30T12:00:00+00:00"


@pytest.mark.parametrize(
    ("currency", "total"), [("usd", "39.98"), ("jpy", "3998"), ("kwd", "3.998"), ("isk", "39.98")]
)
def test_amounts_have_the_digits_of_their_currency(currency: str, total: str) -> None:
    assert a_row(currency=currency)["total"] == total


def test_what_is_not_known_is_empty() -> None:
    row = a_row(paid_at=None, email=None)

    assert (row["paid_at"], row["email"], row["payment"]) == ("", "", "")


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"])
def test_a_cell_that_begins_like_a_formula_is_quoted(sign: str) -> None:
    assert a_row(email=f"{sign}cmd@example.com")["email"] == f"'{sign}cmd@example.com"


@pytest.mark.parametrize("email", ['a"b@example.com', "a,b@example.com", "a\nb@example.com"])
def test_a_cell_with_signs_of_csv_is_one_cell(email: str) -> None:
    assert a_row(email=email)["email"] == email

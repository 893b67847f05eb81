"""Rows of orders that a test writes directly."""

from sqlmodel import col, select

from store.db import engine as db
from store.db.models import Order


def change(number: str, /, **columns: object) -> None:
    with db.unit_of_work() as session:
        order = session.exec(select(Order).where(col(Order.number) == number)).one()
        for name, value in columns.items():
            setattr(order, name, value)

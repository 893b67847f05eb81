"""Finding an order of a buyer, and new order numbers."""

import secrets

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from store.core.errors import OrderNotFound
from store.db.models import Order

# No vowels and no look-alikes: 16 characters are 78 bits, never a word, easy to read aloud.
ALPHABET = "23456789BCDFGHJKLMNPQRSTVWXYZ"
NUMBER_LENGTH = 16

# Built once at import: constructing this SELECT costs as much as running it.
OF_BUYER = select(Order).where(
    col(Order.number) == bindparam("number"), col(Order.buyer_hash) == bindparam("buyer")
)


def new_number() -> str:
    """A random order number that cannot be guessed, in groups of four characters."""
    characters = "".join(secrets.choice(ALPHABET) for _ in range(NUMBER_LENGTH))
    return "-".join(characters[start : start + 4] for start in range(0, NUMBER_LENGTH, 4))


def order_of_buyer(session: Session, buyer: str, order_number: str) -> Order:
    """The buyer's order of this number.

    Raises:
        OrderNotFound: there is none, or it is another buyer's; the error is the same.
    """
    if not order_number.isprintable():  # PostgreSQL rejects NUL in a parameter
        raise OrderNotFound
    order = session.exec(OF_BUYER, params={"number": order_number, "buyer": buyer}).first()
    if order is None:
        raise OrderNotFound
    return order


def current(session: Session, order: Order) -> Order:
    """The order's row as it is now in this transaction, its uncommitted changes included.

    Raises:
        OrderNotFound: it was deleted since `order` was read.
    """
    row = session.get(Order, order.id, populate_existing=True)
    if row is None:
        raise OrderNotFound
    return row

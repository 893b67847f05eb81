"""Finding an order of a buyer or a payment; new order numbers; the shop's mark.

The mark in the metadata of this shop's Checkout Sessions tells them from other shops'. It is stored
in the database only: a backup that is restored later has the same mark, so sessions created since
the backup are recognised as this shop's. Another database is another shop.
"""

import secrets

from sqlalchemy import bindparam
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from store.core.errors import OrderNotFound
from store.db import engine as db
from store.db.models import Order, ShopMark

# No vowels and no look-alikes: 16 characters are 78 bits, never a word, easy to read aloud.
ALPHABET = "23456789BCDFGHJKLMNPQRSTVWXYZ"
NUMBER_LENGTH = 16
MARK_NAME = "shop"  # the mark's key in the metadata

# Built once at import: constructing a SELECT costs as much as running it.
OF_BUYER = select(Order).where(
    col(Order.number) == bindparam("number"), col(Order.buyer_hash) == bindparam("buyer")
)
OF_PAYMENT = select(Order.number).where(col(Order.payment_intent_id) == bindparam("payment"))
# An option for reports: these are a large part of a row, and only Stripe reads them.
WITHOUT_PARAMETERS = defer(Order.checkout_parameters)  # type: ignore[arg-type]
SHOP_MARK = select(ShopMark.mark).where(col(ShopMark.id) == 1)


def new_number() -> str:
    """A random order number that cannot be guessed, in groups of four characters."""
    characters = "".join(secrets.choice(ALPHABET) for _ in range(NUMBER_LENGTH))
    return "-".join(characters[start : start + 4] for start in range(0, NUMBER_LENGTH, 4))


def order_of_buyer(session: Session, buyer: str, order_number: str) -> Order:
    """The buyer's order of this number; OrderNotFound if there is none, or it is another's."""
    if not order_number.isprintable():  # PostgreSQL rejects NUL in a parameter
        raise OrderNotFound
    order = session.exec(OF_BUYER, params={"number": order_number, "buyer": buyer}).first()
    if order is None:
        raise OrderNotFound
    return order


def number_of_payment(payment_intent_id: str) -> str | None:
    """The number of the order whose own payment this is; None if it is not recorded here."""
    with db.reading() as session:
        return session.exec(OF_PAYMENT, params={"payment": payment_intent_id}).first()


def current(session: Session, order: Order) -> Order:
    """The order's row as this transaction sees it now; OrderNotFound if it was deleted."""
    row = session.get(Order, order.id, populate_existing=True)
    if row is None:
        raise OrderNotFound
    return row


def shop_mark(session: Session) -> str:
    """The shop's mark, created on first use; call it in a transaction that writes.

    If the process dies before the commit, nothing was marked. Of two at once, the primary key
    rejects the second, whose transaction is to be repeated.
    """
    if mark := session.exec(SHOP_MARK).first():
        return mark
    made = ShopMark(mark=f"shop_{secrets.token_hex(8)}")
    session.add(made)
    session.flush()
    return made.mark


def known_mark() -> str | None:
    """The shop's mark; None if this shop has not created a session yet."""
    with db.reading() as session:
        return session.exec(SHOP_MARK).first()

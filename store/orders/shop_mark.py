"""The mark in the metadata of this shop's Checkout Sessions, which tells them from other shops'.

It is stored in the database only: a backup that is restored later has the same mark, so sessions
created since the backup are recognised as this shop's. Another database is another shop.
"""

import secrets

from sqlmodel import Session, col, select

from store.db import engine as db
from store.db.models import ShopMark

NAME = "shop"  # its key in the metadata
MARK = select(ShopMark.mark).where(col(ShopMark.id) == 1)


def of_database(session: Session) -> str:
    """The mark, created on first use; call it in a transaction that writes.

    If the process dies before the commit, nothing was marked. Of two at once, the primary key
    rejects the second, whose transaction is to be repeated.
    """
    if mark := session.exec(MARK).first():
        return mark
    made = ShopMark(mark=f"shop_{secrets.token_hex(8)}")
    session.add(made)
    session.flush()
    return made.mark


def known() -> str | None:
    """The mark; None if this shop has not created a session yet."""
    with db.reading() as session:
        return session.exec(MARK).first()

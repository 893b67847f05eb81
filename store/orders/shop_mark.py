"""The mark that this shop puts on its sessions at Stripe, to know its own among other shops'.

It is kept in the database and nowhere else: a copy that is restored later has the same mark, so the
sessions that were made since are known as this shop's. Another database is another shop.
"""

import secrets

from sqlmodel import Session, col, select

from store.db import engine as db
from store.db.models import ShopMark

NAME = "shop"  # its name in the metadata at Stripe
MARK = select(ShopMark.mark).where(col(ShopMark.id) == 1)


def of_database(session: Session) -> str:
    """The mark, made on first use; call it in a transaction that writes.

    Dead before the commit: nothing was marked. Two at once: the primary key refuses the second,
    whose transaction is to be repeated.
    """
    if mark := session.exec(MARK).first():
        return mark
    made = ShopMark(mark=f"shop_{secrets.token_hex(8)}")
    session.add(made)
    session.flush()
    return made.mark


def known() -> str | None:
    """The mark, or None where this shop has not marked anything yet."""
    with db.reading() as session:
        return session.exec(MARK).first()

"""Whose turn it is: of all processes on one database, one at a time catches up with Stripe.

Nothing depends on it but Stripe's patience: two at once would only repeat known facts. What is
done is kept in the database, so that the next turn goes on from there.

A turn is a lease: a row with its holder and the moment until which it is held, renewed while the
work goes on. An advisory lock would stay with a session of a connection pooler. Should the process
die on any line, the lease ends by itself: at once where another process on the same machine sees
that its holder is gone, else `LEASE` after it was last renewed. The row is locked while it is read
and taken, so of two that come at once one gets it. A clock that was set back frees a lease early.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from store.core import clock
from store.core.errors import DatabaseUnavailable
from store.db import engine as db
from store.db.models import Turn

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
RENEW_SECONDS = 15.0
AT_WORK: set[str] = set()
"""The holders in this process that have not ended. One with our number that is not here was an
earlier process, as in a container that was started again."""


@dataclass(frozen=True)
class Mine:
    """A turn that this process has; `done_until` is what earlier turns came to, if any."""

    began_at: datetime
    done_until: datetime | None


@contextmanager
def turn(name: str, *, every: timedelta) -> Iterator[Mine | None]:
    """This process's turn, or None where another one has it or had it within that time.

    Only a block that ends without an exception counts as done.

    Raises:
        DatabaseUnavailable
    """
    holder = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
    AT_WORK.add(holder)
    try:
        with _lease(name, holder, every) as mine:
            yield mine
    finally:
        AT_WORK.discard(holder)


@contextmanager
def _lease(name: str, holder: str, every: timedelta) -> Iterator[Mine | None]:
    mine = _take(name, holder, every)
    if mine is None:
        yield None
        return
    over = threading.Event()
    renewal = threading.Thread(target=_renew, args=(name, holder, over), daemon=True)
    renewal.start()
    done_until = mine.done_until
    try:
        yield mine
        done_until = mine.began_at
    finally:
        over.set()
        renewal.join()
        _set(name, holder, done_until=done_until, holder=None, held_until=None)


def _take(name: str, holder: str, every: timedelta) -> Mine | None:
    try:
        with db.unit_of_work() as session:
            return _try(session, name, holder, every)
    except IntegrityError:  # two that found no row yet; the other one has it
        return None


def _try(session: Session, name: str, holder: str, every: timedelta) -> Mine | None:
    began_at = clock.now()
    last = session.exec(select(Turn).where(col(Turn.name) == name).with_for_update()).first()
    if last is None:
        last = Turn(name=name, began_at=began_at)
        session.add(last)
    elif _is_held(last, began_at) or last.began_at <= began_at < last.began_at + every:
        return None
    last.began_at, last.holder, last.held_until = began_at, holder, began_at + LEASE
    return Mine(began_at, last.done_until)


def held(session: Session, name: str) -> Turn | None:
    """The lease of this name while a process holds it."""
    last = session.get(Turn, name)
    return last if last and _is_held(last, clock.now()) else None


def _is_held(last: Turn, now: datetime) -> bool:
    """False once it has run out, or where its holder is known to have ended."""
    if last.holder is None or last.held_until is None:
        return False
    return now < last.held_until <= now + LEASE and not _has_ended(last.holder)


def _has_ended(holder: str) -> bool:
    """True for a process of this machine that is no more; False of all that cannot be known."""
    machine, _, number = holder.rpartition(" ")[0].rpartition(" ")
    if os.name == "nt" or machine != socket.gethostname() or not number.isdecimal():
        return False
    if int(number) == os.getpid():
        return holder not in AT_WORK
    try:
        os.kill(int(number), 0)  # signal 0 only asks
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _renew(name: str, holder: str, over: threading.Event) -> None:
    """Until the work is over. A renewal that fails is tried again; meanwhile the lease runs out."""
    while not over.wait(RENEW_SECONDS):
        try:
            _set(name, holder, held_until=clock.now() + LEASE)
        except DatabaseUnavailable as error:
            log.warning("The lease of %s could not be renewed: %s", name, error.for_operator)


def _set(name: str, holder: str, /, **values: Any) -> None:
    """Change the row while it is this holder's; once the lease is another's, nothing happens."""
    mine = (col(Turn.name) == name, col(Turn.holder) == holder)
    with db.unit_of_work() as session:
        session.connection().execute(update(Turn).where(*mine).values(**values))

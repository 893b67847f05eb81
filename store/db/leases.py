"""Leases: of all processes on one database, one at a time holds the lease of a name.

The reconciler's lease saves calls to Stripe; correctness does not depend on it, because facts
applied twice change nothing. `processed_until` is stored with it, so that the next holder continues
there.

A lease is a row with its holder and an expiry time, renewed while the work runs; behind a
connection pooler, an advisory lock would belong to a shared connection. It is free at once where a
process on the same machine sees that its holder ended, else `LEASE_DURATION` after the last
renewal. A clock that was set back frees it early. The row is locked while it is read and taken.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select, update

from store.core import clock
from store.core.errors import DatabaseUnavailable
from store.db import engine as db
from store.db.models import Lease

log = logging.getLogger(__name__)

LEASE_DURATION = timedelta(seconds=60)
RENEW_SECONDS = 15.0
ACTIVE_HOLDERS: set[str] = set()
"""The holders in this process. A holder with our process id that is missing here was an earlier
process with the same id, as in a restarted container."""


class HeldLease(NamedTuple):
    """A lease that this process holds; `processed_until` is None before the first completed run."""

    acquired_at: datetime
    processed_until: datetime | None


@contextmanager
def lease(name: str, *, every: timedelta) -> Iterator[HeldLease | None]:
    """Hold this lease; yields None if it is held, or any process took it within `every`.

    `processed_until` moves on only if the block ends without an exception.
    """
    holder = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
    ACTIVE_HOLDERS.add(holder)
    try:
        held_lease = _acquire(name, holder, every)
        if held_lease is None:
            yield None
            return
        processed_until = held_lease.processed_until
        try:
            with _renewed(name, holder):
                yield held_lease
            processed_until = held_lease.acquired_at
        finally:
            _update(name, holder, processed_until=processed_until, holder=None, held_until=None)
    finally:
        ACTIVE_HOLDERS.discard(holder)


def _acquire(name: str, holder: str, every: timedelta) -> HeldLease | None:
    try:
        with db.unit_of_work() as session:
            query = select(Lease).where(col(Lease.name) == name).with_for_update()
            row = session.exec(query).first()
            # Read after the row is locked: an earlier time could lie before `acquired_at`, as if
            # the clock had been set back, and the lease would be taken from its holder.
            now = clock.now()
            if row is None:
                row = Lease(name=name, acquired_at=now)
                session.add(row)
            elif _is_held(row, now) or row.acquired_at <= now < row.acquired_at + every:
                return None
            row.acquired_at, row.holder, row.held_until = now, holder, now + LEASE_DURATION
            return HeldLease(now, row.processed_until)
    except IntegrityError:  # another process inserted the first row of this name
        return None


def held(session: Session, name: str) -> Lease | None:
    """The lease of this name while a process holds it."""
    row = session.get(Lease, name)
    return row if row and _is_held(row, clock.now()) else None


def _is_held(row: Lease, now: datetime) -> bool:
    """False once it has expired, or where its holder is known to have ended."""
    if row.holder is None or row.held_until is None:
        return False
    return now < row.held_until <= now + LEASE_DURATION and not _has_ended(row.holder)


def _has_ended(holder: str) -> bool:
    """True for a process of this machine that ended; False where that cannot be known."""
    machine, _, process_id = holder.rpartition(" ")[0].rpartition(" ")
    if os.name == "nt" or machine != socket.gethostname() or not process_id.isdecimal():
        return False
    if int(process_id) == os.getpid():
        return holder not in ACTIVE_HOLDERS
    try:
        os.kill(int(process_id), 0)  # signal 0 only checks
    except (OSError, OverflowError) as error:
        return isinstance(error, ProcessLookupError)
    return False


@contextmanager
def _renewed(name: str, holder: str) -> Iterator[None]:
    """Renew during the block. A renewal that fails is tried again after a pause."""
    finished = threading.Event()

    def renew() -> None:
        while not finished.wait(RENEW_SECONDS):
            try:
                _update(name, holder, held_until=clock.now() + LEASE_DURATION)
            except DatabaseUnavailable as error:
                log.warning("The lease of %s could not be renewed: %s", name, error.for_operator)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def _update(name: str, holder: str, /, **values: Any) -> None:
    """Change the row while this holder has it; does nothing once the lease is another's."""
    own = (col(Lease.name) == name, col(Lease.holder) == holder)
    with db.unit_of_work() as session:
        session.connection().execute(update(Lease).where(*own).values(**values))

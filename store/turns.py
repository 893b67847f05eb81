"""Whose turn it is: of all processes on one database, one at a time catches up with Stripe.

Nothing depends on it but Stripe's patience: two at once would only repeat known facts. What is
done is kept in the database, so that whoever has the next turn goes on from there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from store import clock, db
from store.models import Turn


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
    with db.alone(db.TURN_LOCK) as free:
        mine = _take(name, every) if free else None
        yield mine
        if mine:
            with db.unit_of_work() as session:
                session.get_one(Turn, name).done_until = mine.began_at


def _take(name: str, every: timedelta) -> Mine | None:
    began_at = clock.now()
    with db.unit_of_work() as session:
        last = session.get(Turn, name)
        if last is None:
            session.add(Turn(name=name, began_at=began_at))
            return Mine(began_at, None)
        if last.began_at <= began_at < last.began_at + every:
            return None
        last.began_at = began_at
        return Mine(began_at, last.done_until)

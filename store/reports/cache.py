"""What pages showed last, kept in this process for as long as nothing new has been said.

One short question tells the version of an order, or of all that a buyer ordered: whatever changes
an order leaves a line in its history, each delivery is counted, and each look is a row. It is
asked before the rest is read, so what is kept is never older than its version says, and a page
that looks again after a change finds another version.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import text
from sqlmodel import Session

from store.core import settings
from store.core.errors import OrderNotFound
from store.orders import service
from store.reports import charge_summary, my_orders, order_detail

Thing = TypeVar("Thing")
MOST = 1000

OF_ORDER = text(
    """
    SELECT (SELECT count(*) FROM order_log WHERE order_id = orders.id) AS lines,
      (SELECT sum(id) FROM order_log WHERE order_id = orders.id) AS which,
      (SELECT count(*) FROM stripe_events WHERE order_id = orders.id) AS events,
      (SELECT sum(deliveries) FROM stripe_events WHERE order_id = orders.id) AS deliveries,
      (SELECT sum(times) FROM order_checks WHERE order_id = orders.id) AS looks
    FROM orders WHERE number = :number AND buyer_hash = :buyer
    """
)


class Kept:
    """The last thing of each kind with its version; the one used longest ago goes first."""

    def __init__(self) -> None:
        self.things: OrderedDict[Any, tuple[Any, Any]] = OrderedDict()
        self.lock = threading.Lock()

    def get(self, key: Any, version: Any, read: Callable[[], Thing]) -> Thing:
        with self.lock:
            known = self.things.get(key)
            if known and known[0] == version:
                self.things.move_to_end(key)
                found: Thing = known[1]
                return found
        made = read()
        with self.lock:
            self.things[key] = (version, made)
            self.things.move_to_end(key)
            while len(self.things) > MOST:
                self.things.popitem(last=False)
        return made


KEPT = Kept()


def shelf(session: Session, buyer: str) -> my_orders.Shelf:
    """The newest of what this buyer ordered, and the figures of it all."""
    counted = charge_summary.counted(session, buyer)
    return KEPT.get(
        (settings.current().database, buyer),
        counted,
        lambda: my_orders.of_buyer(session, buyer, counted),
    )


def story(session: Session, buyer: str, number: str) -> order_detail.Story:
    """One order with everything that proves how often it was charged.

    Raises:
        OrderNotFound: there is none of this number, or it is a stranger's.
    """
    if not number.isprintable():  # PostgreSQL refuses to be asked about NUL
        raise OrderNotFound
    version = session.connection().execute(OF_ORDER, {"buyer": buyer, "number": number}).first()
    if version is None:
        raise OrderNotFound
    return KEPT.get(
        (settings.current().database, buyer, number),
        tuple(version),
        lambda: order_detail.story_of(session, service.owned(session, buyer, number)),
    )

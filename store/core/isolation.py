"""Process many items so that one that fails does not hold up the others.

An error of an item (refused by Stripe, malformed, locked, or our own bug) is logged with the
item's id, counted, and the item is skipped. Processing ends early only if no item can succeed:
Stripe does not accept the key, or several items failed in a row and the probe fails too.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from store.core.errors import StoreError, StripeError, StripeKeyRefused

log = logging.getLogger(__name__)

FAILURES_IN_A_ROW = 3

Subject = Literal["order", "event", "refund", "object"]


class Item(NamedTuple):
    """One thing to do, and the order number, event id or other id to log it under."""

    subject: Subject
    name: str
    act: Callable[[], object]


class Failure(NamedTuple):
    item: Item
    error: Exception


def process_each(items: Iterable[Item], probe: Callable[[], object]) -> list[Failure]:
    """Process every item; returns those that failed, in their order.

    Raises:
        StoreError: no item can succeed now: the probe's error, or StripeKeyRefused. The items
            after it were not processed.
    """
    failures, in_a_row = list[Failure](), 0
    for item in items:
        try:
            item.act()
        except StripeKeyRefused:
            raise
        except Exception as error:  # noqa: BLE001 - any error is this item's own
            log_failure(item, error)
            failures.append(Failure(item, error))
            in_a_row += 1
            if in_a_row == FAILURES_IN_A_ROW:
                probe()
                in_a_row = 0
        else:
            in_a_row = 0
    return failures


def log_failure(item: Item, error: Exception) -> None:
    """Log an item's error with the ids by which it can be found."""
    request_id = error.request_id if isinstance(error, StripeError) else None
    id_field = {"event": "event_id", "order": "order_number"}.get(item.subject, "object_id")
    ids = {id_field: item.name, "request_id": request_id}
    suffix = f" (Stripe request {request_id})" if request_id else ""
    message = "The %s %s was skipped and is tried again later: %s%s"
    if isinstance(error, StoreError):
        log.warning(message, item.subject, item.name, error.for_operator, suffix, extra=ids)
    else:
        kind = type(error).__name__
        log.warning(message, item.subject, item.name, kind, suffix, extra=ids, exc_info=error)

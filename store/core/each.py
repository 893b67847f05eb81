"""Work on many items that do not hold up one another.

Whatever an item meets stays its own: a refusal of Stripe's, a malformed answer, a database row
that somebody else holds, a mistake of ours. It is logged with what names the item, counted, and
skipped. The rest is left alone early only where nothing can be done for any item: Stripe does not
accept the key, or several items have failed in a row and the probe fails as well.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import orjson

from store.core.errors import StoreError, StripeError, StripeKeyRefused

log = logging.getLogger(__name__)

FAILURES_IN_A_ROW = 3

Subject = Literal["order", "event", "refund", "object"]


class Item(NamedTuple):
    """One thing to do, and the order number, event id or other id that names it."""

    subject: Subject
    name: str
    act: Callable[[], object]


class Failure(NamedTuple):
    item: Item
    error: Exception


def each(items: Iterable[Item], probe: Callable[[], object]) -> list[Failure]:
    """Do every item; answers those that failed, in their order.

    Raises:
        StoreError: nothing can be done for any item now: what the probe raised, or that Stripe
            does not accept the key. Items that were not reached are as they were.
    """
    failures, in_a_row = list[Failure](), 0
    for item in items:
        try:
            item.act()
        except StripeKeyRefused:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this item's
            report(item, error)
            failures.append(Failure(item, error))
            in_a_row += 1
            if in_a_row == FAILURES_IN_A_ROW:
                probe()
                in_a_row = 0
        else:
            in_a_row = 0
    return failures


def report(item: Item, error: Exception) -> None:
    """Log what an item met, with the ids under which it can be looked for."""
    call = error.call if isinstance(error, StripeError) else ""
    request_id = orjson.loads(call).get("request_id") if call else None
    named = {"event": "event_id", "order": "order_number"}.get(item.subject, "object_id")
    ids = {named: item.name, "request_id": request_id}
    asked = f" (Stripe request {request_id})" if request_id else ""
    words = "The %s %s was skipped and is tried again later: %s%s"
    if isinstance(error, StoreError):
        log.warning(words, item.subject, item.name, error.for_operator, asked, extra=ids)
    else:
        what = type(error).__name__
        log.warning(words, item.subject, item.name, what, asked, extra=ids, exc_info=error)

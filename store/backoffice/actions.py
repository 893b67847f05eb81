"""What an operator can do; every answer is the sentence that they read afterwards.

Nothing here trusts a page: amounts, keys and numbers are read as strictly as a stranger's.
"""

import logging
import re
from collections.abc import Callable

from sqlmodel import Session, col, select

from store import (
    arrivals,
    assortment,
    attempts,
    db,
    events,
    gateway,
    listing,
    money,
    orders,
    refunds,
    views,
)
from store.errors import DatabaseUnavailable, OrderNotFound, StoreError, StripeError, StripeRefused
from store.models import Order, Refund, StripeEvent

log = logging.getLogger(__name__)

KEY = re.compile(r"[0-9a-f]{32}")
MAX_NOTE_LENGTH = 500
REFETCHED = {
    "applied": "It has had its effect now.",
    "known": "It says nothing that was not known.",
    "duplicate": "It had its effect before, so nothing was changed.",
    "orphan": "Its order is still not known here.",
    "ignored": "It is of no interest to this shop.",
    "review": "It is not what Stripe documents, or Stripe does not confirm it.",
    "livemode": "It is a live-mode event; this test shop does not touch it.",
}


class IncompleteForm(StoreError):
    sentence = "This form was not complete. Reload the page, then try again."


class InvalidAmount(StoreError):
    """The amount cannot be read; the sentence says how to write it."""


def find_order(session: Session, number: str) -> Order:
    order = session.exec(select(Order).where(col(Order.number) == listing.tidy(number))).first()
    if order is None:
        raise OrderNotFound
    return order


def log_action(number: str, action: str, detail: str) -> None:
    """Put what an operator did into the order's history."""
    with db.unit_of_work() as session:
        order = orders.lock(session, [number]).order(number)
        orders.log(session, order, "operator", action, detail)


def refund(by: str, number: str, amount: str, *, key: str, shown_left: str) -> str:
    """Give money back, once per form however often the form is sent.

    Raises:
        NothingToRefund, RefundChanged, AmountUnclear, FormBroken, StripeError
    """
    with db.reading() as session:
        order = find_order(session, number)
    if not KEY.fullmatch(key) or not shown_left.isdecimal():
        raise IncompleteForm
    try:
        wanted = money.exact(amount.strip(), order.currency)
    except ValueError as error:
        raise InvalidAmount(str(error)) from None
    row = refunds.request(
        order.number, wanted, key=f"office-{key}", shown_left=int(shown_left[:12]), by=by
    )
    return _sent(number, row, lambda: refunds.send(row, source="operator"))


def retry_refund(by: str, number: str, refund_id: str) -> str:
    """Ask Stripe once more for a refund that it has not taken on, without waiting for its pause.

    Raises:
        OrderNotFound, NothingToRefund, FormBroken
    """
    row = _row(refund_id)
    return _sent(number, row, lambda: refunds.try_now(number, row, by))


def call_off_refund(by: str, number: str, refund_id: str) -> str:
    """Give up a refund that Stripe has not taken on, so that its amount is free again.

    Raises:
        OrderNotFound, NothingToRefund, FormBroken, StripeError
    """
    refunds.call_off(number, _row(refund_id), by)
    return "This refund is called off. What it was to give back can be refunded otherwise."


def _row(refund_id: str) -> int:
    if not (refund_id.isascii() and refund_id.isdecimal() and len(refund_id) < 12):
        raise IncompleteForm
    return int(refund_id)


def _sent(number: str, row: int, act: Callable[[], None]) -> str:
    """Send a refund, and say what came of it."""
    try:
        act()
    except StripeRefused:
        pass  # the row says why
    except (StripeError, DatabaseUnavailable):
        return (
            "Stripe has not answered yet. The refund is written down and is sent again by itself; "
            "it will not happen twice."
        )
    with db.reading() as session:
        order, made = find_order(session, number), session.get(Refund, row)
    if made is None:
        raise OrderNotFound
    amount = money.text(made.amount, order.currency)
    if made.is_unsent:
        return f"{made.refusal}. The shop still owes {amount} and asks again by itself."
    if made.status == "failed":
        return "Stripe refused this refund. The money stays where it is."
    return f"Refunded {amount} of order {number}: {made.status}."


def refresh_order(by: str, number: str) -> str:
    """Ask Stripe how an order stands, and record the answer."""
    with db.reading() as session:
        order = find_order(session, number)
    before = order.status
    log_action(order.number, "asked Stripe", f"by {by}")
    after = attempts.look_up(order, source="operator").status
    word = views.STATUS_BADGES[after].word.lower()
    return (
        f"Stripe was asked: the order is {word}, as before."
        if after == before
        else (f"Stripe was asked: the order is now {word}.")
    )


def cancel(by: str, number: str) -> str:
    """Make an order unpayable, at Stripe first."""
    with db.reading() as session:
        order = find_order(session, number)
    after = attempts.retire(order, f"by {by}", "operator")
    return f"Order {number} is {views.STATUS_BADGES[after.status].word.lower()}."


def add_note(by: str, number: str, words: str) -> str:
    """Add a remark to an order's history, where buyers can read it too."""
    remark = listing.tidy(words)[:MAX_NOTE_LENGTH]
    if not remark:
        raise IncompleteForm("Write the note first.")
    with db.reading() as session:
        order = find_order(session, number)
    log_action(order.number, "note", f"{remark} · by {by}")
    return "The note is in the order's history."


def refetch_event(by: str, event_id: str) -> str:
    """Fetch an event from Stripe and let it through the same door as its webhook."""
    with db.reading() as session:
        known = session.get(StripeEvent, listing.tidy(event_id))
    if known is None:
        raise IncompleteForm("There is no such event here.")
    arrival = arrivals.read(gateway.event(known.id))
    (outcome,) = events.take_in([arrival], source="operator")
    if isinstance(outcome, StripeError):
        raise outcome
    with db.unit_of_work() as session:
        if outcome == "applied" and arrival.fact:
            number = arrival.fact.order_number
            order = orders.lock(session, [number]).order(number)
            orders.log(session, order, "operator", "looked again", f"{known.id} · by {by}")
    return f"{known.id}: {REFETCHED[outcome]}"


def save_product(by: str, slug: str, form: assortment.Form) -> str:
    """Change a product, or add one where `slug` is empty; placed orders keep theirs."""
    with db.unit_of_work() as session:
        if not slug:
            product = assortment.add(session, form)
            log.info("%s added the product %s.", by, product.slug)
            return f"{product.name} is in the shop."
        told = assortment.change(session, slug, form)
    log.info("%s changed the product %s: %s", by, slug, "; ".join(told) or "nothing")
    return f"Saved: {'; '.join(told)}." if told else "Nothing was different."

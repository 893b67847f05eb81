"""The actions of operators; each returns the sentence that the page shows afterwards.

Amounts, keys and numbers are validated here, as input from the internet is.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import replace

from store.catalog import images, product_editor
from store.catalog.product_editor import ProductForm, Values
from store.core import errors, money
from store.db import engine as db
from store.db.models import Refund, StripeEvent
from store.orders import batch, checkout_session, history, refunds
from store.reports import order_view, search
from store.reports.event_search import OUTCOMES
from store.stripe_api import requests
from store.webhooks import parsing, processing

log = logging.getLogger(__name__)

KEY = re.compile(r"[0-9a-f]{32}")
MAX_NOTE_LENGTH = 500
PROCESSED_BEFORE = "It was processed before, so nothing has changed."


class IncompleteForm(errors.StoreError):
    sentence = "This form was not complete. Reload the page, then try again."


class InvalidAmount(errors.StoreError):
    """The amount cannot be read; the sentence says how to write it."""


def log_action(number: str, action: history.Action, *changes: history.Change) -> None:
    with db.unit_of_work() as session:
        order = batch.lock_orders(session, [number]).order(number)
        history.log(session, order, "operator", action, *changes)


def refund_amount(written: str, currency: str, shown_left: int, language: str | None = None) -> int:
    """Read an amount as written in `language`. Raises InvalidAmount, also above what is left."""
    try:
        amount = money.parse_amount(written, currency, language)
    except ValueError as error:
        raise InvalidAmount(str(error)) from None
    if amount <= 0:
        raise InvalidAmount("Write an amount above 0.")
    if amount > shown_left:
        left = money.text(shown_left, currency, language)
        raise InvalidAmount(f"That is more than the {left} that can be refunded.")
    return amount


def refund(
    operator: str, number: str, amount: int, *, key: str, shown_left: int, reason: str = ""
) -> str:
    """Refund an amount, once per key even if it is requested several times.

    Raises NothingToRefund, RefundChanged, IncompleteForm or StripeError.
    """
    if not KEY.fullmatch(key):
        raise IncompleteForm
    created = refunds.create_refund(
        search.clean_query(number),
        amount,
        key=f"office-{key}",
        displayed_remaining=shown_left,
        operator=operator,
        reason=search.clean_query(reason),
    )
    return _sent(number, created.id, lambda: refunds.submit_refund(created, source="operator"))


def retry_refund(operator: str, number: str, refund_id: int) -> str:
    """Submit a refund again that Stripe has not accepted, without waiting for its next try.

    Raises OrderNotFound, NothingToRefund or IncompleteForm.
    """
    return _sent(number, refund_id, lambda: refunds.retry_refund(number, refund_id, operator))


def call_off_refund(operator: str, number: str, refund_id: int) -> str:
    """Cancel a refund that Stripe has not accepted, so that its amount can be refunded again.

    Raises OrderNotFound, NothingToRefund, IncompleteForm or StripeError.
    """
    refunds.cancel_refund(number, refund_id, operator)
    return "This refund is called off. What it was to give back can be refunded otherwise."


def _sent(number: str, refund_id: int | None, act: Callable[[], None]) -> str:
    """Submit a refund by `act`; returns the sentence about its state."""
    try:
        act()
    except errors.StripeRefused:
        pass  # the row says why
    except (errors.StripeError, errors.DatabaseUnavailable):
        return (
            "Stripe has not answered yet. The refund is written down and is sent again by itself; "
            "it will not happen twice."
        )
    with db.reading() as session:
        order, made = search.find_order(session, number), session.get(Refund, refund_id)
    if made is None:
        raise errors.OrderNotFound
    amount = money.text(made.amount, order.currency)
    if made.is_unsent:
        return f"{made.refusal}. The shop still owes {amount} and asks again by itself."
    if made.status == "failed":
        return "Stripe refused this refund. The money stays where it is."
    return f"Refunded {amount} of order {number}: {made.status}."


def refresh_order(operator: str, number: str) -> str:
    """Fetch an order's state from Stripe and record it."""
    with db.reading() as session:
        order = search.find_order(session, number)
    before = order.status
    log_action(order.number, history.Action.CHECKED, {"operator": operator})
    after = checkout_session.create_or_refresh_session(order, source="operator").status
    word = order_view.STATUS_BADGES[after].word.lower()
    state = f"{word}, as before" if after == before else f"now {word}"
    return f"Checked with Stripe: the order is {state}."


def cancel(operator: str, number: str) -> str:
    """Cancel an order, at Stripe first."""
    with db.reading() as session:
        order = search.find_order(session, number)
    after = checkout_session.expire_checkout_session(order, {"operator": operator}, "operator")
    return f"Order {number} is {order_view.STATUS_BADGES[after.status].word.lower()}."


def add_note(operator: str, number: str, text: str, *, is_public: bool = False) -> str:
    """Add a note to an order's history; the buyer sees it only if `is_public`."""
    remark = search.clean_query(text)[:MAX_NOTE_LENGTH]
    if not remark:
        raise IncompleteForm("Write the note first.")
    action = history.Action.NOTE if is_public else history.Action.PRIVATE_NOTE
    log_action(search.clean_query(number), action, {"text": remark}, {"operator": operator})
    return "The note is added; the buyer sees it." if is_public else "The private note is added."


def refetch_event(operator: str, event_id: str) -> str:
    """Fetch an event from Stripe and process it as if its webhook had arrived now.

    Idempotent: an event takes effect once, in the transaction that records it. A process that
    dies after that commit leaves out the line in the history that names the operator.

    Raises IncompleteForm, StripeError or DatabaseUnavailable.
    """
    with db.reading() as session:
        recorded = session.get(StripeEvent, search.clean_query(event_id))
    if recorded is None:
        raise IncompleteForm("The shop has recorded no event of this id.")
    event = parsing.parse_event(requests.event(recorded.id))
    (outcome,) = processing.process_events([event], source="operator")
    if isinstance(outcome, errors.StripeError):
        raise outcome
    if outcome == "applied" and event.fact:
        changes = ({"text": recorded.id}, {"operator": operator})
        log_action(event.fact.order_number, history.Action.EVENT_REFETCHED, *changes)
    if outcome == "duplicate":
        return f"Fetched {recorded.type} from Stripe. {PROCESSED_BEFORE}"
    return f"Fetched {recorded.type} from Stripe. {OUTCOMES[outcome].explanation}"


def save_product(
    operator: str, slug: str, form: ProductForm, opened: Values, image: images.Image | None = None
) -> str:
    """Change a product, or add one where `slug` is empty. Placed orders keep what they have.

    Raises ProductRefused or ImageRefused.
    """
    if image:
        form = replace(form, image=images.store(image))
    with db.unit_of_work() as session:
        if not slug:
            product = product_editor.add(session, form)
            log.info("%s added the product %s.", operator, product.slug)
            return f"{product.name} is in the shop."
        changes = product_editor.change(session, slug, form, opened)
    log.info("%s changed the product %s: %s", operator, slug, "; ".join(changes) or "nothing")
    return f"Saved: {'; '.join(changes)}." if changes else "Saved. Nothing was different."


def set_active(operator: str, slug: str, active: bool) -> str:
    """Put a product on sale, or take it off the shop; either can be undone."""
    with db.unit_of_work() as session:
        changed = product_editor.set_active(session, slug, active=active)
        name = product_editor.find(session, slug).name
    state = "on sale" if active else "archived"
    if not changed:
        return f"{name} was {state} already."
    log.info("%s: the product %s is %s.", operator, slug, state)
    return f"{name} is {state}{' again' if active else ''}."


def move_product(operator: str, slug: str, places: int) -> str:
    """Show a product earlier (-1) or later (1) in the shop."""
    with db.unit_of_work() as session:
        place, count = product_editor.move(session, slug, places)
        name = product_editor.find(session, slug).name
    log.info("%s moved the product %s to place %d.", operator, slug, place)
    return f"{name} is number {place} of {count} now."

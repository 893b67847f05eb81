"""Failed payment attempts: a declined card or a failed 3-D Secure check, with its reason.

Two events report one attempt, in no promised order: `payment_intent.payment_failed` always, and
`charge.failed` where the bank was asked at all. Both carry the order number in the metadata that
Checkout copied to the payment. `attempt` identifies the attempt in both: the id of the failed
charge, else of the payment method that was tried (Checkout makes one per attempt).

`apply` adds one history entry per attempt and changes nothing else: the session stays open, no
money moved, and status, amounts and ids of the order are left alone. It runs in the transaction
that records the event, with the order locked. A crash before the commit leaves neither event nor
entry, and the event is delivered again. Of two at once, the second waits for the lock and finds
the entry. Attempts after the first `MAX_LISTED` of an order are not listed, because anybody with
the address of a checkout can fail there as often as Stripe permits.
"""

import json

import orjson
from pydantic.dataclasses import dataclass
from sqlmodel import col, select

from store.db.models import MAX_LISTED, HistoryEntry
from store.orders import fact_checks
from store.orders.batch import OrderBatch, OrderState
from store.orders.history import Action, Change
from store.orders.stripe_facts import (
    STRICT,
    ChargeFact,
    Document,
    Id,
    Text,
    object_id,
    order_number_of,
)

# Stripe asks shops not to tell a buyer these: https://docs.stripe.com/declines/codes
CONFIDENTIAL = frozenset(
    ["fraudulent", "lost_card", "merchant_blacklist", "pickup_card", "stolen_card"]
)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FailedAttemptFact(ChargeFact):
    """One attempt to pay that failed; `message` is Stripe's sentence for the buyer."""

    attempt: Id
    message: Text


def of_payment(intent: Document, *, origin: str, **_source: str) -> FailedAttemptFact | None:
    """The failed attempt in a `payment_intent`; None if it has no order number."""
    return _fact(intent, intent["id"], intent.get("last_payment_error") or {}, origin)


def of_charge(charge: Document, *, origin: str, **_source: str) -> FailedAttemptFact | None:
    """The failed attempt in a `charge`; None if it has no order number."""
    error = {
        "charge": charge["id"],
        "message": charge.get("failure_message"),
        "code": charge.get("failure_code"),
        "decline_code": (charge.get("outcome") or {}).get("reason"),
        "payment_method": charge.get("payment_method_details"),
    }
    return _fact(charge, object_id(charge.get("payment_intent")), error, origin)


def _fact(
    document: Document, payment_intent_id: str | None, error: Document, event_id: str
) -> FailedAttemptFact | None:
    """`error` is what a `payment_intent` holds as its `last_payment_error`."""
    method: Document = error.get("payment_method") or {}
    card: Document = method.get("card") or {}
    decline_code = error.get("decline_code")
    attempt = object_id(error.get("charge")) or object_id(method) or event_id
    call = {
        "event_id": event_id,
        "attempt": attempt,
        "code": error.get("code"),
        "decline_code": "generic_decline" if decline_code in CONFIDENTIAL else decline_code,
        "card": f"{card.get('brand')} …{card.get('last4')}" if card else None,
    }
    if not (number := order_number_of(document)):
        return None
    return FailedAttemptFact(
        order_number=number,
        origin=event_id,
        call=orjson.dumps(call).decode(),
        attempt=attempt,
        message=error.get("message") or "Stripe gave no reason.",
        payment_intent_id=payment_intent_id,
        amount=document.get("amount"),
        currency=document.get("currency"),
        livemode=document.get("livemode"),
    )


def apply(batch: OrderBatch, order: OrderState, fact: FailedAttemptFact) -> list[Change]:
    """The reason of the attempt, if it is not in the history yet; changes nothing else.

    An event that does not fit the order is ignored: no money is at stake.
    """
    if not fact_checks.is_own_charge(order, fact):
        return []
    listed = _listed(batch, order)
    return [] if fact.attempt in listed or len(listed) >= MAX_LISTED else [{"text": fact.message}]


def _listed(batch: OrderBatch, order: OrderState) -> set[str]:
    """The attempts in this order's history, those of the same batch included."""
    rows = batch.session.exec(
        select(HistoryEntry.payload).where(
            col(HistoryEntry.order_id) == order.id,
            col(HistoryEntry.action) == Action.ATTEMPT_FAILED,
        )
    ).all()
    unsaved = [
        line["payload"]
        for line in batch.log_rows
        if line["order_id"] == order.id and line["action"] == Action.ATTEMPT_FAILED
    ]
    return {json.loads(payload)["call"]["attempt"] for payload in (*rows, *unsaved)}

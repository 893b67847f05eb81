"""The sentences of an order's history, made from the payloads of its entries."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from store.core import money
from store.db.models import HistoryEntry

Payload = Mapping[str, Any]

CANCEL_REASONS = {
    "new_cart": "replaced by a new cart",
    "buyer": "asked by the buyer",
    "unfinished": "finishing a cancellation",
}
# Other words for a change in a title; a title names no ids.
TITLES = {"receipt_url": "receipt available", "email": "email address known"}
ID = re.compile(r" (?:by )?[a-z]+_[A-Za-z0-9_]{8,}")


def payload_of(row: HistoryEntry) -> Payload:
    payload: Payload = json.loads(row.payload)
    return payload


def text(payload: Payload, *, with_origin: bool = True) -> str:
    """All changes of an entry, and where they were reported."""
    sentences = [sentence(change) for change in payload["changes"]]
    origin = payload.get("origin", "") if with_origin else ""
    return " · ".join(filter(None, [*sentences, origin]))


def title(payload: Payload) -> str:
    """The first change of an entry, without ids."""
    first = next(iter(payload["changes"]), {"text": payload.get("origin", "")})
    return TITLES.get(first.get("known", "")) or ID.sub("", sentence(first))


def sentence(change: Mapping[str, Any]) -> str:
    """One change as a sentence; its first key is its kind."""
    kind, value = next(iter(change.items()))
    if kind in SENTENCES:
        return SENTENCES[kind](change)
    return f"{kind.replace('_', ' ')} {value}"


def _amount(change: Mapping[str, Any]) -> str:
    return money.text(change["amount"], change["currency"])


def _owed(change: Mapping[str, Any]) -> str:
    is_owed = change["amount"] > 0
    owed = f"{_amount(change)} still to be refunded" if is_owed else "nothing is owed any more"
    return f"second payment {change['owed_for']}: {owed}"


# Of the kinds of change that do not read as their name and value, as in "payment status paid".
SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "text": lambda change: str(change["text"]),
    "checkout_status": lambda change: f"session status {change['checkout_status']}",
    "known": lambda change: f"{change['known'].replace('_', ' ')} known",
    "refund": lambda c: f"refund {c['refund']} of {_amount(c)}: {c['status']}",
    "dispute": lambda c: f"dispute {c['dispute']} of {_amount(c)}: {c['status']}",
    "second_payment": lambda c: (
        f"second payment {c['second_payment']} by {c['checkout_session_id']}: to be refunded"
    ),
    "owed_for": _owed,
    "paid_although": lambda change: f"paid although it was {change['paid_although']}",
    "inactive_product": lambda c: f"paid for {c['inactive_product']}, which is no longer sold",
    "cancel": lambda change: CANCEL_REASONS[change["cancel"]],
    "amount": lambda c: _amount(c) + (f" by {c['operator']}" if c.get("operator") else ""),
    "operator": lambda change: f"by {change['operator']}",
}

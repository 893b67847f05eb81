"""The timeline of one order: each thing that happened to it, with its evidence.

Built from three tables: the history (`order_history`), the order's events (`stripe_events`), and
repeated deliveries and checks that changed nothing (`order_checks`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlmodel import Session, col, or_, select

from store.core.order_status import OrderStatus
from store.db.models import MAX_LISTED, HistoryEntry, Order, OrderCheck, StripeEvent
from store.orders.history import Action
from store.reports import history_text
from store.reports.order_view import STATUS_BADGES

Effect = Literal["changed", "noted", "nothing"]

LATE = timedelta(minutes=1)
SOURCE_NAMES = {
    "buyer": "Buyer",
    "redirect": "Redirect",
    "webhook": "Webhook",
    "reconciler": "Reconciler",
    "operator": "Back office",
}
CREATED = "POST /v1/checkout/sessions"


@dataclass(frozen=True)
class TimelineEntry:
    """One line of the timeline; `evidence` names what it can be checked by."""

    at: datetime
    source: str
    title: str
    effect: Effect
    note: str = ""
    late: timedelta | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class OrderEvents:
    """The events about one order, with repeated deliveries and checks."""

    events: Sequence[StripeEvent]
    repeats: Sequence[OrderCheck]

    @property
    def deliveries(self) -> int:
        return sum(event.deliveries for event in self.events)

    @property
    def ignored(self) -> int:
        """Deliveries that changed nothing."""
        applied = sum(event.outcome == "applied" and event.deliveries > 0 for event in self.events)
        return self.deliveries - applied


def load_events(session: Session, order_id: int) -> OrderEvents:
    of_order = select(StripeEvent).where(col(StripeEvent.order_id) == order_id)
    events = session.exec(of_order.order_by(col(StripeEvent.received_at))).all()
    of_events = col(OrderCheck.event_id).in_([event.id for event in events])
    checks = select(OrderCheck).where(or_(col(OrderCheck.order_id) == order_id, of_events))
    return OrderEvents(events, session.exec(checks.order_by(col(OrderCheck.id))).all())


def entries_of(
    order: Order, history: Sequence[HistoryEntry], order_events: OrderEvents
) -> list[TimelineEntry]:
    """The timeline of an order, oldest entry first."""
    events = {event.id: event for event in order_events.events}
    entries = [_from_history(order, row, events) for row in history]
    in_history = {entry.evidence.get("event_id") for entry in entries}
    for event in order_events.events:
        if event.id not in in_history and event.outcome != "applied":
            delivered = event.deliveries > 0
            source = "webhook" if delivered else "reconciler"
            title = f"{SOURCE_NAMES[source]}: nothing new"
            entry = TimelineEntry(event.received_at, source, title, "nothing", event.type)
            entries.append(_with_event(entry, event, delivered=delivered))
    entries += [_duplicate(row, events) for row in order_events.repeats]
    return sorted(entries, key=lambda entry: entry.at)  # stable: history rows keep their order


def _from_history(
    order: Order, row: HistoryEntry, events: Mapping[str, StripeEvent]
) -> TimelineEntry:
    payload = history_text.payload_of(row)
    evidence, note, late = dict(payload.get("call", {})), history_text.text(payload), None
    event_id = evidence.get("event_id", "")
    event = events.get(event_id)
    is_named = payload.get("origin", "") == event_id
    evidence["recorded"] = history_text.text(payload, with_origin=not is_named)
    if row.action == Action.PLACED:
        evidence = {
            "order": order.number,
            "idempotency_key": order.idempotency_key,
            "total_amount": order.total_amount,
            "currency": order.currency,
            "checkout_expires_at": order.checkout_expires_at.isoformat(),
            "note": note,
        }
        note = f"{note} · key {shortened(order.idempotency_key)}"
    elif event:
        evidence |= _event_evidence(event, delivered=row.source == "webhook")
        note = event.type
        late = _delay_if_late(row.at - event.created_at) if row.source == "webhook" else None
    elif "http_status" in evidence:
        note = _request_note(evidence)
    effect: Effect = "changed" if row.action in (Action.PLACED, *STATUS_BADGES) else "noted"
    return TimelineEntry(row.at, row.source, _title(row, payload), effect, note, late, evidence)


def _title(row: HistoryEntry, payload: history_text.Payload) -> str:
    if row.action == Action.PLACED:
        return "Pay pressed: order saved"
    if row.action == Action.ATTEMPT_FAILED:
        return f"Payment attempt failed: {history_text.text(payload, with_origin=False)}"
    if row.action == OrderStatus.OPEN and payload.get("call", {}).get("request") == CREATED:
        return "Stripe answered: checkout open"
    badge = STATUS_BADGES.get(row.action)
    text = history_text.title(payload) if row.action == Action.NOTED else row.action
    return f"{SOURCE_NAMES.get(row.source, row.source)}: {badge.word.lower() if badge else text}"


def _event_evidence(event: StripeEvent, *, delivered: bool) -> dict[str, Any]:
    """Evidence of an event; a delivered one was answered 200 after its effect was committed."""
    evidence = {
        "event_id": event.id,
        "event_type": event.type,
        "made_at_stripe": event.created_at.isoformat(),
        "received": event.received_at.isoformat(),
        "deliveries": event.deliveries,
    }
    receipt = {"signature": "verified", "answered": "200, after the commit"}
    return evidence | receipt if delivered else evidence


def _with_event(entry: TimelineEntry, event: StripeEvent, *, delivered: bool) -> TimelineEntry:
    late = _delay_if_late(entry.at - event.created_at) if delivered else None
    return replace(entry, late=late, evidence=_event_evidence(event, delivered=delivered))


def _duplicate(row: OrderCheck, events: Mapping[str, StripeEvent]) -> TimelineEntry:
    if event := events.get(row.event_id or ""):
        are_listed = event.deliveries <= MAX_LISTED
        so_far = "" if are_listed else f" · {event.deliveries:,} deliveries so far"
        title, note = "Same event again: ignored", event.type + so_far
        entry = TimelineEntry(row.at, row.source, title, "nothing", note)
        return _with_event(entry, event, delivered=True)
    evidence = json.loads(row.evidence) if row.evidence else {}
    title = f"{SOURCE_NAMES.get(row.source, row.source)}: nothing new at Stripe"
    if row.source == "buyer":
        title = "Pay pressed again: same checkout"
    elif not evidence:
        title = "Redirect: already settled"
    note = _request_note(evidence) if evidence else "Stripe did not have to be asked"
    if row.times > 1:
        note += f" · and {row.times - 1:,} more times"
    return TimelineEntry(row.at, row.source, title, "nothing", note, None, evidence)


def _request_note(evidence: Mapping[str, Any]) -> str:
    key, replayed = evidence.get("idempotency_key"), evidence.get("replayed")
    parts = [
        f"key {shortened(key)}" if key else "",
        f"HTTP {evidence.get('http_status')}",
        f"{evidence.get('milliseconds')} ms",
        "the same answer again" if replayed else "",
    ]
    return " · ".join(filter(None, parts))


def _delay_if_late(delay: timedelta) -> timedelta | None:
    return delay if delay > LATE else None


def shortened(identifier: str) -> str:
    """The first and last four characters of an id, which is how people compare ids."""
    return f"{identifier[:4]}…{identifier[-4:]}" if len(identifier) > 12 else identifier

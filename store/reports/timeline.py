"""The proof timeline: what happened to one order, step by step, each with its evidence.

Made from three tables: the history (`order_log`), the events about the order (`stripe_events`),
and what was said again without changing anything (`repeats`).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlmodel import Session, col, or_, select

from store.db.models import MAX_LISTED, Order, OrderCheck, OrderLog, StripeEvent
from store.orders import failed_attempts
from store.reports.order_view import STATUS_BADGES

Effect = Literal["changed", "noted", "nothing"]

LATE = timedelta(minutes=1)
WHO = {
    "buyer": "Buyer",
    "redirect": "Redirect",
    "webhook": "Webhook",
    "reconciler": "Reconciler",
    "operator": "Back office",
}
# How the history names what an event added, and how the page does.
NOTED = {"receipt url known": "receipt available", "email known": "email address known"}
ID = re.compile(r" (?:by )?[a-z]+_[A-Za-z0-9_]{8,}")
CREATED = "POST /v1/checkout/sessions"


@dataclass(frozen=True)
class Step:
    """One line of the timeline; `evidence` is what a doubting reader can check it by."""

    at: datetime
    source: str
    title: str
    effect: Effect
    note: str = ""
    late: timedelta | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Heard:
    """The events about one order, and what was said again."""

    events: Sequence[StripeEvent]
    repeats: Sequence[OrderCheck]

    @property
    def deliveries(self) -> int:
        return sum(event.deliveries for event in self.events)

    @property
    def ignored(self) -> int:
        """Deliveries that changed nothing."""
        counted = sum(event.outcome == "applied" and event.deliveries > 0 for event in self.events)
        return self.deliveries - counted


def heard(session: Session, order_id: int) -> Heard:
    events = session.exec(
        select(StripeEvent)
        .where(col(StripeEvent.order_id) == order_id)
        .order_by(col(StripeEvent.received_at))
    ).all()
    again = session.exec(
        select(OrderCheck)
        .where(
            or_(
                col(OrderCheck.order_id) == order_id,
                col(OrderCheck.event_id).in_([event.id for event in events]),
            )
        )
        .order_by(col(OrderCheck.id))
    ).all()
    return Heard(events, again)


def steps_of(order: Order, log: Sequence[OrderLog], told: Heard) -> list[Step]:
    """Everything about an order in the order of its happening."""
    events = {event.id: event for event in told.events}
    steps = [_logged(order, row, events) for row in log]
    named = {step.evidence.get("event_id") for step in steps}
    steps += [
        _unheeded(event)
        for event in told.events
        if event.id not in named and event.outcome != "applied"
    ]
    steps += [_repeated(row, events) for row in told.repeats]
    return sorted(steps, key=lambda step: step.at)  # stable: the history keeps its own order


def _logged(order: Order, row: OrderLog, events: Mapping[str, StripeEvent]) -> Step:
    proof = json.loads(row.evidence) if row.evidence else {}
    event = events.get(proof.get("event_id", ""))
    detail = row.detail.removesuffix(proof.get("event_id", "")).removesuffix(" · ")
    evidence, note, late = {**proof, "learnt": detail}, row.detail, None
    if row.action == "placed":
        evidence = _placed(order) | {"note": row.detail}
        note = f"{row.detail} · key {shortened(order.idempotency_key)}"
    elif event:
        evidence |= _of_event(event, delivered=row.source == "webhook")
        note = event.type
        late = _late(row.at - event.created_at) if row.source == "webhook" else None
    elif "http_status" in proof:
        note = _asked(proof)
    effect: Effect = "changed" if row.action in ("placed", *STATUS_BADGES) else "noted"
    return Step(row.at, row.source, _title(row, proof), effect, note, late, evidence)


def _title(row: OrderLog, proof: Mapping[str, Any]) -> str:
    if row.action == "placed":
        return "Pay pressed: order saved"
    if row.action == failed_attempts.ACTION:
        return f"Payment attempt failed: {row.detail.rsplit(' · ', 1)[0]}"
    if row.action == "open" and proof.get("request") == CREATED:
        return "Stripe answered: checkout open"
    badge = STATUS_BADGES.get(row.action)
    told = ID.sub("", row.detail.split(" · ")[0]) if row.action == "noted" else row.action
    told = NOTED.get(told, told)
    return f"{WHO.get(row.source, row.source)}: {badge.word.lower() if badge else told}"


def _placed(order: Order) -> dict[str, Any]:
    return {
        "order": order.number,
        "idempotency_key": order.idempotency_key,
        "total_amount": order.total_amount,
        "currency": order.currency,
        "checkout_expires_at": order.checkout_expires_at.isoformat(),
    }


def _of_event(event: StripeEvent, *, delivered: bool) -> dict[str, Any]:
    """What the door knows of an event; it answers 200 only once the effect is committed."""
    made = {
        "event_id": event.id,
        "event_type": event.type,
        "made_at_stripe": event.created_at.isoformat(),
        "received": event.received_at.isoformat(),
        "deliveries": event.deliveries,
    }
    checked = {"signature": "verified", "answered": "200, after the commit"}
    return made | checked if delivered else made


def _unheeded(event: StripeEvent) -> Step:
    """An event about the order that told nothing new."""
    delivered = event.deliveries > 0
    source = "webhook" if delivered else "reconciler"
    return Step(
        event.received_at,
        source,
        f"{WHO[source]}: nothing new",
        "nothing",
        event.type,
        _late(event.received_at - event.created_at) if delivered else None,
        _of_event(event, delivered=delivered),
    )


def _repeated(row: OrderCheck, events: Mapping[str, StripeEvent]) -> Step:
    if event := events.get(row.event_id or ""):
        return Step(
            row.at,
            row.source,
            "Same event again: ignored",
            "nothing",
            _delivered(event),
            _late(row.at - event.created_at),
            _of_event(event, delivered=True),
        )
    proof = json.loads(row.evidence) if row.evidence else {}
    title = f"{WHO.get(row.source, row.source)}: nothing new at Stripe"
    if row.source == "buyer":
        title = "Pay pressed again: same checkout"
    elif not proof:
        title = "Redirect: already settled"
    note = _asked(proof) if proof else "Stripe did not have to be asked"
    if row.times > 1:
        note += f" · and {row.times - 1:,} more times"
    return Step(
        row.at,
        row.source,
        title,
        "nothing",
        note,
        None,
        proof,
    )


def _delivered(event: StripeEvent) -> str:
    """The event's type, with the number of deliveries where not all of them are listed."""
    listed = event.deliveries <= MAX_LISTED
    return event.type if listed else f"{event.type} · {event.deliveries:,} deliveries so far"


def _asked(proof: Mapping[str, Any]) -> str:
    key, replayed = proof.get("idempotency_key"), proof.get("replayed")
    parts = [
        f"key {shortened(key)}" if key else "",
        f"HTTP {proof.get('http_status')}",
        f"{proof.get('milliseconds')} ms",
        "the same answer again" if replayed else "",
    ]
    return " · ".join(filter(None, parts))


def _late(delay: timedelta) -> timedelta | None:
    return delay if delay > LATE else None


def shortened(identifier: str) -> str:
    """An id as people compare it: its beginning and its end."""
    return f"{identifier[:4]}…{identifier[-4:]}" if len(identifier) > 12 else identifier

"""Webhook events for operators: searched, filtered, a page at a time, and one in detail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlmodel import Session, col, or_, select, tuple_

from store.db.models import Dispute, Order, OrderCheck, StripeEvent
from store.orders import stripe_facts
from store.reports.search import OrderFilter, Page
from store.webhooks import parsing

PAGE_SIZE = 200
MAX_ORDERS = 100  # whose events one search reads
NEWEST_EVENTS = 2000  # whose types are offered as filters
HIDDEN = "(hidden)"
SECRETS = frozenset(["client_secret"])


class Outcome(NamedTuple):
    """The outcome of an event in words; `color` is one of Streamlit's."""

    glyph: str
    word: str
    color: Literal["green", "gray", "orange", "red"]
    explanation: str

    @property
    def label(self) -> str:
        return f"{self.glyph} {self.word}"


OUTCOMES: Mapping[str, Outcome] = {
    "applied": Outcome("✓", "Applied", "green", "It changed its order."),
    "no_change": Outcome("○", "No news", "gray", "Its order already had everything that it says."),
    "ignored": Outcome("–", "Not used", "gray", "The shop does not act on events of this type."),
    "unknown_order": Outcome(
        "?",
        "Unknown order",
        "orange",
        "No order here has the number that it names. It may belong to another shop of the same "
        "Stripe account, or its order may still be missing here: reconcile, then look again.",
    ),
    "review": Outcome(
        "!",
        "Review",
        "red",
        "It does not fit its order, or is not what Stripe documents. Its order waits for a person.",
    ),
    "livemode": Outcome(
        "✕", "Live mode", "red", "It is about real money. This test shop never acts on such events."
    ),
    "received": Outcome("…", "Received", "orange", "It is recorded and not processed yet."),
}


@dataclass(frozen=True)
class EventFilter:
    """`text` is an event id, another Stripe id, or a search for orders; empty means all events."""

    text: str = ""
    outcome: str = ""
    type: str = ""

    def conditions(self) -> list[Any]:
        values = ((StripeEvent.outcome, self.outcome), (StripeEvent.type, self.type))
        return [col(column) == value for column, value in values if value]


class EventRow(NamedTuple):
    """An event and the number of its order here, if it has one.

    `repeated_at`, which only `event_detail` reads, are deliveries after the first (`MAX_LISTED`).
    """

    event: StripeEvent
    order_number: str | None
    repeated_at: Sequence[datetime] = ()


def find_events(session: Session, filters: EventFilter, before: str = "") -> Page[EventRow]:
    """Events, newest first, below the event `before`.

    A search by text reads the events of at most `MAX_ORDERS` orders, and has one page only.
    """
    if filters.text:
        events = _events_about(session, filters)
        return Page(_with_orders(session, events[:PAGE_SIZE]), None)
    query = select(StripeEvent).where(*filters.conditions())
    if before and (last := session.get(StripeEvent, before)):
        position = tuple_(col(StripeEvent.received_at), col(StripeEvent.id))
        query = query.where(position < (last.received_at, last.id))
    newest = query.order_by(col(StripeEvent.received_at).desc(), col(StripeEvent.id).desc())
    events = list(session.exec(newest.limit(PAGE_SIZE + 1)))
    older = events[PAGE_SIZE - 1].id if len(events) > PAGE_SIZE else None
    return Page(_with_orders(session, events[:PAGE_SIZE]), older)


def _events_about(session: Session, filters: EventFilter) -> list[StripeEvent]:
    """One query for each index: in one, a database may rather read every event by its time."""
    conditions = OrderFilter(text=filters.text).conditions(session)
    orders = session.exec(select(Order.id, Order.number).where(*conditions).limit(MAX_ORDERS)).all()
    numbers = {filters.text.upper(), *(number for _, number in orders)}
    events = dict[str, StripeEvent]()
    for about in (
        col(StripeEvent.id) == filters.text,
        col(StripeEvent.order_id).in_([order_id for order_id, _ in orders]),
        col(StripeEvent.order_number).in_(numbers),
    ):
        query = select(StripeEvent).where(about, *filters.conditions()).limit(PAGE_SIZE)
        events |= {event.id: event for event in session.exec(query)}
    return sorted(events.values(), key=lambda e: (e.received_at, e.id), reverse=True)


def _with_orders(session: Session, events: Sequence[StripeEvent]) -> list[EventRow]:
    ids = {event.order_id for event in events if event.order_id}
    numbers = {event.order_number for event in events if event.order_number}
    named = or_(col(Order.id).in_(ids), col(Order.number).in_(numbers))
    query = select(Order.id, Order.number).where(named)
    number_of: dict[int | str | None, str] = {}
    for order_id, number in session.exec(query):
        number_of |= {order_id: number, number: number}
    return [
        EventRow(event, number_of.get(event.order_id) or number_of.get(event.order_number))
        for event in events
    ]


def event_types(session: Session) -> list[str]:
    """The event types that the shop processes, and those of the newest events."""
    by_time = select(StripeEvent.type).order_by(col(StripeEvent.received_at).desc())
    return sorted({*parsing.HANDLERS, *session.exec(by_time.limit(NEWEST_EVENTS))})


def event_detail(session: Session, event_id: str) -> EventRow | None:
    event = session.get(StripeEvent, event_id)
    if event is None:
        return None
    (row,) = _with_orders(session, [event])
    repeats = select(OrderCheck.at).where(col(OrderCheck.event_id) == event_id)
    return row._replace(repeated_at=session.exec(repeats.order_by(col(OrderCheck.id))).all())


def payment_of(payload: stripe_facts.Document) -> tuple[stripe_facts.Document, str | None]:
    """An event's object, and its payment's id. Raises ValueError where that cannot be read."""
    resource = (payload.get("data") or {}).get("object") or {}
    payment = resource.get("id") if resource.get("object") == "payment_intent" else None
    return resource, payment or stripe_facts.object_id(resource.get("payment_intent"))


def order_of_payload(session: Session, payload: stripe_facts.Document) -> str | None:
    """The number of the order that an event's object names, or whose payment it is about."""
    try:
        resource, payment = payment_of(payload)
        named = stripe_facts.order_number_of(resource)
    except stripe_facts.UNREADABLE:
        return None
    for column, value in ((Order.number, named), (Order.payment_intent_id, payment)):
        if value and value.isprintable():  # one query for each index
            query = select(Order.number).where(col(column) == value)
            if number := session.exec(query).first():
                return number
    return None


def without_secrets(value: Any) -> Any:
    """A payload with every value hidden that lets its reader act for the buyer."""
    if isinstance(value, Mapping):
        return {
            name: HIDDEN if name in SECRETS and inner else without_secrets(inner)
            for name, inner in value.items()
        }
    return [without_secrets(inner) for inner in value] if isinstance(value, list) else value


def disputes(session: Session) -> list[tuple[Dispute, Order]]:
    """The newest disputes with their orders."""
    query = select(Dispute, Order).join(Order, col(Order.id) == col(Dispute.order_id))
    return list(session.exec(query.order_by(col(Dispute.id).desc()).limit(PAGE_SIZE)))

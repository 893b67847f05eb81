"""Data that the emulator keeps besides Stripe's objects, for the dashboard and the control API.

Stripe objects themselves are plain JSON dictionaries (`StripeObject`): what is stored is what the
API returns. Times are Unix seconds.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

StripeObject = dict[str, Any]
"""One Stripe object as the API returns it, unexpanded unless a docstring says otherwise."""

PaymentOutcome = Literal["succeeded", "declined", "challenge", "processing", "invalid"]
DeliveryState = Literal["pending", "succeeded", "failed", "dropped"]


@dataclass(frozen=True)
class PaymentResult:
    """What the payment page does after the buyer pressed Pay.

    - `succeeded`, `processing`: go to `redirect_url`, or the session's own page without one.
    - `challenge`: go to the challenge page of `challenge_id`.
    - `declined`: show `message`; the session stays open.
    - `invalid`: show `message` beside `field`; nothing was attempted. `field` is None if the
      session itself cannot be paid (any more).
    """

    outcome: PaymentOutcome
    message: str | None = None
    field: str | None = None
    redirect_url: str | None = None
    challenge_id: str | None = None


@dataclass(frozen=True)
class Challenge:
    """An open 3-D Secure challenge."""

    id: str
    session_id: str | None
    """None if an intent was confirmed over the API."""
    amount: int | None
    currency: str | None
    """None if a card is only saved."""
    brand: str
    last4: str


@dataclass(frozen=True)
class Page:
    """One page of a list, newest first."""

    items: list[StripeObject]
    has_more: bool


@dataclass(frozen=True)
class Attempt:
    """One HTTP request that delivered an event, and its response."""

    id: int
    at: float
    status: int | None
    """The HTTP status; None if there was no response."""
    body: str
    """The first kilobytes of the response, or why there is none."""
    seconds: float
    signature: str
    trouble: str | None
    """The kind of the fault that changed this attempt, if any; `trouble` is its name in the control
    API."""


@dataclass(frozen=True)
class Delivery:
    """The delivery of one event to one endpoint."""

    id: int
    event_id: str
    event_type: str
    endpoint_id: str
    url: str
    state: DeliveryState
    created_at: float
    next_attempt_at: float | None
    """When the next attempt is made; None if there will be none."""
    attempts: list[Attempt] = field(default_factory=list)
    """Oldest first."""


@dataclass(frozen=True)
class LoggedRequest:
    """One API request in the request log. Keys are masked; card numbers never get here."""

    id: str
    at: float
    method: str
    path: str
    status: int
    seconds: float
    key: str
    idempotency_key: str | None
    replayed: bool
    parameters: str
    response: str
    trouble: str | None


@dataclass(frozen=True)
class TimelineEntry:
    """One line of a payment's timeline."""

    at: float
    kind: Literal["request", "event", "attempt"]
    title: str
    detail: str
    id: str
    ok: bool


@dataclass(frozen=True)
class Fault:
    """A fault of the next `remaining` matching requests or deliveries; None: of all until it is
    cleared."""

    id: int
    target: Literal["request", "delivery"]
    kind: str
    remaining: int | None
    match: str
    """A call (`POST /v1/checkout/*`), the id of any object in it, an event type or an endpoint's
    id; `*` is a wildcard."""
    value: str
    """Seconds, milliseconds, a count, an amount, a currency or a word, depending on the kind."""
    seed: int
    chance: float = 1.0
    """The probability of each match; the same seed gives the same sequence."""

"""What the emulator keeps besides Stripe's own objects, as the dashboard and the controls see it.

Stripe objects themselves travel as plain JSON dictionaries (`StripeObject`), because JSON is
what they are: what is stored is what the API answers. Times here are Unix seconds.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

StripeObject = dict[str, Any]
"""One Stripe object as the API renders it, unexpanded unless a docstring says otherwise."""

PaymentOutcome = Literal["succeeded", "declined", "challenge", "processing", "invalid"]
DeliveryState = Literal["pending", "succeeded", "failed", "dropped"]


@dataclass(frozen=True)
class PaymentResult:
    """What the pay page shows after a buyer pressed Pay.

    - `succeeded`, `processing`: go to `redirect_url`, or the session's own page without one.
    - `challenge`: go to the challenge page of `challenge_id`.
    - `declined`: show `message`; the session stays open.
    - `invalid`: show `message` beside `field`; nothing was attempted. `field` is None where the
      session itself cannot be paid (any more).
    """

    outcome: PaymentOutcome
    message: str | None = None
    field: str | None = None
    redirect_url: str | None = None
    challenge_id: str | None = None


@dataclass(frozen=True)
class Challenge:
    """A 3-D Secure question that waits for the buyer's answer."""

    id: str
    session_id: str | None
    """None where an intent was confirmed over the API."""
    amount: int | None
    currency: str | None
    """None where a card is only saved."""
    brand: str
    last4: str


@dataclass(frozen=True)
class Page:
    """One page of a list, newest first."""

    items: list[StripeObject]
    has_more: bool


@dataclass(frozen=True)
class Attempt:
    """One HTTP request that carried an event, and what came back."""

    id: int
    at: float
    status: int | None
    """The HTTP status; None when no answer came."""
    body: str
    """The first kilobytes of the answer, or why there is none."""
    seconds: float
    signature: str
    trouble: str | None
    """The name of the trouble that bent this attempt, if one did."""


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one endpoint."""

    id: int
    event_id: str
    event_type: str
    endpoint_id: str
    url: str
    state: DeliveryState
    created_at: float
    next_attempt_at: float | None
    """When it is tried (again); None when it is over."""
    attempts: list[Attempt] = field(default_factory=list)
    """Oldest first."""


@dataclass(frozen=True)
class LoggedRequest:
    """One API request as the request log keeps it. Keys are masked, card numbers never arrive."""

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
    answer: str
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
    """Something that goes wrong on purpose for the next `remaining` requests or deliveries.

    `remaining` None: for every one until it is taken back.
    """

    id: int
    target: Literal["request", "delivery"]
    kind: str
    remaining: int | None
    match: str
    """A call (`POST /v1/checkout/*`) or the id of any object in it, an event type or an endpoint's
    id; `*` is a wildcard."""
    value: str
    """Seconds, milliseconds, a count, an amount, a currency or a word, depending on the kind."""
    seed: int
    chance: float = 1.0
    """How likely it strikes each time; the same seed strikes the same ones."""

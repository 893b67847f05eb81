"""What can be done to the emulator besides Stripe's API: by the buyer, the dashboard, the controls.

`Emulator` is the one running thing (`app.state.emulator`). Every method is synchronous and safe
to call from any thread, so a page handler is a plain `def`. Methods that change something have
committed when they return; they raise `StripeError` (errors.py: `.status`, `.message`, `.param`)
where Stripe would refuse, for example an unknown id (404) or a refund over the rest (400).
"""

from typing import Literal

from store.emulator.records import (
    Challenge,
    Delivery,
    DeliveryState,
    LoggedRequest,
    Moment,
    Page,
    PaymentResult,
    StripeObject,
    Trouble,
)

Kind = Literal[
    "checkout.session",
    "payment_intent",
    "charge",
    "refund",
    "dispute",
    "event",
    "product",
    "price",
    "webhook_endpoint",
]


class Emulator:
    """A Stripe account in one SQLite file."""

    # --- the pay page ---------------------------------------------------------------------

    def session(self, session_id: str) -> StripeObject | None:
        """The Checkout Session with `line_items` expanded; None where there is none.

        A session whose time is over is already `expired` in the answer.
        """
        raise NotImplementedError

    def pay_with_card(
        self, session_id: str, *, number: str, expiry: str, cvc: str, name: str, email: str
    ) -> PaymentResult:
        """Pay an open session. `number` may hold spaces, `expiry` is `MM / YY` or `MM/YYYY`.

        The payment is committed first; then, like Stripe, this waits up to 10 seconds for the
        answer to `checkout.session.completed` before it gives the redirect.
        """
        raise NotImplementedError

    def challenge(self, challenge_id: str) -> Challenge | None:
        """The open 3-D Secure question with this id; None once it is answered."""
        raise NotImplementedError

    def answer_challenge(self, challenge_id: str, passed: bool) -> PaymentResult:
        """Complete or fail the question. Failing declines the payment; the session stays open."""
        raise NotImplementedError

    def pay_later(
        self, session_id: str, *, outcome: Literal["succeeds", "fails"], email: str, name: str = ""
    ) -> PaymentResult:
        """Pay by bank debit: the session is `complete` but `unpaid` (result `processing`).

        It settles as `outcome` says a few minutes later on the emulator's clock, or at once
        through `settle`.
        """
        raise NotImplementedError

    # --- the dashboard ---------------------------------------------------------------------

    def settle(self, payment_intent_id: str, succeeded: bool) -> StripeObject:
        """End a payment that is `processing`; returns the PaymentIntent."""
        raise NotImplementedError

    def expire(self, session_id: str) -> StripeObject:
        """Expire an open session; returns it."""
        raise NotImplementedError

    def refund(
        self, payment_intent_id: str, amount: int | None = None, reason: str | None = None
    ) -> StripeObject:
        """Give money back, all that is left when no amount is given; returns the Refund."""
        raise NotImplementedError

    def dispute(self, charge_id: str, reason: str = "fraudulent") -> StripeObject:
        """Let the cardholder's bank dispute a charge; returns the Dispute."""
        raise NotImplementedError

    def close_dispute(self, dispute_id: str, won: bool) -> StripeObject:
        """Let the bank decide; returns the Dispute."""
        raise NotImplementedError

    def resend(self, event_id: str, endpoint_id: str | None = None) -> int:
        """Deliver an event again, under its own id; returns to how many endpoints."""
        raise NotImplementedError

    # --- reading ---------------------------------------------------------------------------

    def retrieve(self, object_id: str) -> StripeObject | None:
        """Any stored object by its id."""
        raise NotImplementedError

    def lists(self, kind: Kind, limit: int = 20, after: str | None = None) -> Page:
        """Objects of one kind, newest first; `after` is the id the page starts behind."""
        raise NotImplementedError

    def counts(self) -> dict[Kind, int]:
        """How many objects there are of each kind."""
        raise NotImplementedError

    def deliveries(
        self, *, event_id: str | None = None, state: DeliveryState | None = None, limit: int = 50
    ) -> list[Delivery]:
        """Deliveries with their attempts, newest first."""
        raise NotImplementedError

    def request_log(self, limit: int = 50) -> list[LoggedRequest]:
        """API requests, newest first; the last 10,000 are kept."""
        raise NotImplementedError

    def timeline(self, payment_intent_id: str) -> list[Moment]:
        """Requests, events and delivery attempts about one payment, oldest first."""
        raise NotImplementedError

    def now(self) -> float:
        """The emulator's own time: the machine's, plus what the clock was moved by."""
        raise NotImplementedError

    # --- trouble on demand -----------------------------------------------------------------

    def troubles(self) -> list[Trouble]:
        """What is still going to go wrong."""
        raise NotImplementedError

    def cause(
        self,
        target: Literal["request", "delivery"],
        kind: str,
        *,
        times: int = 1,
        match: str = "*",
        value: str = "",
        seed: int = 0,
    ) -> Trouble:
        """Let the next `times` matching requests or deliveries go wrong.

        The kinds of each target, each with a sentence for people, stand in
        `store.emulator.troubles.REQUEST_TROUBLES` and `DELIVERY_TROUBLES`.
        """
        raise NotImplementedError

    def calm(self, trouble_id: int | None = None) -> None:
        """Take one trouble, or all of them, back."""
        raise NotImplementedError

    def move_clock(self, seconds: float) -> float:
        """Move the emulator's time forward and do what became due; returns the new time."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget everything except the endpoint given at the start."""
        raise NotImplementedError

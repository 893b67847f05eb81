"""What can be done to the emulator besides Stripe's API: in the dashboard, by the controls, and by
buyers (checkout/service.py).

`Emulator` is the one running thing (`app.state.emulator`). Every method is synchronous and safe
to call from any thread, so a page handler is a plain `def`. Methods that change something have
committed when they return; they raise `StripeError` (base/errors.py: `.status`, `.message`,
`.param`) where Stripe would refuse, for example an unknown id (404) or too large a refund (400).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from stripe_emulator import faults
from stripe_emulator.account import backdating
from stripe_emulator.base.config import Config
from stripe_emulator.base.models import (
    Delivery,
    DeliveryState,
    LoggedRequest,
    Moment,
    Page,
    StripeObject,
    Trouble,
)
from stripe_emulator.checkout.service import Till
from stripe_emulator.resources import (
    checkout_sessions,
    disputes,
    events,
    listing,
    payment_attempts,
    refunds,
    webhook_endpoints,
)
from stripe_emulator.storage import activity
from stripe_emulator.stripe_cli import sessions
from stripe_emulator.stripe_cli.sockets import Sockets
from stripe_emulator.webhooks import deliveries

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


class Emulator(Till):
    """A Stripe account in one SQLite file, and the courier that carries its events."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.sockets = Sockets(self.account, self.courier)
        self._secret = config.webhook_secret or webhook_endpoints.new_secret()
        self._listen()

    def _listen(self) -> None:
        """Have the endpoint that was given at the start."""
        if self.config.webhook_url:
            with self.account.writing() as books:
                webhook_endpoints.from_command_line(books, self.config.webhook_url, self._secret)

    def start(self) -> None:
        """Begin to deliver; what an earlier run left undelivered goes first."""
        with self.account.writing() as books:
            sessions.disconnect_all(books)
        self.courier.start()

    def stop(self) -> None:
        """Finish what is on its way and close the file."""
        self.courier.stop()
        self.account.storage.close()

    # --- the dashboard ---------------------------------------------------------------------

    def settle(self, payment_intent_id: str, succeeded: bool) -> StripeObject:
        """End a payment that is `processing`; returns the PaymentIntent."""
        with self.account.writing() as books:
            return payment_attempts.settle_debit(books, payment_intent_id, succeeded=succeeded)

    def expire(self, session_id: str) -> StripeObject:
        """Expire an open session; returns it."""
        with self.account.writing() as books:
            return checkout_sessions.expire(
                books, books.get(session_id, "checkout.session", "session")
            )

    def refund(
        self, payment_intent_id: str, amount: int | None = None, reason: str | None = None
    ) -> StripeObject:
        """Give money back, all that is left when no amount is given; returns the Refund."""
        given = {"payment_intent": payment_intent_id, "amount": amount, "reason": reason}
        with self.account.writing() as books:
            return refunds.create(
                books, {name: value for name, value in given.items() if value is not None}
            )

    def dispute(self, charge_id: str, reason: str = "fraudulent") -> StripeObject:
        """Let the cardholder's bank dispute a charge; returns the Dispute."""
        with self.account.writing() as books:
            return disputes.create(books, charge_id, reason)

    def close_dispute(self, dispute_id: str, won: bool) -> StripeObject:
        """Let the bank decide; returns the Dispute."""
        with self.account.writing() as books:
            dispute = books.get(dispute_id, "dispute", "dispute")
            return disputes.close(books, dispute, won=won)

    def resend(self, event_id: str, endpoint_id: str | None = None) -> int:
        """Deliver an event again, under its own id; returns to how many endpoints."""
        with self.account.writing() as books:
            count = deliveries.resend(books, events.get(books, event_id), endpoint_id)
        self.courier.wake()
        return count

    # --- reading ---------------------------------------------------------------------------

    def retrieve(self, object_id: str) -> StripeObject | None:
        """Any stored object by its id."""
        with self.account.reading() as books:
            return books.find(object_id) or events.find(books, object_id)

    def lists(self, kind: Kind, limit: int = 20, after: str | None = None) -> Page:
        """Objects of one kind, newest first; `after` is the id the page starts behind."""
        given = {"limit": limit} | ({"starting_after": after} if after else {})
        with self.account.reading() as books:
            if kind == "event":
                page = listing.of_events(books, given, "")
            else:
                page = listing.objects(books, kind, given, "")
        return Page(page["data"], page["has_more"])

    def counts(self) -> dict[Kind, int]:
        """How many objects there are of each kind."""
        with self.account.reading() as books:
            return activity.counts(books)

    def log_counts(self) -> dict[activity.Log, int]:
        """How many deliveries and API requests are kept."""
        with self.account.reading() as books:
            return activity.log_counts(books)

    def deliveries(
        self, *, event_id: str | None = None, state: DeliveryState | None = None, limit: int = 50
    ) -> list[Delivery]:
        """Deliveries with their attempts, newest first."""
        with self.account.reading() as books:
            return deliveries.shown(books, event_id=event_id, state=state, limit=limit)

    def request_log(self, limit: int = 50) -> list[LoggedRequest]:
        """API requests, newest first; the last 10,000 are kept."""
        with self.account.reading() as books:
            return activity.requests(books, limit)

    def timeline(self, payment_intent_id: str) -> list[Moment]:
        """Requests, events and delivery attempts about one payment, oldest first."""
        with self.account.reading() as books:
            return activity.of_payment(books, payment_intent_id)

    def now(self) -> float:
        """The emulator's own time: the machine's, plus what the clock was moved by."""
        return self.account.now()

    # --- trouble on demand -----------------------------------------------------------------

    def troubles(self) -> list[Trouble]:
        """What is still going to go wrong."""
        with self.account.storage.reading() as connection:
            return faults.waiting(connection)

    def cause(  # noqa: PLR0913 - one argument per column of a trouble
        self,
        target: Literal["request", "delivery"],
        kind: str,
        *,
        times: int | None = 1,
        match: str = "*",
        value: str = "",
        seed: int = 0,
        chance: float = 1.0,
    ) -> Trouble:
        """Let the next `times` matching requests or deliveries go wrong; None: all, until calm.

        The kinds of each target, each with a sentence for people, stand in
        `stripe_emulator.faults.REQUEST_TROUBLES` and `DELIVERY_TROUBLES`.
        """
        with self.account.storage.writing() as connection:
            return faults.cause(
                connection, Trouble(0, target, kind, times, match, value, seed, chance)
            )

    def calm(self, trouble_id: int | None = None) -> None:
        """Take one trouble, or all of them, back."""
        with self.account.storage.writing() as connection:
            faults.calm(connection, trouble_id)

    def move_clock(self, seconds: float) -> float:
        """Move the emulator's time forward and do what became due; returns the new time."""
        return self.account.move_clock(seconds)

    def date_back(self, created: Mapping[str, int]) -> None:
        """Let Checkout Sessions, and what followed from them, have been created earlier."""
        with self.account.writing() as books:
            backdating.date_back(books, created)
        self.courier.wake()

    def set_clock_off(self, seconds: float) -> float:
        """Let Stripe's clock be that much ahead of this machine's, or behind; returns its time."""
        return self.account.set_clock_off(seconds)

    def reset(self) -> None:
        """Forget everything except the endpoint given at the start and the Stripe CLIs."""
        self.account.forget()
        self._listen()

    def snapshot(self, path: Path) -> None:
        """Keep the whole account, as it is now, in another file."""
        self.account.snapshot(path)

    def restore(self, path: Path) -> None:
        """Become what a snapshot holds. What it had to deliver still is delivered."""
        self.account.restore(path)
        with self.account.writing() as books:
            sessions.disconnect_all(books)
        self.sockets.close_all()  # each CLI comes back, with a new session where it needs one

    def roll_secret(self, endpoint_id: str, seconds: float, secret: str = "") -> str:
        """Replace an endpoint's secret; the old one signs too for some time. Returns the new."""
        with self.account.writing() as books:
            return webhook_endpoints.roll_secret(books, endpoint_id, seconds, secret)

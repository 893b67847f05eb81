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
from stripe_emulator.account.account import Account
from stripe_emulator.base.config import Config
from stripe_emulator.base.models import (
    Delivery,
    DeliveryState,
    Fault,
    LoggedRequest,
    Page,
    StripeObject,
    TimelineEntry,
)
from stripe_emulator.checkout.service import CheckoutService
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
from stripe_emulator.webhooks.dispatcher import WebhookDispatcher

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
    """A Stripe account in one SQLite file, and the courier that carries its events."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.account = Account(config)
        self.dispatcher = WebhookDispatcher(self.account)
        self.checkout = CheckoutService(self.account, self.dispatcher)
        self.sockets = Sockets(self.account, self.dispatcher)
        self._secret = config.webhook_secret or webhook_endpoints.new_secret()
        self._listen()

    def _listen(self) -> None:
        """Have the endpoint that was given at the start."""
        if self.config.webhook_url:
            with self.account.writing() as tx:
                webhook_endpoints.set_command_line_endpoint(
                    tx, self.config.webhook_url, self._secret
                )

    def start(self) -> None:
        """Begin to deliver; what an earlier run left undelivered goes first."""
        with self.account.writing() as tx:
            sessions.disconnect_all(tx)
        self.dispatcher.start()

    def stop(self) -> None:
        """Finish what is on its way and close the file."""
        self.dispatcher.stop()
        self.account.storage.close()

    # --- the dashboard ---------------------------------------------------------------------

    def settle_debit(self, payment_intent_id: str, succeeded: bool) -> StripeObject:
        """End a payment that is `processing`; returns the PaymentIntent."""
        with self.account.writing() as tx:
            return payment_attempts.settle_debit(tx, payment_intent_id, succeeded=succeeded)

    def expire(self, session_id: str) -> StripeObject:
        """Expire an open session; returns it."""
        with self.account.writing() as tx:
            return checkout_sessions.expire(tx, tx.get(session_id, "checkout.session", "session"))

    def refund(
        self, payment_intent_id: str, amount: int | None = None, reason: str | None = None
    ) -> StripeObject:
        """Give money back, all that is left when no amount is given; returns the Refund."""
        given = {"payment_intent": payment_intent_id, "amount": amount, "reason": reason}
        with self.account.writing() as tx:
            return refunds.create(
                tx, {name: value for name, value in given.items() if value is not None}
            )

    def dispute(self, charge_id: str, reason: str = "fraudulent") -> StripeObject:
        """Let the cardholder's bank dispute a charge; returns the Dispute."""
        with self.account.writing() as tx:
            return disputes.create(tx, charge_id, reason)

    def close_dispute(self, dispute_id: str, won: bool) -> StripeObject:
        """Let the bank decide; returns the Dispute."""
        with self.account.writing() as tx:
            dispute = tx.get(dispute_id, "dispute", "dispute")
            return disputes.close(tx, dispute, won=won)

    def resend(self, event_id: str, endpoint_id: str | None = None) -> int:
        """Deliver an event again, under its own id; returns to how many endpoints."""
        with self.account.writing() as tx:
            count = deliveries.resend(tx, events.get(tx, event_id), endpoint_id)
        self.dispatcher.wake()
        return count

    # --- reading ---------------------------------------------------------------------------

    def retrieve(self, object_id: str) -> StripeObject | None:
        """Any stored object by its id."""
        with self.account.reading() as tx:
            return tx.find(object_id) or events.find(tx, object_id)

    def list_objects(self, kind: Kind, limit: int = 20, after: str | None = None) -> Page:
        """Objects of one kind, newest first; `after` is the id the page starts behind."""
        given = {"limit": limit} | ({"starting_after": after} if after else {})
        with self.account.reading() as tx:
            if kind == "event":
                page = listing.of_events(tx, given, "")
            else:
                page = listing.objects(tx, kind, given, "")
        return Page(page["data"], page["has_more"])

    def counts(self) -> dict[Kind, int]:
        """How many objects there are of each kind."""
        with self.account.reading() as tx:
            return activity.counts(tx)

    def log_counts(self) -> dict[activity.Log, int]:
        """How many deliveries and API requests are kept."""
        with self.account.reading() as tx:
            return activity.log_counts(tx)

    def deliveries(
        self, *, event_id: str | None = None, state: DeliveryState | None = None, limit: int = 50
    ) -> list[Delivery]:
        """Deliveries with their attempts, newest first."""
        with self.account.reading() as tx:
            return deliveries.list_deliveries(tx, event_id=event_id, state=state, limit=limit)

    def request_log(self, limit: int = 50) -> list[LoggedRequest]:
        """API requests, newest first; the last 10,000 are kept."""
        with self.account.reading() as tx:
            return activity.requests(tx, limit)

    def timeline(self, payment_intent_id: str) -> list[TimelineEntry]:
        """Requests, events and delivery attempts about one payment, oldest first."""
        with self.account.reading() as tx:
            return activity.timeline_of_payment(tx, payment_intent_id)

    def now(self) -> float:
        """The emulator's own time: the machine's, plus what the clock was moved by."""
        return self.account.now()

    # --- trouble on demand -----------------------------------------------------------------

    def faults(self) -> list[Fault]:
        """What is still going to go wrong."""
        with self.account.storage.reading() as connection:
            return faults.armed_faults(connection)

    def inject_fault(  # noqa: PLR0913 - one argument per column of a trouble
        self,
        target: Literal["request", "delivery"],
        kind: str,
        *,
        times: int | None = 1,
        match: str = "*",
        value: str = "",
        seed: int = 0,
        chance: float = 1.0,
    ) -> Fault:
        """Let the next `times` matching requests or deliveries go wrong; None: all, until calm.

        The kinds of each target, each with a sentence for people, stand in
        `stripe_emulator.faults.REQUEST_TROUBLES` and `DELIVERY_TROUBLES`.
        """
        with self.account.storage.writing() as connection:
            return faults.inject(
                connection, Fault(0, target, kind, times, match, value, seed, chance)
            )

    def clear_faults(self, fault_id: int | None = None) -> None:
        """Take one trouble, or all of them, back."""
        with self.account.storage.writing() as connection:
            faults.clear(connection, fault_id)

    def move_clock(self, seconds: float) -> float:
        """Move the emulator's time forward and do what became due; returns the new time."""
        return self.account.move_clock(seconds)

    def date_back(self, created: Mapping[str, int]) -> None:
        """Let Checkout Sessions, and what followed from them, have been created earlier."""
        with self.account.writing() as tx:
            backdating.date_back(tx, created)
        self.dispatcher.wake()

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
        with self.account.writing() as tx:
            sessions.disconnect_all(tx)
        self.sockets.close_all()  # each CLI comes back, with a new session where it needs one

    def roll_secret(self, endpoint_id: str, seconds: float, secret: str = "") -> str:
        """Replace an endpoint's secret; the old one signs too for some time. Returns the new."""
        with self.account.writing() as tx:
            return webhook_endpoints.roll_secret(tx, endpoint_id, seconds, secret)

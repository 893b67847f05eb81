"""The running emulator and everything that the dashboard and the control API can do with it.

`Emulator` is the one instance (`app.state.emulator`); what buyers do is in its `checkout`
(checkout/service.py). Every method is synchronous and safe to call from any thread, so a page
handler is a plain `def`. Methods that change something have committed when they return; they raise
`StripeError` (base/errors.py: `.status`, `.message`, `.param`) where Stripe would refuse, for
example for an unknown id (404) or too large a refund (400).
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
    """A Stripe account in one SQLite file, and the dispatcher that delivers its events."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.account = Account(config)
        self.dispatcher = WebhookDispatcher(self.account)
        self.checkout = CheckoutService(self.account, self.dispatcher)
        self.sockets = Sockets(self.account, self.dispatcher)
        self._secret = config.webhook_secret or webhook_endpoints.new_secret()
        self._listen()

    def _listen(self) -> None:
        """Create or update the webhook endpoint that was given at the start."""
        if self.config.webhook_url:
            with self.account.writing() as tx:
                webhook_endpoints.set_command_line_endpoint(
                    tx, self.config.webhook_url, self._secret
                )

    def start(self) -> None:
        """Start to deliver; pending deliveries of an earlier run are sent first."""
        with self.account.writing() as tx:
            sessions.disconnect_all(tx)
        self.dispatcher.start()

    def stop(self) -> None:
        """Finish the deliveries in progress and close the file."""
        self.dispatcher.stop()
        self.account.storage.close()

    # --- the dashboard ---------------------------------------------------------------------

    def settle_debit(self, payment_intent_id: str, succeeded: bool) -> StripeObject:
        """End a bank debit that is `processing`; returns the PaymentIntent."""
        with self.account.writing() as tx:
            return payment_attempts.settle_debit(tx, payment_intent_id, succeeded=succeeded)

    def expire(self, session_id: str) -> StripeObject:
        """Expire an open Checkout Session; returns it."""
        with self.account.writing() as tx:
            return checkout_sessions.expire(tx, tx.get(session_id, "checkout.session", "session"))

    def refund(
        self, payment_intent_id: str, amount: int | None = None, reason: str | None = None
    ) -> StripeObject:
        """Refund a payment, all that is left when no amount is given; returns the Refund."""
        params = {"payment_intent": payment_intent_id, "amount": amount, "reason": reason}
        with self.account.writing() as tx:
            return refunds.create(
                tx, {name: value for name, value in params.items() if value is not None}
            )

    def dispute(self, charge_id: str, reason: str = "fraudulent") -> StripeObject:
        """Dispute a charge as the cardholder's bank would; returns the Dispute."""
        with self.account.writing() as tx:
            return disputes.create(tx, charge_id, reason)

    def close_dispute(self, dispute_id: str, won: bool) -> StripeObject:
        """Decide a dispute as the bank would; returns the Dispute."""
        with self.account.writing() as tx:
            dispute = tx.get(dispute_id, "dispute", "dispute")
            return disputes.close(tx, dispute, won=won)

    def resend(self, event_id: str, endpoint_id: str | None = None) -> int:
        """Deliver an event again under its own id; returns to how many endpoints."""
        with self.account.writing() as tx:
            count = deliveries.resend(tx, events.get(tx, event_id), endpoint_id)
        self.dispatcher.wake()
        return count

    # --- reading ---------------------------------------------------------------------------

    def retrieve(self, object_id: str) -> StripeObject | None:
        """Return any stored object or event by its id; None if there is none."""
        with self.account.reading() as tx:
            return tx.find(object_id) or events.find(tx, object_id)

    def list_objects(self, kind: Kind, limit: int = 20, after: str | None = None) -> Page:
        """Return objects of one kind, newest first, starting after the id `after`."""
        params = {"limit": limit} | ({"starting_after": after} if after else {})
        with self.account.reading() as tx:
            if kind == "event":
                page = listing.of_events(tx, params, "")
            else:
                page = listing.objects(tx, kind, params, "")
        return Page(page["data"], page["has_more"])

    def counts(self) -> dict[Kind, int]:
        """Return the number of objects of each kind."""
        with self.account.reading() as tx:
            return activity.counts(tx)

    def log_counts(self) -> dict[activity.Log, int]:
        """Return the number of stored deliveries and API requests."""
        with self.account.reading() as tx:
            return activity.log_counts(tx)

    def deliveries(
        self, *, event_id: str | None = None, state: DeliveryState | None = None, limit: int = 50
    ) -> list[Delivery]:
        """Return deliveries with their attempts, newest first."""
        with self.account.reading() as tx:
            return deliveries.list_deliveries(tx, event_id=event_id, state=state, limit=limit)

    def request_log(self, limit: int = 50) -> list[LoggedRequest]:
        """Return API requests, newest first; the last 10,000 are kept."""
        with self.account.reading() as tx:
            return activity.requests(tx, limit)

    def timeline(self, payment_intent_id: str) -> list[TimelineEntry]:
        """Return requests, events and delivery attempts about one payment, oldest first."""
        with self.account.reading() as tx:
            return activity.timeline_of_payment(tx, payment_intent_id)

    def now(self) -> float:
        """Return the emulator's time: Stripe's time plus all moves of the clock."""
        return self.account.now()

    # --- faults --------------------------------------------------------------------------

    def faults(self) -> list[Fault]:
        """Return the faults that are still armed."""
        with self.account.storage.reading() as connection:
            return faults.armed_faults(connection)

    def inject_fault(  # noqa: PLR0913 - one argument per column of a fault
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
        """Make the next `times` matching requests or deliveries fail; None: all until cleared.

        `stripe_emulator.faults.REQUEST_FAULTS` and `DELIVERY_FAULTS` list the kinds, each with a
        description.
        """
        with self.account.storage.writing() as connection:
            return faults.inject(
                connection, Fault(0, target, kind, times, match, value, seed, chance)
            )

    def clear_faults(self, fault_id: int | None = None) -> None:
        """Clear one fault, or all of them."""
        with self.account.storage.writing() as connection:
            faults.clear(connection, fault_id)

    def move_clock(self, seconds: float) -> float:
        """Move the clock forward and run what became due; returns the new time."""
        return self.account.move_clock(seconds)

    def date_back(self, created: Mapping[str, int]) -> None:
        """Date Checkout Sessions, and all that followed from them, back to the given times."""
        with self.account.writing() as tx:
            backdating.date_back(tx, created)
        self.dispatcher.wake()

    def set_clock_off(self, seconds: float) -> float:
        """Set how far Stripe's clock is ahead of this machine's (below 0: behind); returns its
        time."""
        return self.account.set_clock_off(seconds)

    def reset(self) -> None:
        """Delete everything but the endpoint given at the start and the CLI sessions."""
        self.account.clear()
        self._listen()

    def snapshot(self, path: Path) -> None:
        """Copy the whole account into another file."""
        self.account.snapshot(path)

    def restore(self, path: Path) -> None:
        """Replace the account by a snapshot. Its pending deliveries are sent."""
        self.account.restore(path)
        with self.account.writing() as tx:
            sessions.disconnect_all(tx)
        self.sockets.close_all()  # each CLI reconnects

    def roll_secret(self, endpoint_id: str, seconds: float, secret: str = "") -> str:
        """Replace an endpoint's secret; the old one also signs for `seconds`. Returns the new."""
        with self.account.writing() as tx:
            return webhook_endpoints.roll_secret(tx, endpoint_id, seconds, secret)

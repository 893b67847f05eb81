"""The badge that shows whether the shop uses Stripe's test mode or the emulator."""

import logging
import threading
from typing import Any

from store.core import errors, settings
from store.stripe_api import requests

log = logging.getLogger(__name__)

RETRY_SECONDS = 30


class StripeAccount:
    """The key's account, fetched in the background so that no page waits for it."""

    id: str | None = None

    def fetch_forever(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.id = requests.account()
                return
            except errors.StripeError as error:
                log.warning("The Stripe account is not known yet: %s", error)
                stop.wait(RETRY_SECONDS)


STRIPE_ACCOUNT = StripeAccount()


def mode_badge() -> dict[str, Any]:
    """The masthead's badge: its text, a hint, and the emulator's address if it is used."""
    if settings.current().offline:
        hint = "No Stripe account, no network, no money."
        return {"mode": "Offline emulator", "hint": hint, "emulator": settings.current().api_base}
    account_id = STRIPE_ACCOUNT.id
    badge = f"Stripe test mode acct …{account_id[-4:]}" if account_id else "Stripe test mode"
    return {"mode": badge, "hint": "Test cards only. No money moves.", "emulator": None}

"""Why a scenario cannot run."""

from http import HTTPStatus

from store.core.errors import StoreError


class NotApplicable(StoreError):
    """This scenario cannot run here and now; that is no failure of the shop."""

    status = HTTPStatus.CONFLICT


class NotWithRealStripe(NotApplicable):
    sentence = (
        "The rehearsal needs the emulator. This shop talks to Stripe's test mode, so there is "
        "nothing to break here."
    )


class EmulatorUnreachable(NotApplicable):
    sentence = "The emulator does not answer. Start everything with: python -m store"


class NoWebhookServer(NotApplicable):
    sentence = "No webhook server is running here. Start everything with: python -m store"

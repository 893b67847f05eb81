"""Why something cannot be rehearsed."""

from http import HTTPStatus

from store.errors import StoreError


class Untried(StoreError):
    """This trouble cannot be made here and now; that says nothing about the shop."""

    status = HTTPStatus.CONFLICT


class NotHere(Untried):
    sentence = (
        "The rehearsal plays with an emulator in Stripe's place. This shop talks to Stripe's test "
        "mode, so there is nothing to break here."
    )


class EmulatorSilent(Untried):
    sentence = "The emulator does not answer. Start everything with: python -m store"


class NoWebhooks(Untried):
    sentence = "No webhook process is running here. Start everything with: python -m store"

"""Why something cannot be rehearsed."""

from store.errors import StoreError


class Untried(StoreError):
    """This trouble cannot be made here and now; that says nothing about the shop."""


class EmulatorSilent(Untried):
    sentence = "The emulator does not answer. Start everything with: python -m store"


class NoWebhooks(Untried):
    sentence = "No webhook process is running here. Start everything with: python -m store"

"""The account that every test key belongs to."""

from stripe_emulator.api.request_faults import ACCOUNT_ID
from stripe_emulator.base.errors import NotFound
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.storage.transaction import Transaction


def retrieve_by_id(tx: Transaction, account_id: str, _: Parameters) -> StripeObject:
    """Retrieve the account (GET /v1/accounts/{id}); without Connect there is no other."""
    if account_id != ACCOUNT_ID:
        raise NotFound.resource("account", account_id)
    return retrieve(tx)


def retrieve(_transaction: Transaction) -> StripeObject:
    """Retrieve the account (GET /v1/account)."""
    return {
        "id": ACCOUNT_ID,
        "object": "account",
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "emulator@example.com",
        "metadata": {},
        "payouts_enabled": False,
        "type": "standard",
    }

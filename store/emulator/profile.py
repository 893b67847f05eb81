"""The account that every test key belongs to."""

from store.emulator.books import Books
from store.emulator.faults import ACCOUNT_ID
from store.emulator.records import StripeObject


def retrieve(_books: Books) -> StripeObject:
    """GET /v1/account"""
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

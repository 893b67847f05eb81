"""Every request that the shop makes to Stripe, one function each.

Every creating request carries an idempotency key derived from a row of ours. Each raises
`StripeError` or one of its subclasses in `store/core/errors.py`.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache, partial
from hashlib import sha256
from urllib.parse import quote

from store.core import settings
from store.core.errors import StripeRefused, StripeUncertain
from store.stripe_api.clock_skew import CLOCK_SKEW
from store.stripe_api.transport import Document, StripeResponse, get, paginate, post

SESSIONS = "/v1/checkout/sessions"
PAYMENT = ["payment_intent.latest_charge"]
LISTED_PAYMENT = [f"data.{PAYMENT[0]}"]


@lru_cache(maxsize=4)
def _account_of(_key: str, _base: str | None) -> str:
    account_id = get("/v1/account", {}).get("id")
    if not isinstance(account_id, str):
        raise StripeUncertain
    return account_id


def account() -> str | None:
    """The id of the account behind the key (`acct_…`); None offline. Only answers are cached."""
    current = settings.current()
    return None if current.offline else _account_of(current.api_key, current.api_base)


def account_fingerprint() -> str:
    """A hash that identifies the key and the address of Stripe, without revealing the key.

    Equal fingerprints mean the same account; a new key of the same account has another one.
    """
    current = settings.current()
    return sha256(f"{current.api_key} {current.api_base}".encode()).hexdigest()[:16]


def create_checkout(parameters: str, key: str) -> StripeResponse:
    """Create a Checkout Session of these parameters (JSON); the same key returns the same one."""
    try:
        params = json.loads(parameters)
    except ValueError as error:
        raise StripeRefused from error
    if not isinstance(params, dict):
        raise StripeRefused
    return post(SESSIONS, params, key=key)


def checkout(session_id: str) -> StripeResponse:
    """The Checkout Session as it is now, with its payment and charge."""
    return get(f"{SESSIONS}/{_escaped(session_id)}", {"expand": PAYMENT})


def line_items(session_id: str) -> Iterator[Document]:
    """The lines of a Checkout Session, in the order of the cart."""
    return paginate(f"{SESSIONS}/{_escaped(session_id)}/line_items", {})


def expire_checkout(session_id: str) -> StripeResponse:
    """Make an open session unpayable; StripeRefused if it is not open any more."""
    return post(f"{SESSIONS}/{_escaped(session_id)}/expire", {})


def find_checkouts(order_number: str, since: datetime) -> list[StripeResponse]:
    """The sessions created for an order, found by listing; for an answer that got lost.

    `since` may be a day off: the clocks of this machine and of Stripe need not agree.

    Raises:
        StripeUncertain: none was found, but the list has a session that cannot be read.
    """
    start = int(since.timestamp())
    created = {"gte": start - 86_400, "lte": start + 2 * 86_400}
    sessions, unreadable = list[StripeResponse](), False
    for session in paginate(SESSIONS, {"created": created, "expand": LISTED_PAYMENT}):
        metadata = session.get("metadata")
        if not isinstance(metadata, dict):
            unreadable = True
        elif metadata.get("order_number") == order_number:
            sessions.append(session)
    if unreadable and not sessions:
        raise StripeUncertain
    return sessions


def open_checkouts() -> Iterator[Document]:
    """Every Checkout Session of the account that is still open, newest first."""
    return paginate(SESSIONS, {"status": "open"})


def checkouts() -> Iterator[Document]:
    """Every Checkout Session of the account with its payment and charge, newest first."""
    return paginate(SESSIONS, {"expand": LISTED_PAYMENT})


def _retrieve(path: str, stripe_id: str) -> StripeResponse:
    """The object of this id as it is now."""
    return get(f"{path}/{_escaped(stripe_id)}", {})


payment = partial(_retrieve, "/v1/payment_intents")
refund = partial(_retrieve, "/v1/refunds")
dispute = partial(_retrieve, "/v1/disputes")
event = partial(_retrieve, "/v1/events")  # which Stripe keeps for 30 days


def create_refund(
    payment_intent_id: str, amount: int, metadata: Mapping[str, str], key: str
) -> Document:
    """Refund `amount` (minor units) of a payment; the same key never refunds twice."""
    params = {"payment_intent": payment_intent_id, "amount": amount, "metadata": dict(metadata)}
    return post("/v1/refunds", params, key=key)


def refunds(**of: str) -> Iterator[Document]:
    """Every refund of the account, or of one `payment_intent`, newest first."""
    return paginate("/v1/refunds", of)


def disputes(**of: str) -> Iterator[Document]:
    """Every dispute of the account, or of one `payment_intent`, newest first."""
    return paginate("/v1/disputes", of)


def events(types: list[str], since: datetime) -> Iterator[Document]:
    """Events of these types (at most 20) since a moment, newest first; Stripe keeps 30 days."""
    return paginate("/v1/events", {"types": types, "created": {"gte": int(since.timestamp())}})


def clock_offset() -> timedelta:
    """How far this machine's clock is ahead of Stripe's now, to the second."""
    get(SESSIONS, {"limit": 1})  # its Date header is what counts
    return CLOCK_SKEW.ahead or timedelta(0)


def _escaped(stripe_id: str) -> str:
    return quote(stripe_id, safe="")

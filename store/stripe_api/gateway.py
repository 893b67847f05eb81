"""The only file that speaks to Stripe; answers are plain documents, errors are the store's.

Every creating call carries an idempotency key derived from a row of ours. Whatever answers at
`STRIPE_API_BASE` is Stripe to this file.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import stripe
import urllib3
from stripe import StripeClient

from store.core import clock, settings
from store.core.errors import (
    SignatureRefused,
    StripeBusy,
    StripeError,
    StripeKeyRefused,
    StripeNotFound,
    StripePermissionMissing,
    StripeRefused,
    StripeUncertain,
    StripeUnreachable,
)
from store.stripe_api import network
from store.stripe_api.traces import STRIPES_CLOCK, TRACE, note

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10.0  # of one attempt
QUESTION_SECONDS = 25.0  # of one question, with its repetitions and the pauses between them
RETRIES = 2
BUSY_PAUSES_SECONDS = (0.5, 1.0, 2.0)
# Stripe keeps idempotency keys for at least 24 hours; after that a retry would be a new request.
IDEMPOTENCY_KEY_TTL = timedelta(hours=23)
PAUSE_SECONDS = 1 / 25  # a Stripe sandbox answers 25 requests a second
TOLERANCE_SECONDS = 300
HEADER_LENGTH = 4096  # two secrets make about 150; more is somebody trying
PAYMENT = ["payment_intent.latest_charge"]
LISTED_PAYMENT = [f"data.{PAYMENT[0]}"]
SESSIONS = "/v1/checkout/sessions"
CHUNK_BYTES = 64 * 1024
PERMISSION = re.compile(r"\brak_[a-z_]{1,50}")

stripe.enable_telemetry = False  # it would write a file into the home folder

Asked = TypeVar("Asked")
Document = dict[str, Any]


class Answer(Document):
    """What Stripe answered; `call` is how it was asked: status, ids, milliseconds, as JSON.

    An answer that is `repeated` was kept by Stripe since its key came first, and may be old.
    """

    call: str = ""
    repeated: bool = True


@dataclass(frozen=True)
class Patience:
    """How long a question may take in all, and whether it is repeated where Stripe is busy."""

    seconds: float
    repeats: bool = True


PATIENCE: ContextVar[Patience | None] = ContextVar("PATIENCE", default=None)
# When the question that is being asked has to be over, by `time.monotonic()`.
DEADLINE: ContextVar[float] = ContextVar("DEADLINE", default=float("inf"))


@contextmanager
def patience(seconds: float, *, repeats: bool = True) -> Iterator[None]:
    """Give each question of the block this time; without repetitions, one attempt."""
    before = PATIENCE.set(Patience(seconds, repeats))
    try:
        yield
    finally:
        PATIENCE.reset(before)


def seconds_left() -> float:
    """What is left of the time of the question that is being asked."""
    return DEADLINE.get() - time.monotonic()


class Listening(stripe.RequestsClient):
    """The SDK's way to Stripe, which also notes each request; its key is the idempotency key."""

    @property
    def _timeout(self) -> float:
        """What the SDK lets one attempt take: no longer than the question has left."""
        return max(min(self._longest, seconds_left()), 0.001)

    @_timeout.setter
    def _timeout(self, seconds: float) -> None:
        self._longest = seconds

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        **_usage: Any,
    ) -> tuple[Any, int, Mapping[str, str]]:
        started = time.monotonic()
        if seconds_left() <= 0:
            raise stripe.APIConnectionError("The time is over.", should_retry=False)  # type: ignore[no-untyped-call]
        content, status, said = self.carry(method, url, headers, post_data)
        note(f"{method.upper()} {urlsplit(url).path}", headers or {}, status, said, started)
        return content, status, said

    def carry(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any
    ) -> tuple[Any, int, Mapping[str, str]]:
        """One attempt; what is answered has been read to its end, however slowly it comes."""
        if getattr(self._thread_local, "session", None) is None:
            self._thread_local.session = network.Session()  # instead of the SDK's own
        raw, status, said = super().request_stream(method, url, headers, post_data)
        return read_within(raw, min(time.monotonic() + self._longest, DEADLINE.get())), status, said


def read_within(raw: Any, deadline: float) -> bytes:
    """The body of an answer; a sender of few bytes at a time does not take longer than allowed.

    Raises:
        stripe.APIConnectionError: it broke off, or took too long.
    """
    body = bytearray()
    try:
        while chunk := raw.read1(CHUNK_BYTES, decode_content=True):
            body += chunk
            if time.monotonic() > deadline:
                raise TimeoutError
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raw.close()
        raise stripe.APIConnectionError("The answer broke off.", should_retry=True) from error  # type: ignore[no-untyped-call]
    raw.release_conn()
    return bytes(body)


@lru_cache(maxsize=4)
def client_for(key: str, base: str | None) -> StripeClient:
    return StripeClient(
        key,
        base_addresses={"api": base} if base else {},
        max_network_retries=RETRIES,
        http_client=Listening(timeout=TIMEOUT_SECONDS),
    )


def client() -> StripeClient:
    current = settings.current()
    return client_for(current.api_key, current.api_base)


def address() -> str:
    """Where Stripe is reached."""
    return settings.current().api_base or network.STRIPE


def ask(call: Callable[[], Asked]) -> Asked:
    """Make one call; repeat it under its own key while Stripe is busy and there is time left.

    Raises:
        StripeError: one of the tree in errors.py, without a word of Stripe's own text.
    """
    allowed = PATIENCE.get() or Patience(QUESTION_SECONDS)
    DEADLINE.set(time.monotonic() + allowed.seconds)
    for pause in (*BUSY_PAUSES_SECONDS, None):
        TRACE.set("")
        try:
            return call()
        except stripe.StripeError as error:
            trouble = translate(error)
            trouble.call = TRACE.get()
            if isinstance(trouble, StripeRefused) and trouble.param in SETTINGS:
                log.error("%s", trouble.for_operator)
            if isinstance(trouble, StripePermissionMissing) and trouble.call:
                trouble.route = json.loads(trouble.call)["request"]
            again = allowed.repeats and isinstance(trouble, StripeBusy)
            if pause is None or not again or pause > seconds_left():
                raise trouble from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # The SDK trips over JSON that is not Stripe's, such as a proxy's `{"error": "down"}`.
            raise StripeUncertain(replayed=False, for_operator=_not_stripe(None)) from error
        time.sleep(pause)
    raise AssertionError("the last pass either returns or raises")


SETTINGS = {
    "success_url": "STORE_URL is an address that it accepts",
    "cancel_url": "STORE_URL is an address that it accepts",
    "customer_email": "DEMO_CUSTOMER_EMAIL is one that it accepts, or is not set",
}
"""What to correct where Stripe refuses a parameter that comes from a setting."""


# The first row that fits decides; the SDK's class follows the HTTP status.
MEANINGS: tuple[tuple[type[stripe.StripeError], int | None, type[StripeError]], ...] = (
    (stripe.APIConnectionError, None, StripeUnreachable),
    (stripe.RateLimitError, None, StripeBusy),
    (stripe.AuthenticationError, None, StripeKeyRefused),
    (stripe.PermissionError, None, StripePermissionMissing),
    (stripe.APIError, 409, StripeBusy),
    (stripe.InvalidRequestError, 404, StripeNotFound),
    (stripe.InvalidRequestError, None, StripeRefused),
    (stripe.IdempotencyError, None, StripeRefused),
    (stripe.CardError, None, StripeRefused),
)


def translate(error: stripe.StripeError) -> StripeError:
    """The store's error for one of the SDK's."""
    for kind, http_status, meaning in MEANINGS:
        if isinstance(error, kind) and http_status in (None, error.http_status):
            meant = meaning(for_operator=_cause(error))
            meant.code, meant.param = _word(error.code), _word(getattr(error, "param", None))
            if isinstance(meant, StripePermissionMissing):
                meant.permission = _permission(error)
            return meant
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    replayed = headers.get("idempotent-replayed") == "true"
    return StripeUncertain(replayed=replayed, for_operator=_cause(error))


def _cause(error: stripe.StripeError) -> str:
    """What an operator can do about an answer that did not come, or is not Stripe's."""
    if isinstance(error, stripe.APIConnectionError):
        return f"Stripe did not answer. {network.cause(error, address())}"
    if type(error) is stripe.APIError and error.error is None:
        return _not_stripe(error.http_status)
    setting = SETTINGS.get(_word(getattr(error, "param", None)))
    return f"Stripe refuses every checkout until {setting}." if setting else ""


def _not_stripe(http_status: int | None) -> str:
    status = f" (HTTP {http_status})" if http_status else ""
    via = network.proxy_for(address())
    between = f"the proxy of {via.variable}" if via else "a proxy, or a network's sign-in page"
    return f"What answers at {address()} is not Stripe{status}: it may be {between}."


def _word(said: object) -> str:
    """Stripe's name for something; nothing that is longer or odder than a name."""
    return said if isinstance(said, str) and said.isidentifier() and len(said) < 60 else ""


def _permission(error: stripe.StripeError) -> str:
    """The permission that Stripe names in its sentence about a restricted key."""
    named = PERMISSION.search(str(error.user_message or ""))
    return named.group() if named else ""


@lru_cache(maxsize=4)
def _account_of(key: str, base: str | None) -> str:
    found = document(ask(lambda: client_for(key, base).raw_request("get", "/v1/account")))
    if not isinstance(found.get("id"), str):
        raise StripeUncertain(replayed=False)
    return str(found["id"])


def account() -> str | None:
    """The id of the account behind the key (`acct_…`); None offline, where there is none.

    Raises:
        StripeKeyRefused, StripeUnreachable: asked once and remembered only when answered.
    """
    current = settings.current()
    return None if current.offline else _account_of(current.api_key, current.api_base)


def account_mark() -> str:
    """What tells the account behind the key from others, without a word of the key.

    The same mark is the same account; another one may be the same too, under a new key.
    """
    current = settings.current()
    return sha256(f"{current.api_key} {current.api_base}".encode()).hexdigest()[:16]


def create_checkout(parameters: str, key: str) -> Answer:
    """Create the Checkout Session of these frozen parameters (JSON), or meet it again.

    Raises:
        StripeRefused: Stripe says no, or the parameters are none that could be sent.
    """
    try:
        asked = json.loads(parameters)
    except ValueError as error:
        raise StripeRefused from error
    if not isinstance(asked, dict):
        raise StripeRefused
    return post(SESSIONS, asked, key=key)


def checkout(session_id: str) -> Document:
    """The Checkout Session as it is now, with its payment and charge."""
    return get(f"{SESSIONS}/{quote(session_id, safe='')}", {"expand": PAYMENT})


def line_items(session_id: str) -> Iterator[Document]:
    """The lines of a Checkout Session, in the order of the cart."""
    return walk(f"{SESSIONS}/{quote(session_id, safe='')}/line_items", {})


def expire_checkout(session_id: str) -> Document:
    """Make an open session unpayable.

    Raises:
        StripeRefused: it is not open any more; look it up to see what it became.
    """
    return post(f"{SESSIONS}/{quote(session_id, safe='')}/expire", {})


def find_checkouts(number: str, since: datetime) -> list[Document]:
    """The sessions made for an order number, by walking the list; for an answer that got lost.

    `since` may be a day off: the clocks of this machine and of Stripe need not agree.

    Raises:
        StripeUncertain: none is there, but the list holds something that cannot be read.
    """
    start = int(since.timestamp())
    created = {"gte": start - 86_400, "lte": start + 2 * 86_400}
    found, unreadable = list[Document](), False
    for listed in walk(SESSIONS, {"created": created, "expand": LISTED_PAYMENT}):
        metadata = listed.get("metadata")
        if not isinstance(metadata, dict):
            unreadable = True
        elif metadata.get("order_number") == number:
            found.append(listed)
    if unreadable and not found:
        raise StripeUncertain(replayed=False)
    return found


def open_checkouts() -> Iterator[Document]:
    """Every Checkout Session of the account that is still open, newest first."""
    return walk(SESSIONS, {"status": "open"})


def payment(payment_intent_id: str) -> Document:
    return get(f"/v1/payment_intents/{quote(payment_intent_id, safe='')}", {})


def refund(refund_id: str) -> Document:
    return get(f"/v1/refunds/{quote(refund_id, safe='')}", {})


def dispute(dispute_id: str) -> Document:
    return get(f"/v1/disputes/{quote(dispute_id, safe='')}", {})


def create_refund(
    payment_intent_id: str, amount: int, metadata: Mapping[str, str], key: str
) -> Document:
    """Give `amount` back of a payment; the same key never gives it twice."""
    asked = {"payment_intent": payment_intent_id, "amount": amount, "metadata": dict(metadata)}
    return post("/v1/refunds", asked, key=key)


def refunds_of(payment_intent_id: str) -> list[Document]:
    return list(walk("/v1/refunds", {"payment_intent": payment_intent_id}))


def disputes_of(payment_intent_id: str) -> list[Document]:
    return list(walk("/v1/disputes", {"payment_intent": payment_intent_id}))


def checkouts() -> Iterator[Document]:
    """Every Checkout Session of the account with its payment and charge, newest first."""
    return walk(SESSIONS, {"expand": LISTED_PAYMENT})


def refunds() -> Iterator[Document]:
    """Every refund of the account, newest first."""
    return walk("/v1/refunds", {})


def disputes() -> Iterator[Document]:
    """Every dispute of the account, newest first."""
    return walk("/v1/disputes", {})


def event(event_id: str) -> Document:
    """One event as Stripe keeps it, for 30 days."""
    return get(f"/v1/events/{quote(event_id, safe='')}", {})


def events(types: list[str], since: datetime) -> Iterator[Document]:
    """Events of these types (at most 20) since a moment, newest first; Stripe keeps 30 days."""
    return walk("/v1/events", {"types": types, "created": {"gte": int(since.timestamp())}})


def at_stripe(moment: datetime) -> datetime:
    """A moment of this machine's clock by Stripe's, as far as the difference is known."""
    return moment - STRIPES_CLOCK.offset


def now_at_stripe() -> datetime:
    return at_stripe(clock.now())


def clock_offset() -> timedelta:
    """How far this machine's clock is ahead of Stripe's, to the second.

    Raises:
        StripeError: Stripe does not answer, or does not accept the key.
    """
    said = ask(lambda: client().raw_request("get", SESSIONS, limit=1)).headers.get("date", "")
    return clock.now() - parsedate_to_datetime(said) if said else timedelta(0)


# --- one question, one answer ---------------------------------------------------------------------


def get(path: str, asked: Mapping[str, Any]) -> Answer:
    return document(ask(lambda: client().raw_request("get", path, **asked, **_options())))


def post(path: str, asked: Mapping[str, Any], *, key: str | None = None) -> Answer:
    """Change something at Stripe; under the same key it happens once, however often it is asked.

    Without a key the SDK makes one, for its own repetitions.
    """
    options = _options() | ({"idempotency_key": key} if key else {})
    return document(ask(lambda: client().raw_request("post", path, **asked, **options)))


def _options() -> Document:
    """What the SDK has to know of a question besides its parameters."""
    allowed = PATIENCE.get()
    return {} if allowed is None or allowed.repeats else {"max_network_retries": 0}


def walk(path: str, asked: Mapping[str, Any]) -> Iterator[Answer]:
    """Every object of a list, page after page; an item that is no object is an empty one.

    Raises:
        StripeUncertain: a page is no list, or does not say where the next one begins.
    """
    cursor, cursors = dict[str, Any](), set[str]()
    while True:
        page = get(path, {**asked, **cursor, "limit": 100})
        items = page.get("data")
        if not isinstance(items, list):
            raise StripeUncertain(replayed=False)
        items = [item if isinstance(item, dict) else {} for item in items]
        yield from (answered(item, page.call) for item in items)
        if not page.get("has_more"):
            return
        last = next((item["id"] for item in items[::-1] if isinstance(item.get("id"), str)), "")
        if not last or last in cursors:
            raise StripeUncertain(replayed=False)
        cursors.add(last)
        cursor["starting_after"] = last
        time.sleep(PAUSE_SECONDS)


def document(response: stripe.StripeResponse) -> Answer:
    """What Stripe answered, as plain dictionaries.

    The SDK's typed methods make an object of each dictionary in an answer, which took more than
    half of a question's processor time; `raw_request` is its documented way without.

    Raises:
        StripeUncertain: it was JSON, but no object of Stripe's.
    """
    if not isinstance(response.data, dict) or "object" not in response.data:
        raise StripeUncertain(replayed=False)
    answer = answered(response.data, TRACE.get())
    answer.repeated = not answer.call or json.loads(answer.call)["replayed"]
    return answer


def answered(said: Document, call: str) -> Answer:
    answer = Answer(said)
    answer.call = call
    return answer


def verify(body: bytes, header: str, secrets: list[str]) -> None:
    """Hold a webhook's raw bytes against its signature, with each secret that is in use.

    The SDK lets a timestamp from the future pass at any distance; here it is refused as one
    from the past is.

    Raises:
        SignatureRefused: no secret fits, or the timestamp is over five minutes off.
    """
    if not header.isascii() or len(header) > HEADER_LENGTH:
        raise SignatureRefused
    if not any(_signed(body, header, secret) for secret in secrets):
        raise SignatureRefused
    signed_at = next(part.split("=")[1] for part in header.split(",") if part.startswith("t="))
    # As the SDK read it: `t=1=2` is 1. By Stripe's clock, as far as it is known.
    off_seconds = int(signed_at) - now_at_stripe().timestamp()
    if abs(off_seconds) > TOLERANCE_SECONDS:
        raise SignatureRefused(
            f"The signature is genuine, but its time is {abs(off_seconds):.0f} seconds "
            f"{'ahead' if off_seconds > 0 else 'old'}. Check this machine's clock."
        )


def _signed(body: bytes, header: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, header, secret)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True

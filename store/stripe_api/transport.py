"""The connection to Stripe: the SDK's client, time limits, retries, errors, `get`, `post`, pages.

Whatever answers at `STRIPE_API_BASE` is Stripe to this package. Answers are plain dictionaries,
errors those of `store/core/errors.py`, without a word of Stripe's own text.
"""

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

import stripe
import urllib3
from stripe import StripeClient

from store.core import errors, settings
from store.stripe_api import network
from store.stripe_api.clock_skew import CLOCK_SKEW

log = logging.getLogger(__name__)

ATTEMPT_SECONDS = 10.0
CALL_SECONDS = 25.0  # of one call, with its retries and the pauses between them
RETRIES = 2
BUSY_PAUSES_SECONDS = (0.5, 1.0, 2.0)
# Stripe keeps idempotency keys for at least 24 hours; after that a retry would be a new request.
IDEMPOTENCY_KEY_TTL = timedelta(hours=23)
PAUSE_SECONDS = 1 / 25  # a Stripe sandbox answers 25 requests a second
CHUNK_BYTES = 64 * 1024
PERMISSION = re.compile(r"\brak_[a-z_]{1,50}")

stripe.enable_telemetry = False  # it would write a file into the home folder

Document = dict[str, Any]
Headers = Mapping[str, str] | None
Answer = tuple[Any, int, Mapping[str, str]]
"""The body of an HTTP response, its status and its headers."""


class StripeResponse(Document):
    """An object of Stripe's; `call` describes the request: status, ids, milliseconds, as JSON.

    With `replayed`, Stripe stored the answer when the key was first used, and it may be old.
    """

    def __init__(self, document: Document, call: str = "", *, replayed: bool = True) -> None:
        super().__init__(document)
        self.call, self.replayed = call, replayed


@dataclass(frozen=True)
class TimeLimit:
    """How long a call may take in all, and whether it is retried where Stripe is busy."""

    seconds: float
    retry: bool = True


TIME_LIMIT: ContextVar[TimeLimit | None] = ContextVar("TIME_LIMIT", default=None)
# When the current call has to end, by `time.monotonic()`.
DEADLINE = ContextVar("DEADLINE", default=float("inf"))


@contextmanager
def time_limit(seconds: float, *, retry: bool = True) -> Iterator[None]:
    """Limit each call in the block to this time; without `retry`, to one attempt."""
    before = TIME_LIMIT.set(TimeLimit(seconds, retry))
    try:
        yield
    finally:
        TIME_LIMIT.reset(before)


def seconds_left() -> float:
    """What is left of the time of the current call."""
    return DEADLINE.get() - time.monotonic()


class DeadlineClient(stripe.RequestsClient):
    """The SDK's HTTP client with a deadline; it also measures the clock by each answer."""

    @property
    def _timeout(self) -> float:
        """The SDK's time for one attempt: no longer than the call has left."""
        return max(min(self._longest, seconds_left()), 0.001)

    @_timeout.setter
    def _timeout(self, seconds: float) -> None:
        self._longest = seconds

    def request(
        self, method: str, url: str, headers: Headers, post_data: Any = None, **_usage: Any
    ) -> Answer:
        if seconds_left() <= 0:
            raise stripe.APIConnectionError("The time is over.", should_retry=False)  # type: ignore[no-untyped-call]
        content, status, response_headers = self.send(method, url, headers, post_data)
        CLOCK_SKEW.update(response_headers.get("Date", ""))
        return content, status, response_headers

    def send(self, method: str, url: str, headers: Headers, post_data: Any) -> Answer:
        """One attempt, whose answer is read to its end within the time, however slow it is."""
        if getattr(self._thread_local, "session", None) is None:
            self._thread_local.session = network.Session()  # instead of the SDK's own
        raw, status, response_headers = super().request_stream(method, url, headers, post_data)
        deadline = min(time.monotonic() + self._longest, DEADLINE.get())
        return read_body(raw, deadline), status, response_headers


def read_body(raw: Any, deadline: float) -> bytes:
    """The body of an answer; the socket's own timeout would not stop one that trickles in."""
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
    """The SDK's client for this key and address."""
    return StripeClient(
        key,
        base_addresses={"api": base} if base else {},
        max_network_retries=RETRIES,
        http_client=DeadlineClient(timeout=ATTEMPT_SECONDS),
    )


def api_base() -> str:
    """The address of Stripe's API."""
    return settings.current().api_base or network.STRIPE


PARAMETER_SETTINGS = {
    "success_url": "STORE_URL is an address that it accepts",
    "cancel_url": "STORE_URL is an address that it accepts",
    "customer_email": "DEMO_CUSTOMER_EMAIL is one that it accepts, or is not set",
}
"""What to correct where Stripe refuses a parameter that comes from a setting."""

# The first row that fits decides; the SDK's class follows the HTTP status.
ERROR_MAP: tuple[tuple[type[stripe.StripeError], int | None, type[errors.StripeError]], ...] = (
    (stripe.APIConnectionError, None, errors.StripeUnreachable),
    (stripe.RateLimitError, None, errors.StripeBusy),
    (stripe.AuthenticationError, None, errors.StripeKeyRefused),
    (stripe.PermissionError, None, errors.StripePermissionMissing),
    (stripe.APIError, 409, errors.StripeBusy),
    (stripe.InvalidRequestError, 404, errors.StripeNotFound),
    (stripe.InvalidRequestError, None, errors.StripeRefused),
    (stripe.IdempotencyError, None, errors.StripeRefused),
    (stripe.CardError, None, errors.StripeRefused),
    (stripe.StripeError, None, errors.StripeUncertain),
)


def to_store_error(error: stripe.StripeError) -> errors.StripeError:
    """The store's error for one of the SDK's."""
    mapped = next(
        store_error(for_operator=_cause(error))
        for kind, http_status, store_error in ERROR_MAP
        if isinstance(error, kind) and http_status in (None, error.http_status)
    )
    mapped.code = _identifier(error.code)
    mapped.param = _identifier(getattr(error, "param", None))
    mapped.replayed = _is_replayed(error.headers or {})
    return mapped


def _cause(error: stripe.StripeError) -> str:
    """What an operator can do about an answer that is missing or is not Stripe's."""
    if isinstance(error, stripe.APIConnectionError):
        return f"Stripe did not answer. {network.cause(error, api_base())}"
    if type(error) is stripe.APIError and error.error is None:
        return _not_stripe(error.http_status)
    setting = PARAMETER_SETTINGS.get(_identifier(getattr(error, "param", None)))
    return f"Stripe refuses every checkout until {setting}." if setting else ""


def _not_stripe(http_status: int | None) -> str:
    status = f" (HTTP {http_status})" if http_status else ""
    via = network.proxy_for(api_base())
    between = f"the proxy of {via.variable}" if via else "a proxy, or a network's sign-in page"
    return f"What answers at {api_base()} is not Stripe{status}: it may be {between}."


def _identifier(value: object) -> str:
    """Stripe's name for something; empty for anything longer or odder than a name."""
    return value if isinstance(value, str) and value.isidentifier() and len(value) < 60 else ""


def get(path: str, params: Mapping[str, Any]) -> StripeResponse:
    """One object of Stripe's."""
    return call_with_retry("GET", path, params)


def post(path: str, params: Mapping[str, Any], *, key: str | None = None) -> StripeResponse:
    """Change something at Stripe; under the same key it happens once, however often it is sent.

    Without a key the SDK makes one, for its own retries.
    """
    return call_with_retry("POST", path, params, key)


def paginate(path: str, params: Mapping[str, Any]) -> Iterator[StripeResponse]:
    """Every object of a list, page after page; an item that is no object is an empty one.

    StripeUncertain if a page is no list, or does not say where the next one begins.
    """
    cursor, cursors = dict[str, Any](), set[str]()
    while True:
        page = get(path, {**params, **cursor, "limit": 100})
        items = page.get("data")
        if not isinstance(items, list):
            raise errors.StripeUncertain
        items = [item if isinstance(item, dict) else {} for item in items]
        yield from (StripeResponse(item, page.call) for item in items)
        if not page.get("has_more"):
            return
        last = next((item["id"] for item in items[::-1] if isinstance(item.get("id"), str)), "")
        if not last or last in cursors:
            raise errors.StripeUncertain
        cursors.add(last)
        cursor["starting_after"] = last
        time.sleep(PAUSE_SECONDS)


def call_with_retry(
    method: str, path: str, params: Mapping[str, Any], key: str | None = None
) -> StripeResponse:
    """Make one call; retry it under its own key while Stripe is busy and there is time left.

    The SDK's typed methods make an object of each dictionary in an answer, which took more than
    half of a call's processor time; `raw_request` is its documented way without. An error's `call`
    describes the last answer, if any.
    """
    limit, current = TIME_LIMIT.get() or TimeLimit(CALL_SECONDS), settings.current()
    client, request = client_for(current.api_key, current.api_base), f"{method} {path}"
    DEADLINE.set(time.monotonic() + limit.seconds)
    options: Document = {"idempotency_key": key} if key else {}
    if not limit.retry:
        options["max_network_retries"] = 0
    for pause in (*BUSY_PAUSES_SECONDS, None):
        started = time.monotonic()
        try:
            response = client.raw_request(method.lower(), path, **params, **options)
        except stripe.StripeError as error:
            mapped = _failure(error, request, key, started)
            again = limit.retry and isinstance(mapped, errors.StripeBusy)
            if pause is None or not again or pause > seconds_left():
                raise mapped from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # The SDK fails on JSON that is not Stripe's, such as a proxy's `{"error": "down"}`.
            raise errors.StripeUncertain(for_operator=_not_stripe(None)) from error
        else:
            if not isinstance(response.data, dict) or "object" not in response.data:
                raise errors.StripeUncertain
            call = _describe(request, response.code, response.headers, key, started)
            return StripeResponse(response.data, call, replayed=_is_replayed(response.headers))
        time.sleep(pause)
    raise AssertionError("the last pass either returns or raises")


def _failure(
    error: stripe.StripeError, request: str, key: str | None, started: float
) -> errors.StripeError:
    """The store's error, with what is known of the call."""
    mapped = to_store_error(error)
    if error.http_status:
        mapped.call = _describe(request, error.http_status, error.headers or {}, key, started)
    if isinstance(mapped, errors.StripeRefused) and mapped.param in PARAMETER_SETTINGS:
        log.error("%s", mapped.for_operator)
    if isinstance(mapped, errors.StripePermissionMissing):
        named = PERMISSION.search(str(error.user_message or ""))
        mapped.permission = named.group() if named else ""
        permission = f"permission {mapped.permission}".strip()
        mapped.for_operator = f"The restricted Stripe key lacks the {permission} for {request}."
    return mapped


def _describe(
    request: str, status: int, headers: Mapping[str, str], key: str | None, started: float
) -> str:
    """A call as JSON, as an order's history stores it; `started` is of `time.monotonic()`."""
    return json.dumps(
        {
            "request": request,
            "http_status": status,
            "request_id": headers.get("Request-Id"),
            "idempotency_key": key or headers.get("Idempotency-Key"),
            "replayed": _is_replayed(headers),
            "milliseconds": round((time.monotonic() - started) * 1000),
        }
    )


def _is_replayed(headers: Mapping[str, str]) -> bool:
    return headers.get("Idempotent-Replayed") == "true"

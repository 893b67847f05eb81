"""One API request from its bytes to its answer: key, address, parameters, act, answer.

Everything here is synchronous and ignorant of HTTP servers; `asgi.py` carries it over the wire.
"""

import json
import re
import time
from dataclasses import astuple, dataclass, field, replace

from stripe_emulator import faults
from stripe_emulator.account.account import Account
from stripe_emulator.api import (
    authentication,
    expand,
    idempotency,
    malformed,
    request_faults,
    routes,
    versions,
)
from stripe_emulator.api.idempotency import Saved
from stripe_emulator.api.request_faults import ACCOUNT_ID
from stripe_emulator.api.routes import Operation
from stripe_emulator.base.config import API_VERSION
from stripe_emulator.base.errors import AccountInvalid, ApiError, InvalidRequest, StripeError
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import LoggedRequest, Trouble
from stripe_emulator.parameters import form_encoding, parameters, unsupported
from stripe_emulator.storage.transaction import Books, Cause

KEPT_REQUESTS = 10_000
SHOWN_CHARACTERS = 20_000
SECRET = re.compile(r"whsec_\w+")
FORM = "application/x-www-form-urlencoded"


@dataclass
class Incoming:
    """One request as it came."""

    method: str
    path: str
    query: bytes
    body: bytes
    content_type: str
    authorization: str | None
    idempotency_key: str | None
    account: str | None = None
    """The account the request is for, where its headers name one."""
    version: str = ""
    """The API version the request asks for, and once it was checked the one it gets."""
    address: str = ""
    """Where it found the emulator: scheme, name and port."""
    id: str = field(default_factory=lambda: new_id("request"))
    started: float = field(default_factory=time.perf_counter)
    key: str = ""
    raw: form_encoding.Raw = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What goes back, and the trouble `asgi.py` has to make on the way."""

    status: int
    body: bytes
    headers: dict[str, str]
    trouble: Trouble | None = None


class Gate:
    """The API of one account."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def answer(self, incoming: Incoming) -> Answer:
        """Carry out one request. Never raises: whatever happens becomes a Stripe error."""
        trouble: Trouble | None = None
        replayed = False
        asked, incoming.version = incoming.version, self.account.config.api_version
        try:
            incoming.key = authentication.authenticated(incoming.authorization)
            if incoming.account not in (None, "", ACCOUNT_ID):
                raise AccountInvalid(
                    authentication.masked(incoming.key), str(incoming.account)[:100]
                )
            incoming.version = versions.checked(asked or incoming.version)
            operation = routes.find(incoming.method, incoming.path)
            incoming.raw = _raw(incoming)
            armed = self._armed()
            if armed:
                trouble = self._strike_before(incoming, operation)
            saved, replayed = self._carry_out(incoming, operation, trouble)
            headers: dict[str, str] = {}
            if armed:
                saved, headers = self._bent(saved, trouble)
        except StripeError as error:
            saved, headers = _refusal(error, incoming), error.headers
        headers = headers | self._headers(incoming, replayed=replayed)
        self._log(incoming, saved, replayed=replayed, trouble=trouble)
        return Answer(saved.status, saved.body, headers, trouble)

    def turn_away(self, incoming: Incoming, error: StripeError) -> Answer:
        """Answer and log a request that is not carried out: its key is still in use."""
        self._log(incoming, _refusal(error, incoming), replayed=False, trouble=None)
        return refused(error, incoming.id)

    def _armed(self) -> bool:
        """Whether anything is going to go wrong at all; else the rest is not looked at."""
        with self.account.storage.reading() as connection:
            return connection.execute("SELECT 1 FROM troubles LIMIT 1").fetchone() is not None

    def _strike_before(self, incoming: Incoming, operation: Operation) -> Trouble | None:
        """The trouble that was ordered for this request; raises where it is refused for it."""
        address = f"{incoming.method} {incoming.path}"
        names = request_faults.names(operation.name, address, operation.object_id, incoming.raw)
        with self.account.storage.writing() as connection:
            trouble = faults.take(connection, "request", *names)
        if trouble:
            about = request_faults.subject(operation.object_id, incoming.raw)
            key = authentication.masked(incoming.key)
            request_faults.before(trouble, incoming.path, incoming.method, key, about)
        return trouble

    def _bent(self, saved: Saved, trouble: Trouble | None) -> tuple[Saved, dict[str, str]]:
        """The answer that goes out: malformed as a whole, or in the items that shall be."""
        if saved.status != 200:
            return saved, {}
        if trouble and trouble.kind == "malformed":
            body, headers = malformed.answer(saved.body, trouble.value)
            return replace(saved, body=body), headers
        with self.account.storage.writing() as connection:
            body = malformed.items(saved.body, lambda item: faults.shape_of(connection, item))
        return replace(saved, body=body), {}

    def _carry_out(
        self, incoming: Incoming, operation: Operation, trouble: Trouble | None
    ) -> tuple[Saved, bool]:
        """The answer, and whether it was given before."""
        if incoming.method == "GET":
            with self.account.reading() as books:
                return _acted(books, incoming, operation), False
        key = incoming.idempotency_key if incoming.method == "POST" else None
        request = (
            f"{incoming.method} {incoming.path}",
            form_encoding.canonical(form_encoding.masked(incoming.raw)),
        )
        cause = Cause(incoming.id, incoming.idempotency_key, incoming.address)
        try:
            with self.account.writing(cause) as books:
                before = key and idempotency.recall(books.connection, key, *request, books.now)
                if before:
                    return before, True
                request_faults.refuse(
                    trouble, request_faults.subject(operation.object_id, incoming.raw)
                )
                saved = _acted(books, incoming, operation)
                saved = _strike_after(trouble, saved, incoming)
                if key:
                    idempotency.save(books.connection, key, request, saved, books.now)
        except StripeError as error:
            if not (error.saved and key):
                raise
            saved = _refusal(error, incoming)
            with self.account.writing() as books:  # the act itself was rolled back
                idempotency.save(books.connection, key, request, saved, books.now)
        return saved, False

    def _headers(self, incoming: Incoming, *, replayed: bool) -> dict[str, str]:
        headers = {"Request-Id": incoming.id, "Stripe-Version": incoming.version}
        key = incoming.idempotency_key
        if key and key.isascii() and key.isprintable():
            headers["Idempotency-Key"] = key
        if replayed:
            headers["Idempotent-Replayed"] = "true"
        return headers

    def _log(
        self, incoming: Incoming, saved: Saved, *, replayed: bool, trouble: Trouble | None
    ) -> None:
        """Keep the request for the dashboard and `stripe logs tail`. Its key is masked."""
        logged = LoggedRequest(
            id=incoming.id,
            at=self.account.now(),
            method=incoming.method,
            path=incoming.path[:500],
            status=saved.status,
            seconds=time.perf_counter() - incoming.started,
            key=authentication.masked(incoming.key),
            idempotency_key=incoming.idempotency_key,
            replayed=replayed,
            parameters=json.dumps(form_encoding.masked(incoming.raw))[:SHOWN_CHARACTERS],
            answer=SECRET.sub("whsec_****", saved.body[:SHOWN_CHARACTERS].decode()),
            trouble=trouble.kind if trouble else None,
        )
        with self.account.storage.writing() as connection:
            added = connection.execute(
                "INSERT INTO requests (id, at, method, path, status, seconds, key,"
                " idempotency_key, replayed, parameters, answer, trouble)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                astuple(logged),
            )
            connection.execute(
                "DELETE FROM requests WHERE seq <= ?", ((added.lastrowid or 0) - KEPT_REQUESTS,)
            )
        self.account.on_request(logged)


def refused(error: StripeError, request_id: str) -> Answer:
    """An answer to a request that never came as far as the gate."""
    headers = error.headers | {"Request-Id": request_id, "Stripe-Version": API_VERSION}
    return Answer(error.status, json.dumps(error.body(request_id)).encode(), headers)


def _refusal(error: StripeError, incoming: Incoming) -> Saved:
    body = versions.older(error.body(incoming.id), incoming.version)
    return Saved(error.status, json.dumps(body).encode(), incoming.id)


def _raw(incoming: Incoming) -> form_encoding.Raw:
    """The parameters: of the address for GET and DELETE, else of the body too."""
    raw = form_encoding.decode(incoming.query)
    if incoming.method != "POST" or not incoming.body:
        return raw
    if incoming.content_type.split(";")[0].strip().lower() != FORM:
        raise InvalidRequest(
            f"Invalid request (check that your POST content type is {FORM}). If you have any "
            "questions, we can help at https://support.stripe.com/."
        )
    return raw | form_encoding.decode(incoming.body)


def _acted(books: Books, incoming: Incoming, operation: Operation) -> Saved:
    """Validate, act, expand; in the request's version."""
    try:
        raw = versions.upgraded(operation.name, incoming.raw, incoming.version)
        given = parameters.read(operation.name, raw)
        if incoming.idempotency_key:
            idempotency.check(incoming.idempotency_key)
        unsupported.check(operation.name, given)
        thing = operation.act(books, operation.object_id, given)
        if books.error:  # its effects stay
            return _refusal(books.error, incoming)
        if given.get("expand"):
            # A copy: what an event has said must not change because an answer shows more.
            thing = expand.expanded(books, json.loads(json.dumps(thing)), given["expand"])
    except InvalidRequest as error:
        versions.reword(error, operation.name, incoming.version)
        raise
    thing = versions.older(thing, incoming.version)
    return Saved(200, json.dumps(thing).encode(), incoming.id)


def _strike_after(trouble: Trouble | None, saved: Saved, incoming: Incoming) -> Saved:
    """A 500 after the fact, which the key keeps answering; whether the effects stay or not."""
    error = ApiError("An unknown error occurred.")
    if trouble and trouble.kind == "error_after":
        return _refusal(error, incoming)
    if trouble and trouble.kind == "error_kept":
        raise error
    return saved

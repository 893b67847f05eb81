"""The steps of one API request: key, address, parameters, operation, response.

Everything here is synchronous and independent of HTTP servers; `asgi.py` does the transport.
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
from stripe_emulator.api.idempotency import SavedResponse
from stripe_emulator.api.request_faults import ACCOUNT_ID
from stripe_emulator.api.routes import Operation
from stripe_emulator.base.config import API_VERSION
from stripe_emulator.base.errors import AccountInvalid, ApiError, InvalidRequest, StripeError
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import Fault, LoggedRequest
from stripe_emulator.parameters import form_encoding, parameters, unsupported
from stripe_emulator.storage.transaction import RequestContext, Transaction

KEPT_REQUESTS = 10_000
SHOWN_CHARACTERS = 20_000
SECRET = re.compile(r"whsec_\w+")
FORM = "application/x-www-form-urlencoded"


@dataclass
class ApiRequest:
    """One request as it was received."""

    method: str
    path: str
    query: bytes
    body: bytes
    content_type: str
    authorization: str | None
    idempotency_key: str | None
    account: str | None = None
    """The account named by the `Stripe-Account` header, if any."""
    version: str = ""
    """The API version that the request names; after the check, the one it gets."""
    address: str = ""
    """The address at which it reached the emulator: scheme, name and port."""
    id: str = field(default_factory=lambda: new_id("request"))
    started: float = field(default_factory=time.perf_counter)
    key: str = ""
    raw: form_encoding.Raw = field(default_factory=dict)


@dataclass(frozen=True)
class ApiResponse:
    """The response, and the fault that `asgi.py` applies to the connection."""

    status: int
    body: bytes
    headers: dict[str, str]
    fault: Fault | None = None


class RequestPipeline:
    """The API of one account."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def handle(self, request: ApiRequest) -> ApiResponse:
        """Run one request. Never raises: every error becomes a Stripe error response."""
        fault: Fault | None = None
        replayed = False
        requested_version, request.version = request.version, self.account.config.api_version
        try:
            request.key = authentication.authenticated(request.authorization)
            if request.account not in (None, "", ACCOUNT_ID):
                raise AccountInvalid(authentication.masked(request.key), str(request.account)[:100])
            request.version = versions.checked(requested_version or request.version)
            operation = routes.find_operation(request.method, request.path)
            request.raw = _raw_parameters(request)
            armed = self._armed()
            if armed:
                fault = self._fault_before(request, operation)
            saved, replayed = self._carry_out(request, operation, fault)
            headers: dict[str, str] = {}
            if armed:
                saved, headers = self._bent(saved, fault)
        except StripeError as error:
            saved, headers = _error_response(error, request), error.headers
        headers = headers | self._headers(request, replayed=replayed)
        self._log(request, saved, replayed=replayed, fault=fault)
        return ApiResponse(saved.status, saved.body, headers, fault)

    def reject(self, request: ApiRequest, error: StripeError) -> ApiResponse:
        """Return and log the refusal of a request that is not run, because its key is in use."""
        self._log(request, _error_response(error, request), replayed=False, fault=None)
        return rejection(error, request.id)

    def _armed(self) -> bool:
        """Return whether any request fault is armed; if not, the fault checks are skipped."""
        with self.account.storage.reading() as connection:
            return connection.execute("SELECT 1 FROM troubles LIMIT 1").fetchone() is not None

    def _fault_before(self, request: ApiRequest, operation: Operation) -> Fault | None:
        """Return the fault of this request, if any. Raises StripeError if the fault is a
        refusal."""
        address = f"{request.method} {request.path}"
        names = request_faults.names(operation.name, address, operation.object_id, request.raw)
        with self.account.storage.writing() as connection:
            fault = faults.take(connection, "request", *names)
        if fault:
            subject_id = request_faults.subject(operation.object_id, request.raw)
            key = authentication.masked(request.key)
            request_faults.before(fault, request.path, request.method, key, subject_id)
        return fault

    def _bent(
        self, saved: SavedResponse, fault: Fault | None
    ) -> tuple[SavedResponse, dict[str, str]]:
        """Return the response with the malformed fault applied to all of it or to some items."""
        if saved.status != 200:
            return saved, {}
        if fault and fault.kind == "malformed":
            body, headers = malformed.answer(saved.body, fault.value)
            return replace(saved, body=body), headers
        with self.account.storage.writing() as connection:
            body = malformed.items(saved.body, lambda item: faults.shape_of(connection, item))
        return replace(saved, body=body), {}

    def _carry_out(
        self, request: ApiRequest, operation: Operation, fault: Fault | None
    ) -> tuple[SavedResponse, bool]:
        """Return the response, and whether it is a replay."""
        if request.method == "GET":
            with self.account.reading() as tx:
                return _run_operation(tx, request, operation), False
        key = request.idempotency_key if request.method == "POST" else None
        fingerprint = (
            f"{request.method} {request.path}",
            form_encoding.canonical(form_encoding.masked(request.raw)),
        )
        cause = RequestContext(request.id, request.idempotency_key, request.address)
        try:
            with self.account.writing(cause) as tx:
                before = key and idempotency.recall(tx.connection, key, *fingerprint, tx.now)
                if before:
                    return before, True
                request_faults.refuse(
                    fault, request_faults.subject(operation.object_id, request.raw)
                )
                saved = _run_operation(tx, request, operation)
                saved = _fault_after(fault, saved, request)
                if key:
                    idempotency.save(tx.connection, key, fingerprint, saved, tx.now)
        except StripeError as error:
            if not (error.saved and key):
                raise
            saved = _error_response(error, request)
            with self.account.writing() as tx:  # the operation itself was rolled back
                idempotency.save(tx.connection, key, fingerprint, saved, tx.now)
        return saved, False

    def _headers(self, request: ApiRequest, *, replayed: bool) -> dict[str, str]:
        headers = {"Request-Id": request.id, "Stripe-Version": request.version}
        key = request.idempotency_key
        if key and key.isascii() and key.isprintable():
            headers["Idempotency-Key"] = key
        if replayed:
            headers["Idempotent-Replayed"] = "true"
        return headers

    def _log(
        self, request: ApiRequest, saved: SavedResponse, *, replayed: bool, fault: Fault | None
    ) -> None:
        """Log the request for the dashboard and `stripe logs tail`, with its key masked."""
        logged = LoggedRequest(
            id=request.id,
            at=self.account.now(),
            method=request.method,
            path=request.path[:500],
            status=saved.status,
            seconds=time.perf_counter() - request.started,
            key=authentication.masked(request.key),
            idempotency_key=request.idempotency_key,
            replayed=replayed,
            parameters=json.dumps(form_encoding.masked(request.raw))[:SHOWN_CHARACTERS],
            response=SECRET.sub("whsec_****", saved.body[:SHOWN_CHARACTERS].decode()),
            trouble=fault.kind if fault else None,
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


def rejection(error: StripeError, request_id: str) -> ApiResponse:
    """Return the response to a request that could not be read or run."""
    headers = error.headers | {"Request-Id": request_id, "Stripe-Version": API_VERSION}
    return ApiResponse(error.status, json.dumps(error.body(request_id)).encode(), headers)


def _error_response(error: StripeError, request: ApiRequest) -> SavedResponse:
    body = versions.older(error.body(request.id), request.version)
    return SavedResponse(error.status, json.dumps(body).encode(), request.id)


def _raw_parameters(request: ApiRequest) -> form_encoding.Raw:
    """Return the parameters of the query string, and for POST also of the body."""
    raw = form_encoding.decode(request.query)
    if request.method != "POST" or not request.body:
        return raw
    if request.content_type.split(";")[0].strip().lower() != FORM:
        raise InvalidRequest(
            f"Invalid request (check that your POST content type is {FORM}). If you have any "
            "questions, we can help at https://support.stripe.com/."
        )
    return raw | form_encoding.decode(request.body)


def _run_operation(tx: Transaction, request: ApiRequest, operation: Operation) -> SavedResponse:
    """Validate the parameters, run the operation and expand, in the request's API version."""
    try:
        raw = versions.upgraded(operation.name, request.raw, request.version)
        params = parameters.read(operation.name, raw)
        if request.idempotency_key:
            idempotency.check(request.idempotency_key)
        unsupported.check(operation.name, params)
        stripe_object = operation.act(tx, operation.object_id, params)
        if tx.error:  # its effects are kept
            return _error_response(tx.error, request)
        if params.get("expand"):
            # Expand a copy: the snapshot in an event must not change with the response.
            stripe_object = expand.expanded(
                tx, json.loads(json.dumps(stripe_object)), params["expand"]
            )
    except InvalidRequest as error:
        versions.reword(error, operation.name, request.version)
        raise
    stripe_object = versions.older(stripe_object, request.version)
    return SavedResponse(200, json.dumps(stripe_object).encode(), request.id)


def _fault_after(fault: Fault | None, saved: SavedResponse, request: ApiRequest) -> SavedResponse:
    """Return a 500 although the operation ran; the key repeats it. The kind decides whether the
    effects are kept."""
    error = ApiError("An unknown error occurred.")
    if fault and fault.kind == "error_after":
        return _error_response(error, request)
    if fault and fault.kind == "error_kept":
        raise error
    return saved

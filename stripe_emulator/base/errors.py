"""Stripe's errors, with the status and the words Stripe answers.

    StripeError
    ├── InvalidRequest       400  a parameter, or the state of an object, forbids it
    ├── NotFound             404  resource_missing
    ├── CardError            402  a bank declined; the attempt and its events stay
    ├── Unauthorized         401  no key, or one that is not a test key
    ├── PermissionMissing    403  a restricted key without the right for this call
    ├── AccountInvalid       403  the Stripe-Account header names another account
    ├── KeyMismatch          400  idempotency_error
    ├── KeyInUse             409  idempotency_key_in_use
    ├── RateLimited          429  rate_limit or lock_timeout
    └── ApiError             500  api_error

`saved` says whether an idempotency key keeps the answer: what began executing is kept, what
failed validation is not (docs.stripe.com/error-low-level).
"""

from typing import ClassVar

DOCS = "https://stripe.com/docs/error-codes/"


NAMES = {
    "payment_method": "PaymentMethod",
    "promotion_code": "promotion code",
    "setup_intent": "setupintent",
    "shipping_rate": "shipping rate",
}
"""Kinds that Stripe's messages name differently."""


class StripeError(Exception):
    """An error response in Stripe's shape."""

    status: ClassVar[int] = 400
    type: ClassVar[str] = "invalid_request_error"
    saved: bool = False
    headers: dict[str, str]

    def __init__(
        self, message: str, *, code: str | None = None, param: str | None = None, **more: object
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.more = more
        self.headers = {}

    def body(self, request_id: str) -> dict[str, object]:
        """Return the JSON of the response."""
        error: dict[str, object] = {"message": self.message, "type": self.type, **self.more}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = DOCS + self.code.replace("_", "-")
        if self.param:
            error["param"] = self.param
        if self.type != "idempotency_error":
            error["request_log_url"] = f"/requests/{request_id}"
        return {"error": dict(sorted(error.items()))}


class InvalidRequest(StripeError):
    """A request that Stripe refuses because of a parameter."""

    @classmethod
    def unknown(cls, kind: str, object_id: str, param: str) -> "InvalidRequest":
        """Return the error of a parameter that names a missing object: 400, while its own address
        is a 404."""
        message = f"No such {NAMES.get(kind, kind)}: '{object_id}'"
        return cls(message, code="resource_missing", param=param)


class Refused(InvalidRequest):
    """A valid request that the state of an object forbids. It began executing, so its key is
    kept."""

    saved = True


class NotFound(StripeError):
    """A missing object or address."""

    status = 404

    @classmethod
    def resource(cls, kind: str, object_id: str, param: str = "id") -> "NotFound":
        """Return the error of a missing object; Stripe quotes every id but a Checkout Session's.

        Which `param` a missing session names is unverified.
        """
        shown = object_id if kind == "checkout.session" else f"'{object_id}'"
        message = f"No such {NAMES.get(kind, kind)}: {shown}"
        return cls(message, code="resource_missing", param=param)


class CardError(StripeError):
    """A declined card. `more` carries `decline_code`, the payment and the payment method."""

    status = 402
    type = "card_error"
    saved = True


class Unauthorized(StripeError):
    """A missing key, or one that is not a test key."""

    status = 401

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.headers = {"WWW-Authenticate": 'Basic realm="Stripe"'}


class PermissionMissing(StripeError):
    """A restricted key without the permission for this call."""

    status = 403


class AccountInvalid(StripeError):
    """A request for an account that the key does not belong to."""

    status = 403

    def __init__(self, key: str, account: str) -> None:
        super().__init__(
            f"The provided key '{key}' does not have access to account '{account}' (or that "
            "account does not exist). Application access may have been revoked.",
            code="account_invalid",
        )


class KeyMismatch(StripeError):
    """An idempotency key that was used for a different request."""

    type = "idempotency_error"


class KeyInUse(StripeError):
    """An idempotency key whose first request is in progress."""

    status = 409


class RateLimited(StripeError):
    """Too many requests, or an object that another request has locked."""

    status = 429


class ApiError(StripeError):
    """A failure on Stripe's side; whether the request took effect is unknown."""

    status = 500
    type = "api_error"
    saved = True

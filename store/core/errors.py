"""The errors of the store, as one tree; each has a sentence for buyers and one for operators.

`str(error)` is for buyers. `error.for_operator` is for the command line, the back office and the
log, without what only concerns a buyer, such as "You have not been charged".

StoreError
├── SettingsError            a setting or a file in data/ is missing, wrong or dangerous (exit 2)
├── DatabaseUnavailable      locked, gone, full or read-only
│   └── DatabaseUnusable     it answers, but the shop cannot work in it as it is
├── SchemaUnknown            the database belongs to a newer version of the shop
├── CatalogError             products that cannot be sold together
├── SignatureRefused         a webhook that Stripe did not sign, or signed too long ago
├── WebhookSecretMissing     nothing to hold a signature against
├── MethodRefused, BodyTooLarge, BodyTooSlow   answered before the body is read
├── EventMalformed           a signed body that is not an event
├── QueueFull, QueueBroken   events that Stripe has to send again
├── CartError                what is in the cart cannot be bought as it stands
│   ├── EmptyCart, QuantityRefused
│   ├── AmountRefused        below or above what Stripe accepts
│   ├── PriceChanged         the amount on the button is no longer the price
│   ├── OpenOrderFound       Pay would cancel an open order that the page did not show
│   └── JustBought           the same cart was paid minutes ago
├── OrderNotFound            unknown, or a stranger's: both answer alike
├── OtherOrderPaid           the checkout that was to be replaced turned out to be paid
├── NothingToRefund
│   └── RefundChanged        somebody else has just given some of it back
└── StripeError              Stripe did not do what was asked
    ├── StripeUnreachable    no answer, or none that can be trusted: the outcome is unknown
    │   └── StripeUncertain  5xx or nonsense: it may have happened all the same
    ├── StripeBusy           429, or the same request is still running
    ├── StripeKeyRefused     401
    ├── StripePermissionMissing  403: a restricted key without the right for this one thing
    └── StripeRefused        400: Stripe understood and said no
        └── StripeNotFound
            └── CheckoutOutOfReach  an open session that may be payable where the key cannot see it
"""

import json
from datetime import datetime
from http import HTTPStatus


class StoreError(Exception):
    """The root; without an `operator_sentence`, both sentences are the same."""

    sentence = "Something went wrong. You have not been charged."
    operator_sentence = "Something went wrong."
    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init_subclass__(cls) -> None:
        """A class with its own sentence does not inherit the operator's sentence."""
        if "sentence" in cls.__dict__ and "operator_sentence" not in cls.__dict__:
            cls.operator_sentence = ""

    def __init__(self, sentence: str | None = None, *, for_operator: str = "") -> None:
        super().__init__(sentence or self.sentence)
        class_sentence = "" if sentence else self.operator_sentence
        self.for_operator = for_operator or class_sentence or str(self)


class SettingsError(StoreError):
    sentence = "A setting is wrong."


class DatabaseUnavailable(StoreError):
    sentence = "The shop's database does not answer. You have not been charged. Try again soon."
    operator_sentence = "The database does not answer; python -m store doctor says why."
    status = HTTPStatus.SERVICE_UNAVAILABLE


class DatabaseUnusable(DatabaseUnavailable):
    """What is wrong with the database, and what to do about it, for operators."""

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(for_operator=f"{problem} {remedy}".strip())
        self.problem, self.remedy = problem, remedy


class SchemaUnknown(StoreError):
    sentence = "The database was made by a newer version of this shop. Update the shop first."
    status = HTTPStatus.SERVICE_UNAVAILABLE


class CatalogError(StoreError):
    sentence = "The products cannot be sold together."


class SignatureRefused(StoreError):
    sentence = "The signature of this webhook is not valid."
    status = HTTPStatus.BAD_REQUEST


class WebhookSecretMissing(StoreError):
    sentence = (
        "STRIPE_WEBHOOK_SECRET is not set, so no webhook can be verified and none is accepted. "
        "Payments still settle when the buyer returns and by asking Stripe."
    )
    status = HTTPStatus.SERVICE_UNAVAILABLE


class MethodRefused(StoreError):
    sentence = "Events are posted here, and nothing else is done."
    status = HTTPStatus.METHOD_NOT_ALLOWED


class BodyTooLarge(StoreError):
    sentence = "This body is larger than any Stripe event."
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BodyTooSlow(StoreError):
    sentence = "The body did not arrive in time."
    status = HTTPStatus.REQUEST_TIMEOUT


class EventMalformed(StoreError):
    sentence = "This is not a Stripe event."
    status = HTTPStatus.BAD_REQUEST


class QueueFull(StoreError):
    sentence = "Too many events at once. Send this one again in a moment."
    status = HTTPStatus.SERVICE_UNAVAILABLE


class QueueBroken(StoreError):
    sentence = "This event could not be taken in just now. Send it again in a moment."
    status = HTTPStatus.SERVICE_UNAVAILABLE


class CartError(StoreError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY


class EmptyCart(CartError):
    sentence = "Your cart is empty. Choose a quantity first."


class QuantityRefused(CartError):
    sentence = "Quantities are whole numbers from 0 to 10."


class AmountRefused(CartError):
    sentence = "This total is outside what can be paid by card."


class PriceChanged(CartError):
    sentence = (
        "A price changed since this page was shown. Look at the new total, then press Pay again."
    )


class OpenOrderFound(CartError):
    def __init__(self, number: str) -> None:
        super().__init__(
            f"You have another order that is not paid yet, {number}. Paying for this cart cancels "
            "it: press Pay again if you want that."
        )


class JustBought(CartError):
    def __init__(self, minutes: int) -> None:
        when = "less than a minute ago" if minutes < 1 else f"{minutes} min ago"
        super().__init__(f"You bought exactly this {when}. Buy it once more?")


class OrderNotFound(StoreError):
    sentence = "There is no such order here."
    status = HTTPStatus.NOT_FOUND


class OtherOrderPaid(StoreError):
    status = HTTPStatus.CONFLICT

    def __init__(self, number: str) -> None:
        super().__init__(
            f"Your earlier order {number} has just been paid. Press Pay again to also buy this."
        )
        self.number = number


class NothingToRefund(StoreError):
    sentence = "There is not that much left to refund."
    status = HTTPStatus.CONFLICT


class RefundChanged(NothingToRefund):
    sentence = (
        "Somebody else has just given some of this back. Look at what is left, then decide again."
    )


class StripeError(StoreError):
    """`call` describes the request and the answer, if any: status, ids, milliseconds, as JSON.

    `code` is Stripe's error code (`charge_already_refunded`), `param` the parameter concerned
    (`expires_at`); both may be empty. `replayed`: Stripe repeats what it stored when the
    idempotency key was first used.
    """

    sentence = "Stripe could not do this. You have not been charged."
    operator_sentence = "Stripe could not do this."
    status = HTTPStatus.BAD_GATEWAY
    call = code = param = ""
    replayed = False

    @property
    def request_id(self) -> str | None:
        """The id by which Stripe finds the request in its logs, if it answered."""
        return json.loads(self.call).get("request_id") if self.call else None


class StripeUnreachable(StripeError):
    sentence = "Stripe did not answer. You have not been charged. Try again: it is safe."
    operator_sentence = (
        "Stripe did not answer, so it may have done what it was asked or not. Asking again is safe."
    )
    status = HTTPStatus.SERVICE_UNAVAILABLE


class StripeUncertain(StripeUnreachable):
    """If it was `replayed`, the same idempotency key cannot succeed."""


class StripeBusy(StripeError):
    sentence = "Stripe is busy. You have not been charged. Try again in a moment: it is safe."
    operator_sentence = "Stripe is busy. Try again in a moment: it is safe."
    status = HTTPStatus.SERVICE_UNAVAILABLE


class StripeKeyRefused(StripeError):
    sentence = (
        "Stripe does not accept this shop's key, so nothing can be bought now. "
        "You have not been charged."
    )
    operator_sentence = "Stripe does not accept this shop's key."


class StripePermissionMissing(StripeError):
    """`permission` is Stripe's name (`rak_event_read`)."""

    sentence = (
        "This shop's Stripe key lacks a permission, so this cannot be done now. "
        "You have not been charged."
    )
    operator_sentence = "The restricted Stripe key lacks a permission."
    permission = ""


class StripeRefused(StripeError):
    sentence = "Stripe refused this order. You have not been charged."
    operator_sentence = "Stripe refused this."


class StripeNotFound(StripeRefused):
    sentence = "Stripe does not know this payment."


class CheckoutOutOfReach(StripeNotFound):
    """Stripe does not know the session under this key; it closes by itself at `until`."""

    def __init__(self, until: datetime) -> None:
        super().__init__(
            f"Your earlier checkout cannot be reached now. You have not been charged. It closes by "
            f"itself at {until:%H:%M} UTC; then you can buy again.",
            for_operator="Stripe does not know this session; it may still be payable elsewhere. "
            f"The order is closed at {until:%H:%M} UTC.",
        )

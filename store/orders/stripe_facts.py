"""Facts: what Stripe reports about an order, as typed values read from its objects."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import ConfigDict, Field, StringConstraints
from pydantic.dataclasses import dataclass

from store.core.errors import StripeUncertain
from store.orders.status_rules import REFUND_RANK

Document = Mapping[str, Any]
# PostgreSQL cannot store NUL; strict types keep whatever else is not what Stripe documents out.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=5000)]
# As long as our own numbers and Stripe's ids may become; a key of an index must stay short.
Id = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", min_length=1, max_length=255)]
# What an integer column holds on every database; no payment of this shop comes near.
Amount = Annotated[int, Field(gt=0, lt=2**31)]
# States of a delayed payment that failed; its session is complete and cannot be paid again.
UNPAYABLE = ("requires_payment_method", "canceled")
STRICT = ConfigDict(strict=True)
# Stripe asks shops not to tell a buyer these: https://docs.stripe.com/declines/codes
CONFIDENTIAL = frozenset(
    ["fraudulent", "lost_card", "merchant_blacklist", "pickup_card", "stolen_card"]
)
# What reading a document meets that is not as Stripe documents it.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Fact:
    """What Stripe reported about one order; `origin` says where: an event id, or a phrase.

    `call` is JSON to check it by: the event id, or the request's id, HTTP status, milliseconds.
    `checked` is True if an event reported something else first and this was then looked up at
    Stripe; `note` says for the history what the event had reported. A field that is not of its type
    is a ValueError.
    """

    order_number: Text
    origin: Text = ""
    call: Text = ""
    checked: bool = False
    note: Text = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CheckoutFact(Fact):
    """The state of a Checkout Session at some moment; None is what the object leaves out."""

    session_id: Id
    status: Text | None
    payment_status: Text
    amount: int | None
    currency: Text | None
    livemode: bool | None
    payment_intent_id: Id | None = None
    url: Text | None = None
    expires_at: datetime | None = None
    email: Text | None = None
    receipt_url: Text | None = None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ClosedFact(Fact):
    """This attempt cannot be paid: Stripe refused to create its session, or knows it no more.

    A payment that arrives nevertheless outranks this.
    """

    status: Literal["refused", "expired"]
    reason: Text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DoubtFact(Fact):
    """A report about this order that cannot be read, or that Stripe does not confirm.

    `about` is what it puts in doubt: that the order is paid, or how much was refunded.
    """

    reason: Text
    about: Literal["checkout", "money back"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ChargeFact(Fact):
    """What a charge reports that moves no money by itself."""

    payment_intent_id: Id | None
    amount: int | None
    currency: Text | None
    livemode: bool | None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ReceiptFact(ChargeFact):
    """The address of the receipt of a charge."""

    receipt_url: Text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class FailedAttemptFact(ChargeFact):
    """One attempt to pay that failed; `message` is Stripe's sentence for the buyer.

    Two events report one attempt, in no promised order: `payment_intent.payment_failed` always, and
    `charge.failed` where the bank was asked at all. `attempt` identifies it in both: the id of the
    failed charge, else of the payment method that was tried (Checkout makes one per attempt).
    """

    attempt: Id
    message: Text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class MoneyBackFact(Fact):
    """The state of a refund or a dispute.

    `captured_amount` is the captured amount of its payment, looked up at Stripe if the payment is
    not recorded here as the order's.
    """

    payment_intent_id: Id
    amount: Amount
    currency: Text | None
    status: Text
    captured_amount: Amount | None = None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RefundFact(MoneyBackFact):
    """The state of a refund; `key` is the idempotency key of our row if the shop requested it."""

    refund_id: Id
    key: Text | None = None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DisputeFact(MoneyBackFact):
    dispute_id: Id
    livemode: bool | None
    reason: Text = ""


@contextmanager
def reading_answer() -> Iterator[None]:
    """Turns the errors of reading a document of Stripe's into StripeUncertain."""
    try:
        yield
    except UNREADABLE as error:
        raise StripeUncertain from error


def of_session(
    session: Document, *, origin: str, call: str = "", failed: bool = False
) -> CheckoutFact | None:
    """The fact in a `checkout.session`; None if it has no order number.

    `failed` says that the session's delayed payment failed, as its event reports. One of UNREADABLE
    is raised if it is not a Checkout Session as Stripe documents it.
    """
    if not (number := order_number_of(session)):
        return None
    payment = nested(session, "payment_intent")
    is_over = session.get("status") == "complete" and payment.get("status") in UNPAYABLE
    expires_at = session.get("expires_at")
    payment_status = _state(session["payment_status"], "failed") or ""
    if payment_status == "unpaid" and (failed or is_over):
        payment_status = "failed"
    return CheckoutFact(
        order_number=number,
        origin=origin,
        call=call or getattr(session, "call", ""),
        session_id=session["id"],
        status=_state(session.get("status"), "none", "refused"),
        payment_status=payment_status,
        amount=session.get("amount_total"),
        currency=session.get("currency"),
        livemode=session.get("livemode"),
        payment_intent_id=object_id(session.get("payment_intent")),
        url=session.get("url"),
        expires_at=datetime.fromtimestamp(expires_at, UTC) if expires_at else None,
        email=(session.get("customer_details") or {}).get("email"),
        receipt_url=nested(payment, "latest_charge").get("receipt_url"),
    )


def of_refund(refund: Document, number: str, **source: Any) -> RefundFact:
    """The fact in a `refund`. An absent or unknown status counts as `pending`, the lowest.

    `source` is the fact's `origin`, and its `call` and `captured_amount` where there are any.
    One of UNREADABLE is raised if it is no refund.
    """
    status = _state(refund.get("status"), "requested")
    return RefundFact(
        refund_id=refund["id"],
        status=status if status in REFUND_RANK else "pending",
        key=(refund.get("metadata") or {}).get("refund_key"),
        **_money_back(refund, number, source),
    )


def of_dispute(dispute: Document, number: str, **source: Any) -> DisputeFact:
    """The fact in a `dispute`; `source` and errors as in `of_refund`."""
    return DisputeFact(
        dispute_id=dispute["id"],
        livemode=dispute.get("livemode"),
        status=dispute["status"],
        reason=dispute.get("reason") or "",
        **_money_back(dispute, number, source),
    )


def _money_back(document: Document, number: str, source: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "order_number": number,
        "call": getattr(document, "call", ""),
        "payment_intent_id": object_id(document["payment_intent"]) or "",
        "amount": document["amount"],
        "currency": document.get("currency"),
        **source,
    }


def of_charge(charge: Document, *, origin: str, call: str) -> ReceiptFact | None:
    """The receipt in a `charge`, None if there is none or no order; ValueError if it is no URL."""
    number, url = order_number_of(charge), charge.get("receipt_url")
    if not number or url is None:
        return None
    if not str(url).startswith(("https://", "http://")):
        raise ValueError
    return ReceiptFact(
        order_number=number,
        origin=origin,
        call=call,
        receipt_url=url,
        payment_intent_id=object_id(charge.get("payment_intent")),
        amount=charge.get("amount"),
        currency=charge.get("currency"),
        livemode=charge.get("livemode"),
    )


def of_failed_payment(intent: Document, *, origin: str, **_source: str) -> FailedAttemptFact | None:
    """The failed attempt in a `payment_intent`; None if it has no order number."""
    return _failed_attempt(intent, intent["id"], intent.get("last_payment_error") or {}, origin)


def of_failed_charge(charge: Document, *, origin: str, **_source: str) -> FailedAttemptFact | None:
    """The failed attempt in a `charge`; None if it has no order number."""
    error = {
        "charge": charge["id"],
        "message": charge.get("failure_message"),
        "code": charge.get("failure_code"),
        "decline_code": (charge.get("outcome") or {}).get("reason"),
        "payment_method": charge.get("payment_method_details"),
    }
    return _failed_attempt(charge, object_id(charge.get("payment_intent")), error, origin)


def _failed_attempt(
    document: Document, payment_intent_id: str | None, error: Document, event_id: str
) -> FailedAttemptFact | None:
    """`error` is what a `payment_intent` holds as its `last_payment_error`."""
    method: Document = error.get("payment_method") or {}
    card: Document = method.get("card") or {}
    decline_code = error.get("decline_code")
    attempt = object_id(error.get("charge")) or object_id(method) or event_id
    call = {
        "event_id": event_id,
        "attempt": attempt,
        "code": error.get("code"),
        "decline_code": "generic_decline" if decline_code in CONFIDENTIAL else decline_code,
        "card": f"{card.get('brand')} …{card.get('last4')}" if card else None,
    }
    if not (number := order_number_of(document)):
        return None
    return FailedAttemptFact(
        order_number=number,
        origin=event_id,
        call=orjson.dumps(call).decode(),
        attempt=attempt,
        message=error.get("message") or "Stripe gave no reason.",
        payment_intent_id=payment_intent_id,
        amount=document.get("amount"),
        currency=document.get("currency"),
        livemode=document.get("livemode"),
    )


def _state(value: Any, *ours: str) -> str | None:
    """A state as Stripe names it; ValueError if it is not text, or a state of our own."""
    if value is not None and (not isinstance(value, str) or value in ours):
        raise ValueError
    return value


def order_number_of(document: Document) -> str | None:
    """Our order number in the metadata of any Stripe object.

    `client_reference_id` is shown to Stripe's users but not trusted here: any link of the
    account can carry any value in it.
    """
    number = (document.get("metadata") or {}).get("order_number")
    return number if isinstance(number, str) and number else None


def nested(document: Document, *path: str) -> Document:
    """The object inside the document that this path leads to; empty if there is none."""
    for name in path:
        value = document.get(name)
        document = value if isinstance(value, Mapping) else {}
    return document


def object_id(reference: Any) -> str | None:
    """The id in a field that holds an id or the expanded object; ValueError if it is neither."""
    value = reference.get("id") if isinstance(reference, Mapping) else reference
    if value is not None and not isinstance(value, str):
        raise ValueError
    return value

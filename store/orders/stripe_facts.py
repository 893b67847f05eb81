"""What Stripe says about an order, as values; and how far each saying goes.

A fact has a rank and only moves forward, so a duplicate, a late or a reordered saying ends in
the same state as the orderly one. Ranks are data: whoever doubts them reads four small tables.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.dataclasses import dataclass

# `refused` is an attempt that Stripe never made a session for and never will.
SESSION_RANK = {"none": 0, "open": 1, "refused": 2, "expired": 3, "complete": 4}
# `failed` is a delayed payment that did not arrive; a settled one outranks it.
PAYMENT_RANK = {"unpaid": 0, "failed": 1, "no_payment_required": 2, "paid": 3}
REFUND_RANK = {
    "requested": 0,
    "pending": 1,
    "requires_action": 2,
    "succeeded": 3,
    "failed": 4,
    "canceled": 5,
}
DISPUTE_RANK = {
    "warning_needs_response": 0,
    "warning_under_review": 1,
    "warning_closed": 2,
    "needs_response": 3,
    "under_review": 4,
    "prevented": 5,
    "lost": 6,
    "appeal_needs_response": 7,
    "appeal_under_review": 8,
    "won": 9,
}
PAID = frozenset(["paid", "no_payment_required"])
REFUND_VOID = frozenset(["failed", "canceled"])
# An inquiry (`warning_…`) takes no money; a won or prevented dispute gives it back.
DISPUTE_HARMLESS = frozenset(["warning_closed", "prevented", "won"])
DISPUTE_DECIDED = DISPUTE_HARMLESS | {"lost"}
# The bank has given the money to the buyer, unless an appeal brings it back.
DISPUTE_TAKEN = frozenset(["lost", "appeal_needs_response", "appeal_under_review"])

Document = Mapping[str, Any]
# PostgreSQL cannot store NUL; strict types keep whatever else is not what Stripe documents out.
Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=5000)]
# As long as our own numbers and Stripe's ids may become; a key of an index must stay short.
Id = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", min_length=1, max_length=255)]
# What an integer column holds on every database; no payment of this shop comes near.
Amount = Annotated[int, Field(gt=0, lt=2**31)]
STRICT = ConfigDict(strict=True)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Fact:
    """One saying about one order; `evidence` names where it comes from (`evt_…`, a look-up).

    `proof` is the same for people to check: ids, HTTP status, milliseconds, as JSON. `checked` is
    True where an event said something else first and this is what Stripe answered to a look-up;
    `note` says for the history what the event had said.

    Raises:
        ValueError: a field is not of its type.
    """

    order_number: Text
    evidence: Text = ""
    proof: Text = ""
    checked: bool = False
    note: Text = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CheckoutFact(Fact):
    """The state of a Checkout Session at some moment; None is what was not said."""

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
class RefusedFact(Fact):
    """Stripe made no session for this attempt, and a repetition would not change that."""

    reason: Text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DoubtFact(Fact):
    """A report about this order that cannot be read, or that Stripe does not confirm.

    `about` says what it contests: that the order is paid, or how much of that went back.
    """

    reason: Text
    about: Literal["checkout", "money back"]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class GoneFact(Fact):
    """Stripe does not know the session of this attempt any more; nobody can pay it there."""

    reason: Text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ReceiptFact(Fact):
    """The address of the receipt of a charge."""

    receipt_url: Text
    payment_intent_id: Id | None
    amount: int | None
    currency: Text | None
    livemode: bool | None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RefundFact(Fact):
    """`key` is the idempotency key of our own row, where the refund was our idea.

    `captured_amount` is what Stripe answered that this payment for this order brought in, where
    it was asked because the payment is not known here as the order's.
    """

    refund_id: Id
    payment_intent_id: Id
    amount: Amount
    currency: Text | None
    status: Text
    key: Text | None = None
    captured_amount: Amount | None = None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DisputeFact(Fact):
    """`captured_amount` as in `RefundFact`."""

    dispute_id: Id
    payment_intent_id: Id
    amount: Amount
    currency: Text | None
    livemode: bool | None
    status: Text
    reason: Text = ""
    captured_amount: Amount | None = None


def of_session(
    session: Document, *, evidence: str, proof: str = "", failed: bool = False
) -> CheckoutFact | None:
    """Read a `checkout.session`; None where it carries no order number of ours."""
    if not (number := order_number(session)):
        return None
    payment = session.get("payment_intent")
    charge = payment.get("latest_charge") if isinstance(payment, Mapping) else None
    expires_at = session.get("expires_at")
    payment_status = _word(session["payment_status"], "failed") or ""
    if payment_status == "unpaid" and (failed or _gave_up(session, payment)):
        payment_status = "failed"
    return CheckoutFact(
        order_number=number,
        evidence=evidence,
        proof=proof or proof_of(session),
        session_id=session["id"],
        status=_word(session.get("status"), "none", "refused"),
        payment_status=payment_status,
        amount=session.get("amount_total"),
        currency=session.get("currency"),
        livemode=session.get("livemode"),
        payment_intent_id=identity(payment),
        url=session.get("url"),
        expires_at=datetime.fromtimestamp(expires_at, UTC) if expires_at else None,
        email=(session.get("customer_details") or {}).get("email"),
        receipt_url=charge.get("receipt_url") if isinstance(charge, Mapping) else None,
    )


def _gave_up(session: Document, payment: Any) -> bool:
    """True where a delayed payment of a complete session failed; it cannot be paid again."""
    return (
        session.get("status") == "complete"
        and isinstance(payment, Mapping)
        and payment.get("status") in ("requires_payment_method", "canceled")
    )


def of_refund(
    refund: Document,
    number: str,
    *,
    evidence: str,
    proof: str = "",
    captured_amount: int | None = None,
) -> RefundFact:
    """Read a `refund`. A status that is absent or unknown is `pending`: the least it can be.

    Raises:
        ValueError, KeyError: it is not one.
    """
    status = _word(refund.get("status"), "requested")
    return RefundFact(
        order_number=number,
        evidence=evidence,
        proof=proof or proof_of(refund),
        refund_id=refund["id"],
        payment_intent_id=identity(refund["payment_intent"]) or "",
        amount=refund["amount"],
        currency=refund.get("currency"),
        status=status if status in REFUND_RANK else "pending",
        key=(refund.get("metadata") or {}).get("refund_key"),
        captured_amount=captured_amount,
    )


def of_dispute(
    dispute: Document,
    number: str,
    *,
    evidence: str,
    proof: str = "",
    captured_amount: int | None = None,
) -> DisputeFact:
    return DisputeFact(
        order_number=number,
        evidence=evidence,
        proof=proof or proof_of(dispute),
        dispute_id=dispute["id"],
        payment_intent_id=identity(dispute["payment_intent"]) or "",
        amount=dispute["amount"],
        currency=dispute.get("currency"),
        livemode=dispute.get("livemode"),
        status=dispute["status"],
        reason=dispute.get("reason") or "",
        captured_amount=captured_amount,
    )


def of_charge(charge: Document, *, evidence: str, proof: str = "") -> ReceiptFact | None:
    """Read the receipt of a `charge`; None where it has none, or carries no order number."""
    number, url = order_number(charge), charge.get("receipt_url")
    if not number or url is None:
        return None
    if not str(url).startswith(("https://", "http://")):
        raise ValueError
    return ReceiptFact(
        order_number=number,
        evidence=evidence,
        proof=proof,
        receipt_url=url,
        payment_intent_id=identity(charge.get("payment_intent")),
        amount=charge.get("amount"),
        currency=charge.get("currency"),
        livemode=charge.get("livemode"),
    )


def _word(value: Any, *ours: str) -> str | None:
    """A state in Stripe's words.

    Raises:
        ValueError: no text, or a word of our own tables, which Stripe never uses for this.
    """
    if value is not None and (not isinstance(value, str) or value in ours):
        raise ValueError
    return value


def proof_of(answer: Document) -> str:
    """How Stripe was asked for this document."""
    return getattr(answer, "call", "")


def order_number(thing: Document) -> str | None:
    """Our order number in the metadata of any Stripe object.

    `client_reference_id` is shown to Stripe's users but not trusted here: any link of the
    account can carry any value in it.
    """
    number = (thing.get("metadata") or {}).get("order_number")
    return number if isinstance(number, str) and number else None


def identity(reference: Any) -> str | None:
    """The id behind a field that holds an id, or the object itself where it was expanded.

    Raises:
        ValueError: it is neither.
    """
    found = reference.get("id") if isinstance(reference, Mapping) else reference
    if found is not None and not isinstance(found, str):
        raise ValueError
    return found

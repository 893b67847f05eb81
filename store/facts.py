"""What Stripe says about an order, as values; and how far each saying goes.

A fact has a rank and only moves forward, so a duplicate, a late or a reordered saying ends in
the same state as the orderly one. Ranks are data: whoever doubts them reads four small tables.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

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
# What an integer column holds on every database; no payment of this shop comes near.
Amount = Annotated[int, Field(ge=0, lt=2**31)]
STRICT = ConfigDict(strict=True)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Fact:
    """One saying about one order; `evidence` names where it comes from (`evt_…`, a look-up).

    `proof` is the same for people to check: ids, HTTP status, milliseconds, as JSON.

    Raises:
        ValueError: a field is not of its type.
    """

    order_number: Text
    evidence: Text = ""
    proof: Text = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CheckoutFact(Fact):
    """The state of a Checkout Session at some moment."""

    session_id: Text
    status: Text
    payment_status: Text
    amount: int | None
    currency: Text | None
    livemode: bool
    payment_intent_id: Text | None = None
    url: Text | None = None
    expires_at: datetime | None = None
    email: Text | None = None
    receipt_url: Text | None = None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RefusedFact(Fact):
    """Stripe made no session for this attempt, and a repetition would not change that."""

    reason: Text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ReceiptFact(Fact):
    receipt_url: Text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RefundFact(Fact):
    """`key` is the idempotency key of our own row, where the refund was our idea."""

    refund_id: Text
    payment_intent_id: Text
    amount: Amount
    status: Text
    key: Text | None = None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DisputeFact(Fact):
    dispute_id: Text
    payment_intent_id: Text
    amount: Amount
    status: Text
    reason: Text = ""


def of_session(
    session: Document, *, evidence: str, proof: str = "", failed: bool = False
) -> CheckoutFact | None:
    """Read a `checkout.session`; None where it carries no order number of ours."""
    if not (number := order_number(session)):
        return None
    payment = session.get("payment_intent")
    charge = payment.get("latest_charge") if isinstance(payment, Mapping) else None
    expires_at = session.get("expires_at")
    payment_status = session["payment_status"]
    if payment_status == "unpaid" and (failed or _gave_up(session, payment)):
        payment_status = "failed"
    return CheckoutFact(
        order_number=number,
        evidence=evidence,
        proof=proof or proof_of(session),
        session_id=session["id"],
        status=session.get("status") or "open",
        payment_status=payment_status,
        amount=session.get("amount_total"),
        currency=session.get("currency"),
        livemode=bool(session.get("livemode")),
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


def of_refund(refund: Document, number: str, *, evidence: str, proof: str = "") -> RefundFact:
    return RefundFact(
        order_number=number,
        evidence=evidence,
        proof=proof or proof_of(refund),
        refund_id=refund["id"],
        payment_intent_id=identity(refund["payment_intent"]) or "",
        amount=refund["amount"],
        status=refund.get("status") or "pending",
        key=(refund.get("metadata") or {}).get("refund_key"),
    )


def of_dispute(dispute: Document, number: str, *, evidence: str, proof: str = "") -> DisputeFact:
    return DisputeFact(
        order_number=number,
        evidence=evidence,
        proof=proof or proof_of(dispute),
        dispute_id=dispute["id"],
        payment_intent_id=identity(dispute["payment_intent"]) or "",
        amount=dispute["amount"],
        status=dispute["status"],
        reason=dispute.get("reason") or "",
    )


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
    """The id behind a field that holds an id, or the object itself where it was expanded."""
    return reference.get("id") if isinstance(reference, Mapping) else reference

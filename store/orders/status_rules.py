"""How an order's status follows from the facts, and the rank of each state at Stripe.

Every fact has a rank and only moves forward, so duplicates, reordering and lateness end in the
same state. `status_of` is a pure function of the facts. The statuses themselves and their groups
are in `core.order_status`.
"""

from collections.abc import Iterable, Sequence

from store.core.order_status import OrderStatus
from store.db.models import Dispute, Refund
from store.orders.batch import OrderState


def _ranked(*states: str) -> dict[str, int]:
    """The rank of each of these states, given from the lowest to the highest."""
    return {state: rank for rank, state in enumerate(states)}


# `refused`: Stripe did not create a session for this attempt and never will.
SESSION_RANK = _ranked("none", "open", "refused", "expired", "complete")
# `failed`: a delayed payment that did not arrive. `paid` outranks it.
PAYMENT_RANK = _ranked("unpaid", "failed", "no_payment_required", "paid")
REFUND_RANK = _ranked("requested", "pending", "requires_action", "succeeded", "failed", "canceled")
DISPUTE_RANK = _ranked(
    *("warning_needs_response", "warning_under_review", "warning_closed"),
    *("needs_response", "under_review", "prevented", "lost"),
    *("appeal_needs_response", "appeal_under_review", "won"),
)
PAID = frozenset(["paid", "no_payment_required"])
REFUND_VOID = frozenset(["failed", "canceled"])
# An inquiry (`warning_…`) takes no money; a won or prevented dispute gives it back.
DISPUTE_HARMLESS = frozenset(["warning_closed", "prevented", "won"])
DISPUTE_DECIDED = DISPUTE_HARMLESS | {"lost"}
# The bank has given the money to the buyer, unless an appeal brings it back.
DISPUTE_TAKEN = frozenset(["lost", "appeal_needs_response", "appeal_under_review"])
UNPAID_STATUS = {
    "none": OrderStatus.PENDING,
    "open": OrderStatus.OPEN,
    "refused": OrderStatus.FAILED,
    "complete": OrderStatus.PROCESSING,
}


def status_of(order: OrderState, disputes: Sequence[Dispute]) -> OrderStatus:
    """The status that follows from the facts; a pure function of its arguments."""
    if order.payment_status in PAID:
        return _paid_status(order, disputes)
    if order.review_reason or order.refund_review_reason:
        return OrderStatus.REVIEW
    if order.payment_status == "failed":
        return OrderStatus.FAILED
    if order.checkout_status == "expired":
        return OrderStatus.CANCELED if order.cancel_requested_at else OrderStatus.EXPIRED
    return UNPAID_STATUS[order.checkout_status]


def _paid_status(order: OrderState, disputes: Sequence[Dispute]) -> OrderStatus:
    if any(dispute.status not in DISPUTE_HARMLESS for dispute in disputes):
        return OrderStatus.DISPUTED
    if order.refund_review_reason:
        return OrderStatus.REVIEW
    if order.refunded_amount >= order.total_amount:
        return OrderStatus.REFUNDED
    return OrderStatus.PARTIALLY_REFUNDED if order.refunded_amount else OrderStatus.PAID


def refunded_amount(payment_intent_id: str | None, refunds: Iterable[Refund]) -> int:
    """What Stripe has refunded or is refunding of this payment."""
    return sum(
        refund.amount
        for refund in refunds
        if refund.payment_intent_id == payment_intent_id
        and refund.stripe_refund_id
        and refund.status not in REFUND_VOID
    )

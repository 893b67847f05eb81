"""The statuses of an order, the groups they form, and the states in which it can be paid.

Everything that depends on a status derives from here: SQL conditions and indexes (`db.models`),
the rules (`orders.status_rules`), reports and pages.
"""

from collections.abc import Iterable
from enum import StrEnum, nonmember


class OrderStatus(StrEnum):
    """What people see of an order; computed by `orders.status_rules.status_of`, never assigned.

    `PAYABLE`: the buyer may go on to Stripe. `WAITING`: something may change without the buyer
    doing anything in the shop. `UNDECIDED`: Stripe may know more than we do, so the reconciler
    asks; only a new event changes the others. `UNPAID_FINAL`: closed without a payment; money that
    arrives nevertheless is kept and marked in the order's history.
    """

    PENDING = "pending"  # not yet at Stripe
    OPEN = "open"
    PROCESSING = "processing"
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    REVIEW = "review"

    PAYABLE = nonmember(frozenset({"pending", "open"}))
    WAITING = nonmember(frozenset({"pending", "open", "processing"}))
    UNDECIDED = nonmember(frozenset({"pending", "open", "processing", "review"}))
    UNPAID_FINAL = nonmember(frozenset({"failed", "expired", "canceled"}))


# States of an order's Checkout Session in which it can be paid: not yet created, or open.
PAYABLE_CHECKOUT = frozenset({"none", "open"})


def sql_in(column: str, values: Iterable[str]) -> str:
    """`column IN ('a', 'b')` with the values sorted, for conditions of indexes and queries."""
    listed = ", ".join(f"'{value}'" for value in sorted(values))
    return f"{column} IN ({listed})"

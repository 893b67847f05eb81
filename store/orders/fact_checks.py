"""What must fit before a fact counts: amount, currency, ids, test mode, known states.

Whatever a rule compares must be there and equal; what is absent does not fit. An event that does
not fit is looked up at Stripe first (`lookup_reason`); where Stripe's answer does not fit either,
the order is marked for review and nothing is paid or refunded by it.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from store.core import money
from store.orders.batch import OrderBatch, OrderState
from store.orders.statuses import PAID, PAYMENT_RANK, SESSION_RANK
from store.orders.stripe_facts import CheckoutFact, DisputeFact, DoubtFact, Fact, RefundFact

MAX_DISPLAYABLE_AMOUNT = 10**15  # minor units; larger values cannot be formatted as money


class Rule(NamedTuple):
    """One comparison of an order with a fact: if it does not hold (`fits`), the `reason`."""

    fits: Callable[[Any, Any], bool]
    reason: Callable[[Any, Any], str]


def _claims_payment(fact: CheckoutFact) -> bool:
    """Whether this fact would make the order paid, or end its Checkout Session."""
    return fact.payment_status in PAID or fact.status == "complete"


def _equal_or_absent(reported: object, ours: object, fact: CheckoutFact) -> bool:
    """Stripe may leave out amount and currency of a session until it is complete."""
    return reported == ours or (reported is None and not _claims_payment(fact))


NOT_LIVE = Rule(
    lambda _order, fact: fact.livemode is False,
    lambda _order, fact: "a live-mode session" if fact.livemode else "not marked as test mode",
)
CHECKOUT_RULES = (
    NOT_LIVE,
    Rule(
        lambda order, fact: fact.order_number == order.number,
        lambda _order, _fact: "another order's number",
    ),
    Rule(
        lambda order, fact: order.checkout_session_id in (None, fact.session_id),
        lambda order, fact: f"session {fact.session_id} instead of {order.checkout_session_id}",
    ),
    Rule(
        lambda order, fact: _equal_or_absent(fact.amount, order.total_amount, fact),
        lambda order, fact: (
            f"amount {_amount_text(fact.amount, order)} instead of "
            f"{money.text(order.total_amount, order.currency)}"
        ),
    ),
    Rule(
        lambda order, fact: _equal_or_absent(fact.currency, order.currency, fact),
        lambda order, fact: f"currency {fact.currency} instead of {order.currency}",
    ),
    Rule(
        lambda _order, fact: fact.status is None or fact.status in SESSION_RANK,
        lambda _order, fact: f"unknown session status {fact.status[:40]}",
    ),
    Rule(
        lambda _order, fact: fact.payment_status in PAYMENT_RANK,
        lambda _order, fact: f"unknown payment status {fact.payment_status[:40]}",
    ),
    Rule(
        lambda _order, fact: fact.status == "complete" or fact.payment_status not in PAID,
        lambda _order, fact: f"paid, with session status {fact.status}",
    ),
    Rule(
        lambda order, fact: fact.payment_status != "no_payment_required" or order.total_amount == 0,
        lambda order, _fact: (
            f"no payment required for an order of {money.text(order.total_amount, order.currency)}"
        ),
    ),
    Rule(
        lambda _order, fact: fact.payment_status != "paid" or bool(fact.payment_intent_id),
        lambda _order, _fact: "paid, and no payment is named",
    ),
    Rule(
        lambda order, fact: (
            fact.payment_status not in PAID
            or order.payment_intent_id in (None, fact.payment_intent_id)
        ),
        lambda order, fact: (
            f"payment {fact.payment_intent_id} instead of {order.payment_intent_id}"
        ),
    ),
)
# Another Checkout Session with this order's number: its payment is refunded automatically.
SECOND_PAYMENT_RULES = (
    NOT_LIVE,
    Rule(
        lambda _order, fact: fact.status == "complete",
        lambda _order, fact: f"second payment with session status {fact.status}",
    ),
    Rule(
        lambda _order, fact: bool(fact.payment_intent_id),
        lambda _order, _fact: "second payment, and no payment is named",
    ),
    Rule(
        lambda order, fact: fact.payment_intent_id != order.payment_intent_id,
        lambda _order, fact: f"session {fact.session_id} names this order's own payment",
    ),
    Rule(
        lambda _order, fact: fact.amount is not None and 0 < fact.amount < 2**31,
        lambda order, fact: f"second payment of {_amount_text(fact.amount, order)}",
    ),
    Rule(
        lambda order, fact: fact.currency == order.currency,
        lambda order, fact: f"second payment in {fact.currency} instead of {order.currency}",
    ),
)


def mismatch(order: OrderState, fact: CheckoutFact) -> str | None:
    """Why a Checkout Session cannot be this order's own; None if everything fits."""
    return first_violation(CHECKOUT_RULES, order, fact)


def first_violation(rules: Sequence[Rule], order: Any, fact: Any) -> str | None:
    """The reason of the first rule that does not hold; None if all hold."""
    for fits, reason in rules:
        if not fits(order, fact):
            return reason(order, fact)
    return None


def _amount_text(amount: int | None, order: OrderState) -> str:
    """An amount as text, even if it is absent or absurd."""
    if amount is None:
        return "not named"
    is_displayable = abs(amount) < MAX_DISPLAYABLE_AMOUNT
    return money.text(amount, order.currency) if is_displayable else "of no sense"


RECEIPT_RULES = (
    NOT_LIVE,
    Rule(
        lambda order, fact: (
            bool(fact.payment_intent_id)
            and order.payment_intent_id in (None, fact.payment_intent_id)
        ),
        lambda _order, _fact: "another payment's receipt",
    ),
    Rule(
        lambda order, fact: fact.amount == order.total_amount and fact.currency == order.currency,
        lambda _order, _fact: "the receipt of another amount",
    ),
)


def is_new_second_payment(batch: OrderBatch, order: OrderState, fact: CheckoutFact) -> bool:
    """Whether a session that is not the order's own captured a payment not recorded here."""
    known = (
        refund.payment_amount
        for refund in batch.refunds_of(order)
        if refund.payment_intent_id == fact.payment_intent_id
    )
    return fact.payment_status == "paid" and not any(known)


def lookup_reason(batch: OrderBatch, order: OrderState, fact: Fact) -> str | None:
    """Why the fact of an event must be looked up at Stripe before it counts; None if it need not.

    A session that is not the order's own is looked up even if it fits, because its payment will be
    refunded. One in live mode is not: this shop's test key cannot retrieve it.
    """
    if fact.checked:
        return None
    if isinstance(fact, CheckoutFact):
        return _checkout_lookup_reason(batch, order, fact)
    if isinstance(fact, DoubtFact):
        return fact.reason
    if isinstance(fact, RefundFact | DisputeFact):
        return refund_mismatch(batch, order, fact)
    return None


def _checkout_lookup_reason(batch: OrderBatch, order: OrderState, fact: CheckoutFact) -> str | None:
    if fact.livemode:
        return None
    if order.checkout_session_id is None and _claims_payment(fact):
        return "the order's session is not known here yet"
    if order.checkout_session_id in (None, fact.session_id):
        return mismatch(order, fact)
    return "a second payment" if is_new_second_payment(batch, order, fact) else None


def _captured_amount(
    batch: OrderBatch, order: OrderState, fact: RefundFact | DisputeFact
) -> int | None:
    """The captured amount of the refunded or disputed payment; None if it is not this order's.

    If the order's own payment is not recorded here yet, only an amount looked up at Stripe counts.
    """
    second = (
        refund.payment_amount
        for refund in batch.refunds_of(order)
        if refund.payment_intent_id == fact.payment_intent_id and refund.payment_amount
    )
    if captured := next(second, fact.captured_amount):
        return captured
    return order.total_amount if order.payment_intent_id == fact.payment_intent_id else None


def refund_mismatch(
    batch: OrderBatch, order: OrderState, fact: RefundFact | DisputeFact
) -> str | None:
    """Why a refund or dispute cannot be of a payment for this order; None if it can."""
    object_id = fact.refund_id if isinstance(fact, RefundFact) else fact.dispute_id
    captured = _captured_amount(batch, order, fact)
    if captured is None:
        return f"{object_id} names payment {fact.payment_intent_id}, which is not this order's"
    if fact.currency != order.currency:
        return f"{object_id} in currency {fact.currency} instead of {order.currency}"
    if isinstance(fact, RefundFact) and fact.amount > captured:
        paid = money.text(captured, order.currency)
        return f"{object_id} of {_amount_text(fact.amount, order)}, and only {paid} was paid"
    if isinstance(fact, DisputeFact) and fact.livemode is not False:
        return f"{object_id} is not marked as test mode"
    return None

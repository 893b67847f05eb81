"""What must fit before a fact counts: amount, currency, ids, test mode, known states.

Whatever a rule compares must be there and equal; what is absent does not fit. An event that does
not fit is looked up at Stripe first (`lookup_reason`); where Stripe's answer does not fit either,
the order is marked for review and nothing is paid or refunded by it.
"""

from collections.abc import Iterator

from store.core import money
from store.orders.batch import OrderBatch, OrderState
from store.orders.status_rules import PAID, PAYMENT_RANK, SESSION_RANK
from store.orders.stripe_facts import (
    ChargeFact,
    CheckoutFact,
    DisputeFact,
    DoubtFact,
    Fact,
    MoneyBackFact,
    RefundFact,
)

MAX_DISPLAYABLE_AMOUNT = 10**15  # minor units; larger values cannot be formatted as money


def mismatch(order: OrderState, fact: CheckoutFact) -> str | None:
    """Why a Checkout Session cannot be this order's own; None if everything fits."""
    return next(_checkout_mismatches(order, fact), None)


def second_payment_mismatch(order: OrderState, fact: CheckoutFact) -> str | None:
    """Why another session with this order's number cannot have its payment refunded."""
    return next(_second_payment_mismatches(order, fact), None)


def _checkout_mismatches(order: OrderState, fact: CheckoutFact) -> Iterator[str]:
    paid = fact.payment_status in PAID
    if fact.livemode is not False:
        yield _not_test_mode(fact)
    if fact.order_number != order.number:
        yield "another order's number"
    if order.checkout_session_id not in (None, fact.session_id):
        yield f"session {fact.session_id} instead of {order.checkout_session_id}"
    if not _equal_or_absent(fact.amount, order.total_amount, fact):
        ours = _amount_text(order.total_amount, order)
        yield f"amount {_amount_text(fact.amount, order)} instead of {ours}"
    if not _equal_or_absent(fact.currency, order.currency, fact):
        yield f"currency {fact.currency} instead of {order.currency}"
    if fact.status is not None and fact.status not in SESSION_RANK:
        yield f"unknown session status {fact.status[:40]}"
    if fact.payment_status not in PAYMENT_RANK:
        yield f"unknown payment status {fact.payment_status[:40]}"
    if paid and fact.status != "complete":
        yield f"paid, with session status {fact.status}"
    if fact.payment_status == "no_payment_required" and order.total_amount != 0:
        yield f"no payment required for an order of {_amount_text(order.total_amount, order)}"
    if fact.payment_status == "paid" and not fact.payment_intent_id:
        yield "paid, and no payment is named"
    if paid and order.payment_intent_id not in (None, fact.payment_intent_id):
        yield f"payment {fact.payment_intent_id} instead of {order.payment_intent_id}"


def _second_payment_mismatches(order: OrderState, fact: CheckoutFact) -> Iterator[str]:
    if fact.livemode is not False:
        yield _not_test_mode(fact)
    if fact.status != "complete":
        yield f"second payment with session status {fact.status}"
    if not fact.payment_intent_id:
        yield "second payment, and no payment is named"
    if fact.payment_intent_id == order.payment_intent_id:
        yield f"session {fact.session_id} names this order's own payment"
    if fact.amount is None or not 0 < fact.amount < 2**31:
        yield f"second payment of {_amount_text(fact.amount, order)}"
    if fact.currency != order.currency:
        yield f"second payment in {fact.currency} instead of {order.currency}"


def _not_test_mode(fact: CheckoutFact) -> str:
    return "a live-mode session" if fact.livemode else "not marked as test mode"


def _equal_or_absent(reported: object, ours: object, fact: CheckoutFact) -> bool:
    """Stripe may leave out amount and currency of a session until it is complete."""
    return reported == ours or (reported is None and not _claims_payment(fact))


def _claims_payment(fact: CheckoutFact) -> bool:
    """Whether this fact would make the order paid, or end its Checkout Session."""
    return fact.payment_status in PAID or fact.status == "complete"


def _amount_text(amount: int | None, order: OrderState) -> str:
    """An amount as text, even if it is absent or absurd."""
    if amount is None:
        return "not named"
    is_displayable = abs(amount) < MAX_DISPLAYABLE_AMOUNT
    return money.text(amount, order.currency) if is_displayable else "of no sense"


def is_own_charge(order: OrderState, fact: ChargeFact) -> bool:
    """Whether a receipt or a failed attempt is one of the order's own payment."""
    return (
        fact.livemode is False
        and bool(fact.payment_intent_id)
        and order.payment_intent_id in (None, fact.payment_intent_id)
        and (fact.amount, fact.currency) == (order.total_amount, order.currency)
    )


def is_new_second_payment(batch: OrderBatch, order: OrderState, fact: CheckoutFact) -> bool:
    """Whether a session that is not the order's own captured a payment not recorded here."""
    return fact.payment_status == "paid" and not any(
        refund.payment_amount for refund in batch.refunds_of_payment(order, fact.payment_intent_id)
    )


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


def _captured_amount(batch: OrderBatch, order: OrderState, fact: MoneyBackFact) -> int | None:
    """The captured amount of the refunded or disputed payment; None if it is not this order's.

    If the order's own payment is not recorded here yet, only an amount looked up at Stripe counts.
    """
    rows = batch.refunds_of_payment(order, fact.payment_intent_id)
    second = (row.payment_amount for row in rows if row.payment_amount)
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

"""What the shop owes for a payment captured by a Checkout Session that is not the order's own.

Owed is the captured amount, less what Stripe has refunded or is refunding, less what a lost
dispute took. It is recomputed each time one of these facts arrives, so their order does not matter:
a refund that fails later, or one made by hand in Stripe's dashboard, ends in the same amount.

One unsent row of `refunds` stands for the owed amount. A row's amount never changes: if another
amount is owed, that row is closed (`failed`, without a refund at Stripe) and a new one replaces it.
All of it happens in the transaction that records the fact, with the order locked. If the process
dies there, neither the fact nor the row exists, and the fact is reported again. Of two at once, the
second waits for the lock and finds the row; the unique idempotency key would reject a second one.
"""

from store.db.models import Refund
from store.orders.batch import OrderBatch, OrderState
from store.orders.history import Change
from store.orders.status_rules import DISPUTE_TAKEN, REFUND_VOID, refunded_amount
from store.orders.stripe_facts import CheckoutFact, RefundFact

REASON = "duplicate"  # Stripe's reason for refunding a second payment


def record(batch: OrderBatch, order: OrderState, fact: CheckoutFact) -> list[Change]:
    """Record a captured payment that is not the order's own, so that it is refunded once."""
    payment_id = fact.payment_intent_id
    if fact.payment_status != "paid" or not payment_id or not fact.amount or fact.livemode:
        return []
    rows = batch.refunds_of_payment(order, payment_id)
    if any(row.payment_amount for row in rows):
        return update_owed_refund(batch, order, payment_id)
    if rows:  # a refund made by hand was reported before the payment
        rows[0].payment_amount = fact.amount
    else:
        _add_row(batch, order, payment_id, fact.amount, fact.amount)
    return [
        {"second_payment": payment_id, "checkout_session_id": fact.session_id},
        *update_owed_refund(batch, order, payment_id),
    ]


def matching_unsent_refund(batch: OrderBatch, order: OrderState, fact: RefundFact) -> Refund | None:
    """The unsent row for which a refund of the same amount was made elsewhere."""
    if fact.status in REFUND_VOID:
        return None
    rows = batch.refunds_of_payment(order, fact.payment_intent_id)
    owed = (row for row in rows if row.reason == REASON and row.is_unsent)
    return next((row for row in owed if row.amount == fact.amount), None)


def update_owed_refund(batch: OrderBatch, order: OrderState, payment_id: str) -> list[Change]:
    """Make one unsent row hold exactly what is owed of a second payment; none if nothing is.

    Does nothing for the order's own payment. Returns what changed, for the history.
    """
    rows = batch.refunds_of_payment(order, payment_id)
    captured = max((row.payment_amount or 0 for row in rows), default=0)
    if not captured or payment_id == order.payment_intent_id:
        return []
    taken = sum(  # by the bank in a dispute
        dispute.amount
        for dispute in batch.disputes_of(order)
        if dispute.payment_intent_id == payment_id and dispute.status in DISPUTE_TAKEN
    )
    owed = max(captured - refunded_amount(payment_id, rows) - taken, 0)
    unsent = [row for row in rows if row.is_unsent]
    if sum(row.amount for row in unsent) == owed:
        return []
    for row in unsent:
        row.status = "failed"
    if owed:
        _add_row(batch, order, payment_id, owed, captured)
    return [{"owed_for": payment_id, "amount": owed, "currency": order.currency}]


def _add_row(
    batch: OrderBatch, order: OrderState, payment_id: str, amount: int, captured: int
) -> None:
    place = len(batch.refunds_of_payment(order, payment_id)) + 1
    key = f"second-payment-{payment_id}"
    row = Refund(
        order_id=order.id,
        payment_intent_id=payment_id,
        amount=amount,
        payment_amount=captured,
        reason=REASON,
        idempotency_key=key if place == 1 else f"{key}-{place}",
    )
    batch.session.add(row)
    batch.refunds.append(row)

"""What the shop still owes for a payment that came through another session than the order's own.

Owed is what the payment brought in, less what Stripe has given back or is giving back, less what
a lost dispute took. It is computed from these facts each time one of them is learned, so their
order does not matter: a refund that fails later, or one made by hand in Stripe's dashboard, ends
in the same amount.

One unsent row of `refunds` stands for what is owed. Its amount never changes: where something else
is owed by now, that row is closed (`failed`, without a refund at Stripe) and another one takes its
place. All of it happens in the transaction that records the fact, with the order locked. Dead in
it: neither the fact nor the row exists, and the fact is brought again. Two at once: the second
waits for the lock and finds the row; the unique idempotency key would refuse a second one.
"""

from store.core import money
from store.db.models import Refund
from store.orders.batch import Ledger, OrderState
from store.orders.stripe_facts import DISPUTE_TAKEN, REFUND_VOID, CheckoutFact, RefundFact

REASON = "duplicate"  # Stripe's word for a refund of a second payment


def learn(ledger: Ledger, order: OrderState, fact: CheckoutFact) -> list[str]:
    """Note a captured payment that is not the order's own, so that it is given back, once."""
    payment = fact.payment_intent_id
    if fact.payment_status != "paid" or not payment or not fact.amount or fact.livemode:
        return []
    rows = _rows(ledger, order, payment)
    if any(row.payment_amount for row in rows):
        return settle(ledger, order, payment)
    if rows:  # a refund made by hand was heard of first
        rows[0].payment_amount = fact.amount
    else:
        _add(ledger, order, payment, fact.amount, fact.amount, place=1)
    return [
        f"second payment {payment} by {fact.session_id}: to be refunded",
        *settle(ledger, order, payment),
    ]


def adopted_by(ledger: Ledger, order: OrderState, fact: RefundFact) -> Refund | None:
    """The unsent row that a refund made elsewhere has made good, to the last cent."""
    if fact.status in REFUND_VOID:
        return None
    for row in _rows(ledger, order, fact.payment_intent_id):
        if row.reason == REASON and row.is_unsent and row.amount == fact.amount:
            return row
    return None


def settle(ledger: Ledger, order: OrderState, payment: str) -> list[str]:
    """Let one unsent row ask for exactly what is owed of a second payment, and no row for nothing.

    Does nothing for the order's own payment.
    """
    rows = _rows(ledger, order, payment)
    captured = max((row.payment_amount or 0 for row in rows), default=0)
    if not captured or payment == order.payment_intent_id:
        return []
    owed = max(captured - _returned(ledger, order, rows, payment), 0)
    unsent = [row for row in rows if row.is_unsent]
    if sum(row.amount for row in unsent) == owed:
        return []
    for row in unsent:
        row.status = "failed"
    if not owed:
        return [f"second payment {payment}: nothing is owed any more"]
    _add(ledger, order, payment, owed, captured, place=len(rows) + 1)
    return [f"second payment {payment}: {money.text(owed, order.currency)} still to be refunded"]


def _returned(ledger: Ledger, order: OrderState, rows: list[Refund], payment: str) -> int:
    """What Stripe gives back, and what the bank took in a dispute."""
    refunded = sum(
        row.amount for row in rows if row.stripe_refund_id and row.status not in REFUND_VOID
    )
    taken = sum(
        dispute.amount
        for dispute in ledger.disputes_of(order)
        if dispute.payment_intent_id == payment and dispute.status in DISPUTE_TAKEN
    )
    return refunded + taken


def _rows(ledger: Ledger, order: OrderState, payment: str) -> list[Refund]:
    return [row for row in ledger.refunds_of(order) if row.payment_intent_id == payment]


def _add(
    ledger: Ledger, order: OrderState, payment: str, amount: int, captured: int, *, place: int
) -> None:
    name = f"second-payment-{payment}"
    row = Refund(
        order_id=order.id,
        payment_intent_id=payment,
        amount=amount,
        payment_amount=captured,
        reason=REASON,
        idempotency_key=name if place == 1 else f"{name}-{place}",
    )
    ledger.session.add(row)
    ledger.refunds.append(row)

"""How each kind of fact changes an order; the rules behind `orders.record`.

Every function answers with words for the order's log, and with none where the fact is old news.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlmodel import Session, SQLModel

from store.core import money
from store.db.models import Dispute, Refund
from store.orders import failed_attempts, second_payments
from store.orders.batch import Ledger, OrderState
from store.orders.stripe_facts import (
    DISPUTE_RANK,
    PAID,
    PAYMENT_RANK,
    REFUND_RANK,
    SESSION_RANK,
    CheckoutFact,
    DisputeFact,
    DoubtFact,
    Fact,
    GoneFact,
    ReceiptFact,
    RefundFact,
    RefusedFact,
)

Row = TypeVar("Row", bound=SQLModel)
WRITABLE = 10**15  # more than this in minor units is no amount, and cannot be written as money
# What an order knows but its history does not repeat: an address opens what it leads to.
PRIVATE = frozenset(["email", "checkout_url", "receipt_url"])


class Rule(NamedTuple):
    """One thing that is compared before a report counts: `fits` says whether it is as it must
    be, `words` what to say where it is not. What is absent does not fit.
    """

    fits: Callable[[Any, Any], bool]
    words: Callable[[Any, Any], str]


def _claims_payment(fact: CheckoutFact) -> bool:
    """Whether this would make an order paid, or no longer payable by this session."""
    return fact.payment_status in PAID or fact.status == "complete"


def _equal_or_unsaid(said: object, ours: object, fact: CheckoutFact) -> bool:
    """Stripe may leave out amount and currency of a session until it is complete."""
    return said == ours or (said is None and not _claims_payment(fact))


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
        lambda order, fact: _equal_or_unsaid(fact.amount, order.total_amount, fact),
        lambda order, fact: (
            f"amount {_told(fact.amount, order)} instead of "
            f"{money.text(order.total_amount, order.currency)}"
        ),
    ),
    Rule(
        lambda order, fact: _equal_or_unsaid(fact.currency, order.currency, fact),
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
# A session of this order's number that is not the order's own: money that goes back by itself.
STRAY_RULES = (
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
        lambda order, fact: f"second payment of {_told(fact.amount, order)}",
    ),
    Rule(
        lambda order, fact: fact.currency == order.currency,
        lambda order, fact: f"second payment in {fact.currency} instead of {order.currency}",
    ),
)


def misfit(order: OrderState, fact: CheckoutFact) -> str | None:
    """Why a session cannot be the one this order asked for; None where everything fits."""
    return _broken(CHECKOUT_RULES, order, fact)


def _broken(rules: Sequence[Rule], order: Any, fact: Any) -> str | None:
    """What the first rule says that does not hold."""
    for fits, words in rules:
        if not fits(order, fact):
            return words(order, fact)
    return None


def _told(amount: int | None, order: OrderState) -> str:
    """An amount in words, however odd it is."""
    if amount is None:
        return "not named"
    return money.text(amount, order.currency) if abs(amount) < WRITABLE else "of no sense"


def doubt(ledger: Ledger, order: OrderState, fact: Fact) -> str | None:
    """Why Stripe has to be asked before this report of an event may count; None: it need not be.

    A session that is not the order's own is looked up even where it fits: money leaves for it.
    What calls itself live mode is not: this shop's key could not see it.
    """
    if fact.checked:
        return None
    if isinstance(fact, CheckoutFact):
        return _doubted_checkout(ledger, order, fact)
    if isinstance(fact, DoubtFact):
        return fact.reason
    return _unfounded(ledger, order, fact) if isinstance(fact, RefundFact | DisputeFact) else None


def _doubted_checkout(ledger: Ledger, order: OrderState, fact: CheckoutFact) -> str | None:
    if fact.livemode:
        return None
    if order.checkout_session_id is None and _claims_payment(fact):
        return "the order's session is not known here yet"
    if order.checkout_session_id in (None, fact.session_id):
        return misfit(order, fact)
    return "a second payment" if _is_new_stray(ledger, order, fact) else None


def _learn_checkout(ledger: Ledger, order: OrderState, fact: CheckoutFact) -> list[str]:
    if order.checkout_session_id not in (None, fact.session_id):
        if _is_new_stray(ledger, order, fact) and (reason := _broken(STRAY_RULES, order, fact)):
            return _fill(order, refund_review_reason=reason)
        return second_payments.learn(ledger, order, fact)
    if reason := misfit(order, fact):
        return _fill(order, review_reason=reason)
    return [
        *_fill(order, checkout_session_id=fact.session_id),
        *_advance(order, "checkout_status", fact.status or "", SESSION_RANK),
        *_advance(order, "payment_status", fact.payment_status, PAYMENT_RANK),
        *_fill(
            order,
            checkout_url=fact.url,
            payment_intent_id=fact.payment_intent_id,
            email=fact.email,
            receipt_url=fact.receipt_url,
        ),
    ]


def _is_new_stray(ledger: Ledger, order: OrderState, fact: CheckoutFact) -> bool:
    """Whether a session that is not the order's own brought in a payment we do not know."""
    known = (
        refund.payment_amount
        for refund in ledger.refunds_of(order)
        if refund.payment_intent_id == fact.payment_intent_id
    )
    return fact.payment_status == "paid" and not any(known)


def _learn_refused(_ledger: Ledger, order: OrderState, fact: RefusedFact) -> list[str]:
    return _advance(order, "checkout_status", "refused", SESSION_RANK) and [fact.reason]


def _learn_gone(_ledger: Ledger, order: OrderState, fact: GoneFact) -> list[str]:
    """As expired: should money arrive all the same, it wins."""
    return _advance(order, "checkout_status", "expired", SESSION_RANK) and [fact.reason]


def _learn_doubt(_ledger: Ledger, order: OrderState, fact: DoubtFact) -> list[str]:
    if fact.about == "checkout":
        return _fill(order, review_reason=fact.reason)
    return _fill(order, refund_review_reason=fact.reason)


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


def _learn_receipt(_ledger: Ledger, order: OrderState, fact: ReceiptFact) -> list[str]:
    """Take the receipt of this order's charge; one of a second payment is no news and no alarm."""
    if _broken(RECEIPT_RULES, order, fact):
        return []
    return _fill(order, receipt_url=fact.receipt_url)


def _captured_amount(
    ledger: Ledger, order: OrderState, fact: RefundFact | DisputeFact
) -> int | None:
    """What the payment brought in that money went back of; None where it is none of this order.

    Of an order whose own payment is not known here yet, only what Stripe answers to a look-up
    counts.
    """
    second = (
        refund.payment_amount
        for refund in ledger.refunds_of(order)
        if refund.payment_intent_id == fact.payment_intent_id and refund.payment_amount
    )
    if captured := next(second, fact.captured_amount):
        return captured
    return order.total_amount if order.payment_intent_id == fact.payment_intent_id else None


def _unfounded(ledger: Ledger, order: OrderState, fact: RefundFact | DisputeFact) -> str | None:
    """Why this cannot be money back of a payment for this order; None where it can."""
    name = fact.refund_id if isinstance(fact, RefundFact) else fact.dispute_id
    captured = _captured_amount(ledger, order, fact)
    if captured is None:
        return f"{name} names payment {fact.payment_intent_id}, which is not this order's"
    if fact.currency != order.currency:
        return f"{name} in currency {fact.currency} instead of {order.currency}"
    if isinstance(fact, RefundFact) and fact.amount > captured:
        paid = money.text(captured, order.currency)
        return f"{name} of {_told(fact.amount, order)}, and only {paid} was paid"
    if isinstance(fact, DisputeFact) and fact.livemode is not False:
        return f"{name} is not marked as test mode"
    return None


def _learn_refund(ledger: Ledger, order: OrderState, fact: RefundFact) -> list[str]:
    if reason := _unfounded(ledger, order, fact):
        return _fill(order, refund_review_reason=reason)
    refund = next(
        (
            refund
            for refund in ledger.refunds_of(order)
            if refund.stripe_refund_id == fact.refund_id
            or (refund.is_unsent and refund.idempotency_key == fact.key)
        ),
        None,
    ) or second_payments.adopted_by(ledger, order, fact)
    if refund is None:
        refund = Refund(
            order_id=order.id,
            payment_intent_id=fact.payment_intent_id,
            amount=fact.amount,
            idempotency_key=f"stripe-{fact.refund_id}",
        )
        _add(ledger.session, ledger.refunds, refund)
    news = [
        *_fill(refund, stripe_refund_id=fact.refund_id),
        *_advance(refund, "status", fact.status, REFUND_RANK),
    ]
    if not news:
        return []
    amount = money.text(fact.amount, order.currency)
    return [
        f"refund {fact.refund_id} of {amount}: {refund.status}",
        *second_payments.settle(ledger, order, fact.payment_intent_id),
    ]


def _learn_dispute(ledger: Ledger, order: OrderState, fact: DisputeFact) -> list[str]:
    if reason := _unfounded(ledger, order, fact):
        return _fill(order, refund_review_reason=reason)
    dispute = next(
        (
            dispute
            for dispute in ledger.disputes_of(order)
            if dispute.stripe_dispute_id == fact.dispute_id
        ),
        None,
    )
    if dispute is None:
        dispute = Dispute(
            order_id=order.id,
            payment_intent_id=fact.payment_intent_id,
            amount=fact.amount,
            status=fact.status,
            reason=fact.reason,
            stripe_dispute_id=fact.dispute_id,
        )
        _add(ledger.session, ledger.disputes, dispute)
    elif not _advance(dispute, "status", fact.status, DISPUTE_RANK):
        return []
    amount = money.text(fact.amount, order.currency)
    return [
        f"dispute {fact.dispute_id} of {amount}: {fact.status}",
        *second_payments.settle(ledger, order, fact.payment_intent_id),
    ]


LEARN: dict[type[Fact], Callable[[Ledger, OrderState, Any], list[str]]] = {
    CheckoutFact: _learn_checkout,
    RefusedFact: _learn_refused,
    DoubtFact: _learn_doubt,
    GoneFact: _learn_gone,
    ReceiptFact: _learn_receipt,
    RefundFact: _learn_refund,
    DisputeFact: _learn_dispute,
    failed_attempts.FailedAttemptFact: failed_attempts.apply,
}


def _advance(row: OrderState | SQLModel, name: str, value: str, rank: dict[str, int]) -> list[str]:
    """Move a ranked column forward, never back; a word that Stripe may invent later is no news."""
    if rank.get(value, -1) <= rank.get(getattr(row, name), -1):
        return []
    setattr(row, name, value)
    return [f"{name.replace('_', ' ')} {value}"]


def _fill(row: OrderState | SQLModel, **values: str | None) -> list[str]:
    """Set what is not known yet; the first saying stays."""
    news = []
    for name, value in values.items():
        if value is not None and getattr(row, name) is None:
            setattr(row, name, value)
            news.append(name.replace("_", " ") + (" known" if name in PRIVATE else f" {value}"))
    return news


def _add(session: Session, rows: list[Row], row: Row) -> None:
    session.add(row)
    rows.append(row)

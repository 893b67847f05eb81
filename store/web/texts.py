"""What pages say: notices to the buyer, and words for statuses, refunds and evidence."""

from dataclasses import dataclass

from store.reports import charge_summary, order_view


@dataclass(frozen=True)
class Notice:
    """One sentence for the buyer, and the order it is about.

    `at_order` says where it is shown: beside that order, instead of beside the Pay button.
    """

    sentence: str
    tone: str = "waiting"
    order: str | None = None
    at_order: bool = False


NO_COOKIES = Notice("This shop knows you by a cookie. Allow cookies, then reload the page.")
NOTHING_YET = "No orders yet. Your first one appears here and updates itself."
# The same for a paid order, another buyer's and an invented number, so that nothing is revealed.
RETURNED_ELSEWHERE = (
    "If you have just paid, your payment is safe: Stripe reports it to this shop by itself, "
    "and the order is shown in the browser it was placed in."
)
CART_ELSEWHERE = Notice(
    "Your cart and your orders are shown in the browser that you chose them in."
)
CART_AS_LEFT = "Your cart is as you left it. You have not been charged."
UNCONFIRMED = "Stripe has not answered yet. This page follows your order by itself."
DATABASE_DOWN = Notice(
    "The shop's database does not answer. This page comes back by itself.", "warning"
)
STATUS_SENTENCES = {
    "pending": "You have not been charged. You can continue the payment or cancel it.",
    "open": "You have not been charged. You can continue the payment or cancel it.",
    "processing": "Your bank is still working on this payment. This page follows it.",
    "paid": "Thank you. You were charged once.",
    "failed": "The payment did not go through. You have not been charged.",
    "expired": "The time to pay ran out. You have not been charged.",
    "canceled": "This order was canceled. You have not been charged.",
    "partially_refunded": "Part of your money has been sent back.",
    "refunded": "All of your money has been sent back.",
    "disputed": "Your bank disputes this payment.",
    "review": "Something about this payment does not fit. The shop is looking at it.",
}
NOT_OPENED = (
    "Stripe could not open a checkout for this order. You have not been charged. Please try again."
)
SUPERSEDED = (
    "A newer cart took this order's place, perhaps in another tab. You have not been charged."
)
SECOND_PAYMENT = "Two payments arrived for this order. The second one: "
SECOND_PAYMENT_STATES = {
    "owed": "the shop is sending it back.",
    "overdue": "the shop owes it and keeps trying; Stripe has not sent it back yet.",
    "pending": "it is on its way back.",
    "requires_action": "to send it back, Stripe needs details from the buyer and asks by email.",
    "returned": "sent back.",
    "taken": "the bank has already given it back.",
}
REFUND_STATUSES = {
    "requested": "asked for",
    "pending": "on its way",
    "requires_action": "Stripe needs your details and asks for them by email",
    "succeeded": "sent back",
    "failed": "did not arrive",
    "canceled": "called off",
}
EFFECTS = {
    "changed": "This changed the order.",
    "noted": "This was noted.",
    "nothing": "This changed nothing.",
}
# Names of evidence that are not just its key with spaces.
EVIDENCE_NAMES = {
    "http_status": "HTTP status",
    "request_id": "Stripe request id",
    "milliseconds": "Took",
    "replayed": "Repeated by Stripe",
    "event_id": "Event",
    "made_at_stripe": "Made at Stripe",
    "deliveries": "Deliveries so far",
}


def status_sentence(order: order_view.OrderView) -> str:
    """The sentence under an order's status, about a second payment first."""
    for refunds in charge_summary.second_payments(order).values():
        state = charge_summary.refund_state(refunds)
        if state not in ("returned", "taken"):
            return SECOND_PAYMENT + SECOND_PAYMENT_STATES[state]
    if order.status == "failed" and order.checkout_session_id is None:
        return NOT_OPENED
    return SUPERSEDED if order.was_superseded else STATUS_SENTENCES[order.status]

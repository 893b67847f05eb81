"""Notices: one-sentence messages of a page to its buyer."""

from collections.abc import Sequence
from dataclasses import dataclass

from store.core.errors import OrderNotFound


@dataclass(frozen=True)
class Notice:
    """One sentence for the buyer, and the order it is about.

    `at_order` says where it is shown: beside that order, instead of beside the Pay button.
    """

    sentence: str
    tone: str = "waiting"
    order: str | None = None
    at_order: bool = False


@dataclass(frozen=True)
class RepeatPurchasePrompt:
    """The buyer pressed Pay for a cart that they paid for minutes ago."""

    sentence: str
    shown_amount: int


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
UNCONFIRMED = "Stripe has not answered yet. This page follows your order by itself."
DATABASE_DOWN = Notice(
    "The shop's database does not answer. This page comes back by itself.", "warning"
)


def order_not_here(error: OrderNotFound, *, returned: bool) -> Notice:
    """For an unknown order and another buyer's; `returned`: the browser comes from Stripe."""
    if returned:
        return Notice(f"{RETURNED_ELSEWHERE} {error}")
    return Notice(f"{error} It may belong to another browser.")


def cart_restored(changes: Sequence[str], again: str | None) -> Notice:
    """The cart was filled from an order: the one to buy `again`, or one left unpaid at Stripe."""
    intro = "Your cart is as you left it. You have not been charged."
    if again:
        intro = f"Your cart is that of order {again}."
    return Notice(" ".join([intro, *changes]))

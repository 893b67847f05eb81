"""What a page says to the person in front of it, beside what it shows."""

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
    """The buyer pressed Pay for what they bought moments ago."""

    sentence: str
    shown_amount: int


NO_COOKIES = Notice("This shop knows you by a cookie. Allow cookies, then reload the page.")
NOTHING_YET = "No orders yet. Your first one appears here and updates itself."
# The same for a paid order, a stranger's and a made-up number: nothing of an order is told.
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
    """The answer to an unknown number and to a stranger's; `returned` is one back from Stripe."""
    if returned:
        return Notice(f"{RETURNED_ELSEWHERE} {error}")
    return Notice(f"{error} It may belong to another browser.")


def refilled(changes: Sequence[str], again: str | None) -> Notice:
    """The cart is an order's once more: of the order `again`, or of one left unpaid at Stripe."""
    intro = "Your cart is as you left it. You have not been charged."
    if again:
        intro = f"Your cart is that of order {again}."
    return Notice(" ".join([intro, *changes]))

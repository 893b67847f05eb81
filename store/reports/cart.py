"""The cart on a buyer's page: its lines, its total, and whether it can be paid."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from store.catalog import products as catalog
from store.core import errors, money, settings
from store.reports.order_view import OrderView

PAY_LABEL = "Pay with Stripe (test)"
PAY_HINT = "You pay on Stripe's page with a test card. No money moves."


def quantity_error(quantity: int) -> str:
    """The limit that a quantity breaks, as text; "" where it can be bought."""
    if quantity > catalog.MAX_QUANTITY:
        return f"At most {catalog.MAX_QUANTITY}"
    return f"0 to {catalog.MAX_QUANTITY}" if quantity < 0 else ""


@dataclass(frozen=True)
class Cart:
    """The chosen lines, and the buyer's one order that can still be paid, if there is one.

    A line with an invalid quantity is included, so that the page can show it, but then the cart
    cannot be paid.
    """

    lines: tuple[catalog.Line, ...] = ()
    open_order: OrderView | None = None

    @classmethod
    def of(
        cls,
        products: Sequence[catalog.ProductForSale],
        quantities: Mapping[str, int],
        open_order: OrderView | None = None,
    ) -> "Cart":
        lines = [catalog.Line(product, quantities.get(product.slug, 0)) for product in products]
        return cls(tuple(line for line in lines if line.quantity), open_order)

    @property
    def currency(self) -> str:
        return settings.current().currency

    @property
    def quantities(self) -> dict[str, int]:
        return {line.product.slug: line.quantity for line in self.lines}

    @property
    def is_valid(self) -> bool:
        return not any(quantity_error(line.quantity) for line in self.lines)

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def continues_open_order(self) -> bool:
        """True where the open order is for exactly this cart at the current prices."""
        if self.open_order is None:
            return False
        ordered = {(item.slug, item.quantity, item.unit_amount) for item in self.open_order.items}
        lines = [(line.product, line.quantity) for line in self.lines]
        chosen = {(product.slug, quantity, product.unit_amount) for product, quantity in lines}
        return (ordered, self.open_order.currency) == (chosen, self.currency)

    @property
    def replaced_order(self) -> OrderView | None:
        """The open order that paying for this cart cancels."""
        return self.open_order if self.lines and not self.continues_open_order else None

    def button_label(self, price: str) -> str:
        """The text of the Pay button; `price` is the total in the reader's format."""
        if self.continues_open_order:
            return f"Continue payment of {price} (test)"
        return f"Pay {price} with Stripe (test)" if self.lines and self.is_valid else PAY_LABEL

    def error(self, language: str) -> str:
        """Why this cart cannot be paid, as a sentence; "" where it can."""
        if not self.lines:
            return str(errors.EmptyCart())
        for line in self.lines:
            if error := quantity_error(line.quantity):
                return f"{error} of {line.product.name} can be bought at once."
        return money.limit(self.total, self.currency, language)


def restore_cart(
    order: OrderView, products: Sequence[catalog.ProductForSale], price: Callable[[int, str], str]
) -> tuple[dict[str, int], list[str]]:
    """The quantities of an order's products that are still sold, and a sentence about each item
    that is no longer sold or whose price has changed. `price` formats an amount for the reader.
    """
    sold = {product.slug: product for product in products}
    quantities = {item.slug: item.quantity for item in order.items if item.slug in sold}
    changes = []
    for item in order.items:
        product = sold.get(item.slug)
        if product is None:
            changes.append(f"{item.name} is no longer sold.")
        elif (product.unit_amount, product.currency) != (item.unit_amount, order.currency):
            today = price(product.unit_amount, product.currency)
            changes.append(f"{product.name} now costs {today}.")
    return quantities, changes

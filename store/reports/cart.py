"""What a buyer has chosen, at the prices their page shows, and how it may be paid."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from store.catalog import products as catalog
from store.core import errors, money, settings
from store.reports.order_view import OrderView

BARE_LABEL = "Pay with Stripe (test)"
PAYING = "You pay on Stripe's page with a test card. No money moves."


def quantity_fault(quantity: int) -> str:
    """How many of one product can be bought, where `quantity` cannot; "" where it can."""
    if quantity > catalog.MAX_QUANTITY:
        return f"At most {catalog.MAX_QUANTITY}"
    return f"0 to {catalog.MAX_QUANTITY}" if quantity < 0 else ""


@dataclass(frozen=True)
class Cart:
    """The chosen lines; `open_order` is the buyer's one order that can still be paid.

    A line whose quantity is out of bounds stays in it, so that the page can show what was typed;
    such a cart cannot be paid.
    """

    lines: tuple[catalog.Line, ...] = ()
    open_order: OrderView | None = None

    @classmethod
    def of(
        cls,
        products: Sequence[catalog.Sold],
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
        return not any(quantity_fault(line.quantity) for line in self.lines)

    @property
    def total(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def continues_open_order(self) -> bool:
        """True where the open order is for exactly this cart, at the prices of today."""
        if self.open_order is None:
            return False
        ordered = {item.slug: (item.quantity, item.unit_amount) for item in self.open_order.items}
        chosen = {
            line.product.slug: (line.quantity, line.product.unit_amount) for line in self.lines
        }
        return (ordered, self.open_order.currency) == (chosen, self.currency)

    @property
    def replaced_order(self) -> OrderView | None:
        """The open order that paying for this cart cancels."""
        return self.open_order if self.lines and not self.continues_open_order else None

    def label(self, price: str) -> str:
        """What the Pay button says; `price` is the total as the buyer reads it."""
        if self.continues_open_order:
            return f"Continue payment of {price} (test)"
        return f"Pay {price} with Stripe (test)" if self.lines and self.is_valid else BARE_LABEL

    def refusal(self, language: str) -> str:
        """Why this cart cannot be paid, as a sentence; "" where it can."""
        if not self.lines:
            return str(errors.EmptyCart())
        for line in self.lines:
            if fault := quantity_fault(line.quantity):
                return f"{fault} of {line.product.name} can be bought at once."
        return money.limit(self.total, self.currency, language)


def refill(
    order: OrderView, products: Sequence[catalog.Sold], price: Callable[[int, str], str]
) -> tuple[dict[str, int], list[str]]:
    """The quantities of an order that can be chosen again, and a sentence about each item that is
    no longer sold or costs something else today. `price` writes an amount for the reader.
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

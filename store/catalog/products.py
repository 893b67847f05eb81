"""What is sold, and what a cart of it costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlmodel import Session, text

from store.catalog import price_list
from store.core import money, settings
from store.core.errors import AmountRefused, CatalogError, EmptyCart, QuantityRefused

MAX_QUANTITY = 10
# In addresses and widget keys a product's quantity goes by `quantity-<slug>`, so that a product
# called "Pay", "Notice" or "Resume" never meets a name of the page's own.
QUANTITY_PREFIX = "quantity-"
# Asked at each rerun of the shop, where rows of a model would take four times as long.
ON_SALE = text(
    """
    SELECT id, slug, name, description, unit_amount, currency, image
    FROM products WHERE active ORDER BY position, id
    """
)


class ProductForSale(NamedTuple):
    """A product that can be bought, as its row is now."""

    id: int
    slug: str
    name: str
    description: str
    unit_amount: int
    currency: str
    image: str


@dataclass(frozen=True)
class Line:
    """One product in a cart, at the price of this moment."""

    product: ProductForSale
    quantity: int

    @property
    def amount(self) -> int:
        return self.product.unit_amount * self.quantity


def active_products(session: Session) -> list[ProductForSale]:
    """The products that can be bought, in the order that operators gave them.

    Raises:
        CatalogError: a product is in another currency than the shop, so that no total exists.
    """
    listed = [ProductForSale._make(row) for row in session.connection().execute(ON_SALE)]
    currency = settings.current().currency
    if strangers := sorted({product.currency for product in listed} - {currency}):
        raise CatalogError(
            f"The products are priced in {', '.join(strangers).upper()}, but CURRENCY is "
            f"{currency.upper()}. Set CURRENCY to match, or start a fresh database."
        )
    return listed


def quantity_key(slug: str) -> str:
    """The name of a product's quantity in the shop's address and among its widgets."""
    return f"{QUANTITY_PREFIX}{slug}"


def total_amount(products: list[ProductForSale], cart: Mapping[str, int]) -> int:
    """What the cart costs, for display; `price_cart` is what an order is made from."""
    return sum(product.unit_amount * cart.get(product.slug, 0) for product in products)


def price_cart(session: Session, cart: Mapping[str, int]) -> list[Line]:
    """The lines of a cart at today's prices, in the catalogue's order.

    Raises:
        QuantityRefused: not whole numbers from 0 to 10, or of something that is not on sale.
        EmptyCart, AmountRefused
    """
    products = active_products(session)
    for quantity in cart.values():
        if type(quantity) is not int or not 0 <= quantity <= MAX_QUANTITY:
            raise QuantityRefused
    wanted = {slug for slug, quantity in cart.items() if quantity}
    if wanted - {product.slug for product in products}:
        raise QuantityRefused("Something in your cart is no longer sold. Look again, then pay.")
    lines = [Line(product, cart[product.slug]) for product in products if product.slug in wanted]
    if not lines:
        raise EmptyCart
    total = sum(line.amount for line in lines)
    if limit := money.limit(total, lines[0].product.currency):
        raise AmountRefused(f"{limit} Nothing was ordered.")
    return lines


def seed_rows() -> list[dict[str, Any]]:
    """The products of `data/products.toml` as rows of the first day, priced in `CURRENCY`.

    Raises:
        ProductsFileError
    """
    return price_list.rows(settings.current().currency)

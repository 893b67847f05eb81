"""The products on sale, and the price of a cart."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlmodel import Session, text

from store.core import money, settings
from store.core.errors import AmountRefused, CatalogError, EmptyCart, QuantityRefused

MAX_QUANTITY = 10
# In query parameters and widget keys, so that no slug equals another name of the page.
QUANTITY_PREFIX = "quantity-"
# Run at each rerun of the page; loading model instances takes four times as long.
ON_SALE = text(
    """
    SELECT id, slug, name, description, unit_amount, currency, image
    FROM products WHERE active ORDER BY position, id
    """
)


class ProductForSale(NamedTuple):
    """A product on sale, as its row is now."""

    id: int
    slug: str
    name: str
    description: str
    unit_amount: int
    currency: str
    image: str


class Line(NamedTuple):
    """One product in a cart, at its current price."""

    product: ProductForSale
    quantity: int

    @property
    def amount(self) -> int:
        return self.product.unit_amount * self.quantity


def active_products(session: Session) -> list[ProductForSale]:
    """The products on sale, in the order set by operators; CatalogError for other currencies."""
    products = [ProductForSale._make(row) for row in session.connection().execute(ON_SALE)]
    currency = settings.current().currency
    if others := sorted({product.currency for product in products} - {currency}):
        raise CatalogError(
            f"The products are priced in {', '.join(others).upper()}, but CURRENCY is "
            f"{currency.upper()}. Set CURRENCY to match, or start a fresh database."
        )
    return products


def quantity_key(slug: str) -> str:
    """The query parameter and widget key of a product's quantity."""
    return f"{QUANTITY_PREFIX}{slug}"


def price_cart(session: Session, cart: Mapping[str, int]) -> list[Line]:
    """The lines of a cart at current prices, in the order of the products.

    Raises:
        QuantityRefused: not whole numbers from 0 to 10, or of something that is not on sale.
        EmptyCart, AmountRefused
    """
    products = active_products(session)
    for quantity in cart.values():
        if type(quantity) is not int or not 0 <= quantity <= MAX_QUANTITY:
            raise QuantityRefused
    slugs = {slug for slug, quantity in cart.items() if quantity}
    if slugs - {product.slug for product in products}:
        raise QuantityRefused("Something in your cart is no longer sold. Look again, then pay.")
    lines = [Line(product, cart[product.slug]) for product in products if product.slug in slugs]
    if not lines:
        raise EmptyCart
    total = sum(line.amount for line in lines)
    if limit := money.limit(total, lines[0].product.currency):
        raise AmountRefused(f"{limit} Nothing was ordered.")
    return lines

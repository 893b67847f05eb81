"""What makes two carts the same."""

import pytest

from store.catalog.products import Line, ProductForSale
from store.orders.checkout import cart_fingerprint

SHIRT = ProductForSale(1, "red-t-shirt", "Red T-Shirt", "", 1999, "usd", "a.svg")
JEANS = ProductForSale(2, "blue-jeans", "Blue Jeans", "", 4999, "usd", "b.svg")
CART = [Line(SHIRT, 2), Line(JEANS, 1)]


def test_the_order_of_the_lines_makes_no_other_cart() -> None:
    assert cart_fingerprint("a buyer", CART) == cart_fingerprint("a buyer", CART[::-1])


def test_names_and_pictures_make_no_other_cart() -> None:
    renamed = Line(SHIRT._replace(name="Crimson T-Shirt", image="c.svg"), 2)

    assert cart_fingerprint("a buyer", [renamed, CART[1]]) == cart_fingerprint("a buyer", CART)


@pytest.mark.parametrize(
    "cart",
    [
        CART[:1],
        [Line(SHIRT, 1), Line(JEANS, 1)],
        [Line(SHIRT, 1), Line(JEANS, 2)],
        [Line(SHIRT._replace(unit_amount=2000), 2), Line(JEANS, 1)],
        [Line(SHIRT._replace(currency="eur"), 2), Line(JEANS, 1)],
        [Line(SHIRT._replace(slug="blue-t-shirt"), 2), Line(JEANS, 1)],
    ],
    ids=["fewer", "quantity", "quantities", "price", "currency", "product"],
)
def test_what_is_bought_how_many_and_at_which_price_make_another_cart(cart: list[Line]) -> None:
    assert cart_fingerprint("a buyer", cart) != cart_fingerprint("a buyer", CART)


def test_the_same_cart_of_another_buyer_is_another_one() -> None:
    assert cart_fingerprint("a buyer", CART) != cart_fingerprint("another buyer", CART)

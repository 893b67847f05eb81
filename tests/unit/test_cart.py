"""What the cart panel shows and whether it can be paid; pure rules, without a database."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from store.catalog.products import ProductForSale
from store.core import settings
from store.reports.cart import Cart, restore_cart
from store.reports.order_view import ItemView, OrderView

SHIRT = ProductForSale(1, "red-t-shirt", "Red T-Shirt", "", 1999, "usd", "a.svg")
JEANS = ProductForSale(2, "blue-jeans", "Blue Jeans", "", 4999, "usd", "b.svg")
SOLD = [SHIRT, JEANS]


@pytest.fixture(autouse=True)
def priced_in_dollars(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CURRENCY", "usd")
    settings.current.cache_clear()
    yield
    settings.current.cache_clear()


def an_order(*items: ItemView, status: str = "open") -> OrderView:
    return OrderView(
        number="2222-2222-2222-2222",
        status=status,
        currency="usd",
        total_amount=sum(item.amount for item in items),
        refunded_amount=0,
        items=items,
        email=None,
        receipt_url=None,
        checkout_session_id=None,
        payment_intent_id=None,
        created_at=datetime.now(UTC),
        paid_at=None,
        is_payable=True,
    )


TWO_SHIRTS = ItemView("red-t-shirt", "Red T-Shirt", 2, 1999)


def test_an_open_order_for_exactly_this_cart_is_continued() -> None:
    cart = Cart.of(SOLD, {"red-t-shirt": 2}, an_order(TWO_SHIRTS))

    assert cart.continues_open_order
    assert cart.replaced_order is None
    assert (cart.total, cart.error("en")) == (3998, "")


@pytest.mark.parametrize(
    "item",
    [
        replace(TWO_SHIRTS, quantity=1),
        replace(TWO_SHIRTS, unit_amount=1000),
        replace(TWO_SHIRTS, slug="blue-jeans"),
    ],
    ids=["another quantity", "another price", "another product"],
)
def test_an_open_order_for_anything_else_is_replaced(item: ItemView) -> None:
    order = an_order(item)

    cart = Cart.of(SOLD, {"red-t-shirt": 2}, order)

    assert not cart.continues_open_order
    assert cart.replaced_order is order


def test_an_empty_cart_replaces_nothing_and_says_what_to_do() -> None:
    cart = Cart.of(SOLD, {}, an_order(TWO_SHIRTS))

    assert (cart.continues_open_order, cart.replaced_order) == (False, None)
    assert cart.error("en") == "Your cart is empty. Choose a quantity first."


@pytest.mark.parametrize(
    ("quantity", "bounds"), [(11, "At most 10"), (999, "At most 10"), (-1, "0 to 10")]
)
def test_a_quantity_out_of_bounds_stays_in_the_cart_and_cannot_be_paid(
    quantity: int, bounds: str
) -> None:
    cart = Cart.of(SOLD, {"red-t-shirt": quantity, "blue-jeans": 1})

    assert cart.quantities == {"red-t-shirt": quantity, "blue-jeans": 1}
    assert not cart.is_valid
    assert cart.error("en") == f"{bounds} of Red T-Shirt can be bought at once."


def test_refilling_a_cart_names_withdrawn_and_repriced_products() -> None:
    hat = ItemView("hat", "Hat", 1, 500)
    jeans = ItemView("blue-jeans", "Blue Jeans", 3, 4000)

    quantities, changes = restore_cart(
        an_order(TWO_SHIRTS, hat, jeans), SOLD, lambda amount, currency: f"{amount} {currency}"
    )

    assert quantities == {"red-t-shirt": 2, "blue-jeans": 3}
    assert changes == ["Hat is no longer sold.", "Blue Jeans now costs 4999 usd."]

"""Products as operators change them: fields, prices, pictures, order, and two at once."""

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image
from sqlmodel import col, select
from streamlit.testing.v1 import AppTest

from store.backoffice import auth, pages_common
from store.catalog import images, product_editor, products
from store.catalog.product_editor import ProductForm, ProductRefused
from store.core import clock, money, settings
from store.db import engine as db
from store.db.models import OrderItem, Product
from store.web.rendering import literal
from tests.support.shop import ON_SQLITE, Shop, at_once

BOOTS = ProductForm("Boots", "High and dry.", "89.50", "sneakers.svg", active=True)


def product(slug: str = "red-t-shirt") -> Product:
    with db.reading() as session:
        return session.exec(select(Product).where(col(Product.slug) == slug)).one()


def opened(slug: str = "red-t-shirt") -> tuple[ProductForm, Mapping[str, Any]]:
    """A form as it is when an operator has just opened it, and the values behind it."""
    row = product(slug)
    price = money.input_text(row.unit_amount, row.currency)
    form = ProductForm(row.name, row.description, price, row.image, row.active)
    return form, product_editor.values_of(row)


def save(form: ProductForm, values: Mapping[str, Any], slug: str = "red-t-shirt") -> list[str]:
    with db.unit_of_work() as session:
        return product_editor.change(session, slug, form, values)


def add(form: ProductForm) -> str:
    with db.unit_of_work() as session:
        return product_editor.add(session, form).slug


def on_sale() -> list[str]:
    with db.reading() as session:
        return [sold.slug for sold in products.active_products(session)]


@pytest.mark.scenario("A5")
def test_an_edit_never_changes_a_placed_order(shop: Shop) -> None:
    shop.a_paid_order()
    Shop(shop.stripe, shop.server).an_open_order()
    before = [(row.total_amount, row.checkout_parameters) for row in shop.orders()]
    form, values = opened()

    changes = save(replace(form, name="Blue Shirt", price="29.99", active=False), values)

    assert changes == ["name “Red T-Shirt” → “Blue Shirt”", "price $19.99 → $29.99", CLOSED]
    assert [(row.total_amount, row.checkout_parameters) for row in shop.orders()] == before
    with db.reading() as session:
        items = session.exec(select(OrderItem.name, OrderItem.unit_amount)).all()
    assert set(items) == {("Red T-Shirt", 1999)}


CLOSED = "no longer on sale"


@ON_SQLITE
@pytest.mark.parametrize(
    ("field", "entered", "column", "reason"),
    [
        ("name", " ", "name", "write something"),
        ("name", "x" * 121, "name", "at most 120 characters"),
        ("name", "a\x00b", "name", "there is an invisible control character"),
        ("description", "", "description", "write something"),
        ("price", "free", "unit_amount", "Write the amount in digits, like 19.99."),
        ("price", "1.999", "unit_amount", "USD has no such small change"),
        ("price", "0", "unit_amount", "write an amount above 0 and at most $999,999.99."),
        ("price", "1,000,000", "unit_amount", "write an amount above 0 and at most"),
        ("image", "../../.env", "image", "choose one"),
    ],
)
def test_a_wrong_field_is_refused_with_a_sentence_of_its_own(
    shop: Shop, field: str, entered: str, column: str, reason: str
) -> None:
    form, values = opened()

    with pytest.raises(ProductRefused) as refused:
        entries: dict[str, Any] = {"name": "Kept", field: entered}
        save(replace(form, **entries), values)

    assert list(refused.value.fields) == [column]
    assert refused.value.fields[column].startswith(reason)
    assert product_editor.values_of(product()) == values


@ON_SQLITE
def test_every_wrong_field_is_named_at_once(shop: Shop) -> None:
    form, values = opened()

    with pytest.raises(ProductRefused) as refused:
        save(replace(form, name="", price="abc", locale="de-DE"), values)

    assert refused.value.fields == {
        "name": "write something; Stripe shows it to the buyer.",
        "unit_amount": "Write the amount in digits, like 19,99.",
    }


def test_changes_of_different_fields_by_two_operators_are_merged(shop: Shop) -> None:
    (form, values), (other, other_values) = opened(), opened()

    save(replace(form, price="29.99"), values)
    save(replace(other, description="Softer than before."), other_values)

    assert (product().unit_amount, product().description) == (2999, "Softer than before.")


def test_concurrent_changes_of_one_field_do_not_overwrite_each_other(
    shop: Shop,
) -> None:
    form, values = opened()
    prices = ("29.99", "39.99")

    results = at_once(2, lambda place: save(replace(form, price=prices[place]), values))

    (conflict,) = (result for result in results if isinstance(result, ProductRefused))
    won = product().unit_amount
    assert money.text(won, "usd") in conflict.fields["unit_amount"]
    lost = "39.99" if won == 2999 else "29.99"
    now_seen = {**values, "unit_amount": conflict.current["unit_amount"]}
    assert save(replace(form, price=lost), now_seen) == [
        f"price {money.text(won, 'usd')} → ${lost}"  # once it was seen, it may be replaced
    ]


def test_an_archived_product_is_not_sold_until_it_is_restored(shop: Shop) -> None:
    with db.unit_of_work() as session:
        first = product_editor.set_active(session, "sneakers", active=False)
        again = product_editor.set_active(session, "sneakers", active=False)
    archived = on_sale()
    with db.unit_of_work() as session:
        product_editor.set_active(session, "sneakers", active=True)

    assert (first, again) == (True, False)
    assert "sneakers" not in archived
    assert "sneakers" in on_sale()


def test_products_are_sold_in_the_order_that_operators_gave_them(shop: Shop) -> None:
    before, changed_at = on_sale(), product().updated_at

    def move(slug: str, places: int) -> None:
        with db.unit_of_work() as session:
            product_editor.move(session, slug, places)

    move(before[-1], -1)
    moved = on_sale()
    move(before[0], -1)  # it is first already
    at_once(2, lambda _place: move(before[0], 1))

    assert moved == [*before[:-2], before[-1], before[-2]]
    assert on_sale() == [moved[1], moved[2], moved[0], *moved[3:]]
    assert add(BOOTS) == on_sale()[-1]
    assert product().updated_at == changed_at  # a product that others pass is not changed


@ON_SQLITE
def test_a_new_product_can_be_bought(shop: Shop) -> None:
    slugs = [add(BOOTS), add(BOOTS)]

    number = shop.a_paid_order({"boots": 1})

    assert slugs == ["boots", "boots-2"]
    assert shop.order(number).total_amount == 8950


@ON_SQLITE
def test_prices_are_written_as_in_their_currency_and_locale(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURRENCY", "jpy")
    settings.current.cache_clear()

    with pytest.raises(ProductRefused, match="JPY has no such small change: write it like 1999"):
        add(BOOTS)
    add(replace(BOOTS, price="8.950 ¥", locale="de"))

    assert (product("boots").unit_amount, product("boots").currency) == (8950, "jpy")


# --- the form ------------------------------------------------------------------------------------


@pytest.fixture
def open_form(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Callable[[], AppTest]:
    """Opens the form of the shirt in a new tab of an operator in Germany."""
    session = auth.OperatorSession("Ada", clock.now())
    monkeypatch.setattr(pages_common, "current_operator", lambda: session)

    def page() -> None:
        from store.backoffice import pages_products  # noqa: PLC0415 - AppTest runs its source

        pages_products.render()

    def open_tab() -> AppTest:
        tab = AppTest.from_function(page, default_timeout=20)
        tab.context = {"locale": "de-DE", "timezone": "UTC", "url": "http://shop.example/"}
        tab.run().button(key="edit-red-t-shirt").click().run()
        assert not tab.exception
        return tab

    return open_tab


def submit(tab: AppTest, **entries: str) -> None:
    for field, entry in entries.items():
        tab.text_input(key=f"product_{field}").set_value(entry)
    next(button for button in tab.button if button.label == "Save").click()
    tab.run()
    assert not tab.exception


@ON_SQLITE
def test_a_refused_form_keeps_every_field_and_says_why_at_the_field(
    open_form: Callable[[], AppTest],
) -> None:
    tab = open_form()
    before = tab.text_input(key="product_price").value

    submit(tab, name="Blue Shirt", price="12,345")

    assert before == "19,99"
    assert [error.value for error in tab.error] == [
        literal("USD has no such small change: write it like 19,99.")
    ]
    assert tab.text_input(key="product_name").value == "Blue Shirt"
    assert tab.text_input(key="product_price").value == "12,345"
    submit(tab, price="1.234,50")
    assert (product().name, product().unit_amount) == ("Blue Shirt", 123450)


@ON_SQLITE
def test_a_second_tab_sees_conflicts_and_the_rest_is_merged(
    open_form: Callable[[], AppTest],
) -> None:
    first, second = open_form(), open_form()

    submit(first, price="29,99")
    submit(second, name="Blue Shirt", price="39,99")

    (error,) = (error.value for error in second.error)
    assert "another operator changed this to \\$29\\.99 meanwhile" in error
    assert product().unit_amount == 2999
    assert second.text_input(key="product_price").value == "39,99"
    submit(second)
    assert (product().name, product().unit_amount) == ("Blue Shirt", 3999)


# --- pictures ------------------------------------------------------------------------------------


def picture(kind: str = "PNG", size: tuple[int, int] = (1500, 1200), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind)
    return file.getvalue()


@ON_SQLITE
@pytest.mark.parametrize(
    "data", [picture("PNG"), picture("JPEG"), picture("WEBP"), picture("PNG", mode="P")]
)
def test_an_uploaded_image_is_encoded_again(shop: Shop, data: bytes) -> None:
    image = images.read_upload(data + b"<script>alert(1)</script>")
    before = images.listed()
    names = at_once(3, lambda _place: images.store(image))

    assert image.name not in before
    assert names == [image.name] * 3
    stored = images.path_of(image.name)
    assert stored
    assert b"script" not in stored.read_bytes()
    with Image.open(stored) as drawn:
        assert (drawn.format, max(drawn.size)) == ("WEBP", images.MAX_STORED_PX)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a PNG, JPEG or WebP picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a PNG, JPEG or WebP picture"),
        (b"GIF89a" * 9, "not a PNG, JPEG or WebP picture"),
        (b"\x89PNG", "not a PNG, JPEG or WebP picture"),
        (picture()[:-200], "not a PNG, JPEG or WebP picture"),
        (picture("JPEG")[:400], "not a PNG, JPEG or WebP picture"),
        (picture(size=(40_000, 1000), mode="1"), "40000 × 1000 pixels, which is too many"),
        (b"x" * (5 * 1024 * 1024 + 1), "larger than 5 MB"),
    ],
)
def test_a_broken_or_enormous_picture_is_refused_in_one_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(images.ImageRefused, match=reason):
        images.read_upload(data)


@pytest.mark.parametrize("name", ["../../.env", "/etc/passwd", "", ".", "nothing.png"])
def test_a_picture_is_never_read_from_anywhere_else(name: str) -> None:
    assert images.path_of(name) is None

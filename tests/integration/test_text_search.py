"""A search finds text in any alphabet, case and form, on both databases."""

from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text
from sqlmodel import col, select

from store.catalog import seeding
from store.core import settings
from store.db import engine as db
from store.db.models import Order, Product
from store.reports import search
from store.reports.search import OrderFilter
from tests.support.shop import ON_SQLITE, Shop, backoffice_section


def numbers(searched: str) -> list[str]:
    with db.reading() as session:
        return [o.number for o in search.search_orders(session, OrderFilter(text=searched)).rows]


def change(number: str, email: str) -> None:
    with db.unit_of_work() as session:
        session.exec(select(Order).where(col(Order.number) == number)).one().email = email


@pytest.mark.scenario("R3")
@pytest.mark.parametrize(
    ("address", "searches"),
    [
        ("ünal@example.com", ["ÜNAL", "ünal@", "Unal", "u\u0308nal@EXAMPLE.com"]),
        ("ÜNAL@example.com", ["ünal", "ÜNAL@", "unal"]),
        ("İstanbul@example.com", ["İstanbul@", "istanbul", "ISTANBUL", "ıstanbul", "i\u0307stan"]),
        ("ışık@örnek.example", ["IŞIK", "ışık@ö", "isik@ORNEK"]),
        ("straße@example.com", ["STRASSE", "straße", "STRAẞE"]),
        ("ΣΊΣΥΦΟΣ@example.com", ["σίσυφος", "ΣΊΣΥΦΟΣ", "σίσυφοσ@"]),
        ("Šárka@example.com", ["šárka", "sarka", "ŠÁRKA@example"]),
        ("Иван@example.com", ["иван", "ИВАН"]),
        ("王@example.com", ["王"]),
        ("\uff41da@example.com", ["ada", "\uff21DA"]),
    ],
)
def test_an_address_is_found_in_any_alphabet_and_case(
    shop: Shop, address: str, searches: list[str]
) -> None:
    number, other = shop.a_past("paid", "paid")
    change(number, email=address)
    change(other, email="grace@example.com")

    assert [numbers(searched) for searched in searches] == [[number]] * len(searches)


@pytest.mark.scenario("R3")
def test_an_address_that_stripe_names_is_found_in_any_case(shop: Shop) -> None:
    number = shop.an_open_order()
    paid = shop.stripe.emulator.checkout.pay_with_card(
        shop.session_id(number),
        number="4242424242424242",
        expiry="12 / 34",
        cvc="123",
        name="Ünal",
        email="Ünal@example.com",
    )
    assert paid.outcome == "succeeded"
    shop.deliver_latest("checkout.session.completed")

    assert numbers("ÜNAL") == numbers("ünal@example.com") == [number]


@pytest.mark.scenario("R3")
@pytest.mark.parametrize("sign", ["\u0301", "\u0308\u0301", "%", "_", "\U0010ffff"])
def test_a_search_without_letters_finds_no_order(shop: Shop, sign: str) -> None:
    (number,) = shop.a_past("paid")
    change(number, email="ada@example.com")

    assert numbers(sign) == []


@ON_SQLITE
@pytest.mark.scenario("R3")
def test_a_product_is_found_in_any_case(shop: Shop) -> None:
    with db.unit_of_work() as session:
        session.exec(select(Product).where(col(Product.slug) == "sneakers")).one().name = "İĞNE ÖRÜ"

    for searched in ("iğne", "İĞNE", "igne oru"):
        page = backoffice_section("products", {"product_search": searched})
        shown = [element.value for element in page.markdown]
        assert "**İĞNE ÖRÜ**" in shown, searched
        assert "**Blue Jeans**" not in shown


@pytest.mark.scenario("R3", "E9")
def test_addresses_of_an_old_database_are_found_after_its_update(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    settings.current.cache_clear()
    old = """INSERT INTO orders (number, buyer, currency, total_amount, status, cart_key, attempt,
        idempotency_key, checkout_parameters, checkout_expires_at, session_status, payment_status,
        refunded_amount, email, created_at, updated_at)
        VALUES (:n, :n, 'usd', 1, 'paid', :n, 1, :n, '{}', '2026-01-01', 'complete', 'paid', 0,
        :email, '2026-01-01', '2026-01-01')"""
    with db.engine().execution_options(writes=True).begin() as connection:
        config = db._alembic()
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
        for name, email in (("one", "İstanbul@example.com"), ("two", None), ("three", "ünal@x.y")):
            connection.execute(text(old), {"n": name, "email": email})

    seeding.migrate()

    assert numbers("istanbul@") == ["one"]
    assert numbers("ÜNAL") == ["three"]
    db.engine().dispose()
    db.engine_for.cache_clear()
    settings.current.cache_clear()

"""What people and spreadsheets are shown of orders, as it was and as it is called."""

import csv
from pathlib import Path

import pytest
from sqlmodel import col, select

from store.db import engine as db
from store.db.models import Product
from store.orders import statuses
from store.reports import csv_export, my_orders, order_view, sales
from store.web import buyer_ids, rendering
from tests.support.shop import JEANS, ON_SQLITE, SHIRTS, Shop

FORMULAS = ['=HYPERLINK("http://evil","x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]
HOSTILE = [
    "<script>alert(1)</script>",
    "[x](javascript:alert(1))",
    ":red[sale] **bold** $a$ $b$ `code` | pipe",
    "'; DROP TABLE orders; --",
    "\u202etxt.exe",
    "👩‍👩‍👧‍👦" * 20,
    "é" * 500,
]


def rename(slug: str, name: str) -> None:
    with db.unit_of_work() as session:
        session.exec(select(Product).where(col(Product.slug) == slug)).one().name = name


def exported(path: Path) -> list[list[str]]:
    with db.reading() as session:
        count = csv_export.write_csv(session, path)
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.reader(file))
    assert len(rows) == count + 1
    return rows


@pytest.mark.scenario("G7")
def test_an_export_holds_every_order_in_major_units(shop: Shop, tmp_path: Path) -> None:
    paid = shop.a_paid_order(SHIRTS)
    shop.stripe.emulator.refund(shop.payment_id(paid), 1000)
    shop.tell("refund.created")
    opened = shop.an_open_order(JEANS)

    heads, first, second = exported(tmp_path / "orders.csv")

    shown = dict(zip(heads, first, strict=True))
    assert (shown["number"], shown["status"]) == (paid, "partially_refunded")
    assert (shown["total"], shown["refunded"], shown["currency"]) == ("39.98", "10.00", "usd")
    assert shown["items"] == "2 × Red T-Shirt"
    assert (second[0], second[3]) == (opened, "open")


@ON_SQLITE
@pytest.mark.scenario("G7")
@pytest.mark.parametrize("name", FORMULAS)
def test_no_cell_of_an_export_is_taken_for_a_formula(shop: Shop, tmp_path: Path, name: str) -> None:
    rename("red-t-shirt", name)
    shop.place()

    rows = exported(tmp_path / "orders.csv")

    cells = [cell for row in rows for cell in row]
    assert not any(cell.startswith(csv_export.FORMULA_SIGNS) for cell in cells)
    assert csv_export._cell(name) == f"'{name}"
    assert any(name in cell for cell in cells)


@pytest.mark.scenario("G4", "G6")
def test_a_product_name_of_any_characters_is_stored_unchanged(shop: Shop, tmp_path: Path) -> None:
    for name in HOSTILE:
        rename("red-t-shirt", name)
        shop.buyer = buyer_ids.digest(buyer_ids.new_cookie())
        number = shop.a_paid_order()
        assert [item.name for item in shop.view(number).items] == [name]

    names = [row[4].removeprefix("2 × ") for row in exported(tmp_path / "orders.csv")[1:]]
    assert names == HOSTILE
    with db.reading() as session:
        assert len(session.exec(select(Product)).all()) == 3


@pytest.mark.scenario("A5")
def test_an_order_keeps_the_names_and_prices_of_its_day(shop: Shop) -> None:
    number = shop.a_paid_order()
    before = shop.view(number)

    with db.unit_of_work() as session:
        shirt = session.exec(select(Product).where(col(Product.slug) == "red-t-shirt")).one()
        shirt.name, shirt.unit_amount = "Blue T-Shirt", 1

    assert shop.view(number) == before
    assert [(item.name, item.unit_amount) for item in before.items] == [("Red T-Shirt", 1999)]


@pytest.mark.scenario("G1", "A14")
def test_a_buyer_sees_their_own_orders_only(shop: Shop) -> None:
    mine = shop.an_open_order()
    stranger = Shop(shop.stripe, shop.door)
    theirs = stranger.an_open_order()

    with db.reading() as session:
        seen = {
            buyer: my_orders.newest_orders(session, buyer) for buyer in (shop.buyer, stranger.buyer)
        }
        nobodys = my_orders.newest_orders(session, "")

    assert [[view.number for view in views] for views in seen.values()] == [[mine], [theirs]]
    assert nobodys == []


def test_orders_are_counted_by_status_the_empty_ones_included(shop: Shop) -> None:
    shop.a_paid_order()
    shop.an_open_order(JEANS)

    with db.reading() as session:
        counted = sales.orders_by_status(session)

    assert counted == dict.fromkeys(order_view.STATUS_BADGES, 0) | {"paid": 1, "open": 1}


def test_every_status_has_a_badge_of_its_own_and_a_verdict() -> None:
    badges = order_view.STATUS_BADGES.values()

    assert len({badge.glyph for badge in badges}) == len({badge.word for badge in badges}) == 11
    assert set(rendering.VERDICTS) == set(order_view.STATUS_BADGES)
    assert statuses.PAID


@pytest.mark.scenario("G10")
def test_the_metrics_tell_counts_and_no_secrets(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.tell("checkout.session.completed")

    said = shop.door.client.get("/metrics").text

    assert 'store_orders{status="paid"} 1.0' in said
    assert "store_webhooks_total" in said
    for secret in (shop.buyer, number, "ada@example.com", "whsec_", "sk_test_"):
        assert secret not in said

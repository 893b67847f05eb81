"""A buyer's list of orders: little is read, and all that matters is shown."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event
from sqlmodel import col, select

from store.db import engine as db
from store.db.models import HistoryEntry, Order, Product
from store.reports import charge_summary, my_orders
from tests.support.shop import Shop


@contextmanager
def reading() -> Iterator[list[str]]:
    """The numbers of the orders that are read meanwhile."""
    read: list[str] = []

    def note(order: Order, _context: object) -> None:
        read.append(order.number)

    event.listen(Order, "load", note)
    try:
        yield read
    finally:
        event.remove(Order, "load", note)


def orders_of(shop: Shop) -> my_orders.MyOrders:
    with db.reading() as session:
        return my_orders.load(session, shop.buyer)


def older(shop: Shop, pages: int = 1, status: str = "") -> list[str]:
    with db.reading() as session:
        shown = (
            my_orders.newest_orders(session, shop.buyer, status)
            if status
            else orders_of(shop).orders
        )
        found = my_orders.newest_orders(
            session, shop.buyer, status, shown, pages * my_orders.PAGE_SIZE
        )
        return [order.number for order in found]


def numbers(shown: my_orders.MyOrders) -> list[str]:
    return [order.number for order in shown.orders]


def test_of_many_orders_those_are_read_that_are_shown(shop: Shop) -> None:
    past = shop.a_past(*["paid"] * 30)[::-1]

    with reading() as at_first:
        shown = orders_of(shop)
    with reading() as in_the_drawer:
        first_page = older(shop)

    assert at_first == numbers(shown) == past[:6]
    assert (shown.count(), shown.count("paid"), shown.charges.charges) == (30, 30, 30)
    assert in_the_drawer == [*past[:6], *first_page]
    assert first_page == past[6:26]
    assert older(shop, pages=2) == past[6:]


@pytest.mark.parametrize("status", ["pending", "open", "processing", "review"])
def test_an_order_that_may_still_change_is_shown_however_old_it_is(shop: Shop, status: str) -> None:
    first, *past = shop.a_past(status, *["paid"] * 30)

    shown = orders_of(shop)

    assert numbers(shown) == [*past[:-7:-1], first]
    assert shown.is_waiting == (status != "review")
    assert [alert.order_number for alert in shown.charges.alerts] == [first] * (status == "review")
    assert first not in older(shop, pages=2)
    assert len(older(shop, pages=2)) == shown.count() - len(shown.orders)


def test_orders_of_one_status_are_found_among_all_others(shop: Shop) -> None:
    past = shop.a_past(*["failed", "paid"] * 15)[::-1]

    assert orders_of(shop).filters == ["paid", "failed"]
    assert older(shop, status="failed") == past[1::2][6:]


def test_nothing_is_to_be_chosen_where_all_are_shown_or_alike(shop: Shop) -> None:
    shop.a_past("failed", *["paid"] * 5)
    assert orders_of(shop).filters == []

    shop.a_past("paid")
    assert orders_of(shop).filters == ["paid", "failed"]


def test_second_payments_of_old_orders_are_among_the_alerts(shop: Shop) -> None:
    twice = shop.a_paid_order()
    shop.pay_a_second_session(twice)
    shop.deliver_latest("checkout.session.completed")
    (doubtful, *_) = shop.a_past("review", *["paid"] * 10)

    charges = orders_of(shop).charges

    assert [(alert.cause, alert.order_number) for alert in charges.alerts] == [
        ("review", doubtful),
        ("second payment", twice),
    ]
    assert (charges.orders, charges.charges, charges.has_open_alert) == (12, 12, True)


def test_a_history_row_that_replaces_a_deleted_one_is_noticed(shop: Shop) -> None:
    shop.a_past("paid", "paid")
    with db.reading() as session:
        before = charge_summary.status_counts(session, shop.buyer)

    with db.unit_of_work() as session:
        first, *_, last = session.exec(select(HistoryEntry).order_by(col(HistoryEntry.id))).all()
        session.delete(first)
        session.add(HistoryEntry(order_id=last.order_id, source="operator", action="noted"))

    with db.reading() as session:
        after = charge_summary.status_counts(session, shop.buyer)
    assert before != after


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
    stranger = Shop(shop.stripe, shop.server)
    theirs = stranger.an_open_order()

    with db.reading() as session:
        seen = {
            buyer: my_orders.newest_orders(session, buyer) for buyer in (shop.buyer, stranger.buyer)
        }
        nobodys = my_orders.newest_orders(session, "")

    assert [[view.number for view in views] for views in seen.values()] == [[mine], [theirs]]
    assert nobodys == []

"""Cached pages: read again only after a change, never outdated."""

from collections.abc import Callable
from datetime import datetime, tzinfo

import pytest

from store.core.errors import OrderNotFound
from store.db import engine as db
from store.orders import queries, refunds
from store.reports import my_orders, order_detail
from store.web import buyer_cookie, formatting, rendering
from tests.support.shop import JEANS, Shop


def seen(shop: Shop, number: str) -> tuple[object, object]:
    return my_orders.of_buyer(shop.buyer), order_detail.of_buyer(shop.buyer, number)


def test_nothing_is_read_again_while_nothing_is_new(shop: Shop) -> None:
    number = shop.a_paid_order()

    first, again = seen(shop, number), seen(shop, number)

    assert first[0] is again[0]
    assert first[1] is again[1]


def a_delivery(shop: Shop, number: str) -> None:
    shop.deliver_latest("checkout.session.completed")


def a_second_delivery(shop: Shop, number: str) -> None:
    shop.deliver_latest("checkout.session.completed")
    seen(shop, number)
    shop.deliver_latest("checkout.session.completed")


def a_refund_that_is_asked(shop: Shop, number: str) -> None:
    refunds.create_refund(number, 100, key="form-1")


def a_refund_that_is_made(shop: Shop, number: str) -> None:
    row = refunds.create_refund(number, 100, key="form-1")
    seen(shop, number)
    refunds.submit_refund(row, source="operator")


def a_dispute(shop: Shop, number: str) -> None:
    shop.dispute(number)
    shop.deliver_latest("charge.dispute.created")


def a_receipt(shop: Shop, number: str) -> None:
    shop.deliver_latest("charge.succeeded")


@pytest.mark.parametrize(
    "news",
    [
        a_delivery,
        a_second_delivery,
        a_refund_that_is_asked,
        a_refund_that_is_made,
        a_dispute,
        a_receipt,
    ],
)
def test_the_page_cache_misses_after_every_kind_of_change(
    shop: Shop, news: Callable[[Shop, str], None]
) -> None:
    number = shop.a_paid_order()
    seen(shop, number)

    news(shop, number)

    orders, detail = seen(shop, number)
    with db.reading() as session:
        assert orders == my_orders.load(session, shop.buyer)
        assert detail == order_detail.load(
            session, queries.order_of_buyer(session, shop.buyer, number)
        )


def test_another_order_is_shown_at_once(shop: Shop) -> None:
    first = shop.a_paid_order()
    seen(shop, first)
    second = shop.an_open_order(JEANS)

    assert [order.number for order in my_orders.of_buyer(shop.buyer).orders] == [second, first]


@pytest.mark.scenario("G1")
def test_cached_pages_are_per_buyer(shop: Shop) -> None:
    number = shop.a_paid_order()
    seen(shop, number)
    shop.buyer = buyer_cookie.buyer_hash(buyer_cookie.new_cookie())

    assert my_orders.of_buyer(shop.buyer).orders == []
    with pytest.raises(OrderNotFound):
        order_detail.of_buyer(shop.buyer, number)


def test_html_cache_misses_when_order_or_year_changes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, reader = shop.an_open_order(), formatting.LocaleFormatter.of("en-US", "UTC")

    def row() -> str:
        return rendering.render("storefront", "order_row", reader, order=shop.view(number))

    first = row()
    assert row() is first

    shop.pay(number)
    shop.deliver_latest("checkout.session.completed")
    paid = row()
    assert "Paid" in paid
    assert "Paid" not in first

    for module in (rendering, formatting):
        monkeypatch.setattr(module, "datetime", NextYear)
    assert f", {shop.view(number).created_at.year}" in row()
    assert f", {shop.view(number).created_at.year}" not in paid


class NextYear(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "NextYear":
        real = super().now(tz)
        return real.replace(year=real.year + 1, day=1)


def test_the_caches_are_bounded() -> None:
    for cached in (my_orders._cached, order_detail._cached):
        assert cached.cache_info().maxsize == 1000

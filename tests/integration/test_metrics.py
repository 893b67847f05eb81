"""The counts of orders by status, and the metrics made of them."""

import pytest

from store.db import engine as db
from store.reports import order_view, sales
from tests.support.shop import JEANS, Shop


def test_orders_are_counted_by_status_the_empty_ones_included(shop: Shop) -> None:
    shop.a_paid_order()
    shop.an_open_order(JEANS)

    with db.reading() as session:
        counted = sales.orders_by_status(session)

    assert counted == dict.fromkeys(order_view.STATUS_BADGES, 0) | {"paid": 1, "open": 1}


@pytest.mark.scenario("G10")
def test_the_metrics_tell_counts_and_no_secrets(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.deliver_latest("checkout.session.completed")

    said = shop.server.client.get("/metrics").text

    assert 'store_orders{status="paid"} 1.0' in said
    assert "store_webhooks_total" in said
    for secret in (shop.buyer, number, "ada@example.com", "whsec_", "sk_test_"):
        assert secret not in said

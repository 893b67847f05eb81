"""Orders as operators find them: by text, status and day, a page at a time."""

import csv
import io
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from store.backoffice import actions
from store.core import clock
from store.core.errors import OrderNotFound
from store.db import engine as db
from store.db.models import Order
from store.reports import csv_export, search
from store.reports.search import OrderFilter
from tests.support.order_rows import change
from tests.support.shop import JEANS, Shop

KEY = "0123456789abcdef" * 2


def found(
    wanted: OrderFilter, before: str = "", limit: int = search.PAGE_SIZE
) -> search.Page[Order]:
    with db.reading() as session:
        return search.search_orders(session, wanted, before, limit)


def numbers(**wanted: Any) -> list[str]:
    return [order.number for order in found(OrderFilter(**wanted)).rows]


def test_orders_are_found_by_number_email_or_stripe_id(shop: Shop) -> None:
    number, other = shop.a_paid_order(), shop.a_paid_order(JEANS)
    change(other, email="Grace@Example.com")
    shop.deliver_latest("checkout.session.completed")
    actions.refund("Ada", number, 100, key=KEY, shown_left=3998)
    order = shop.order(number)
    event = next(event.id for event in shop.inbox().values())

    for text in (
        number,
        number.lower(),
        number[:6],
        order.checkout_session_id,
        order.payment_intent_id,
        shop.refunds()[0].stripe_refund_id,
        "ADA@example.com",
        "ada@",
    ):
        assert numbers(text=text) == [number], text
    assert numbers(text="grace@example.com") == numbers(text=event) == [other]


@pytest.mark.parametrize(
    "text",
    ["nobody", "%", "_", "cs_", "'; DROP TABLE orders", "\\", "*", "é" * 200, "re_1", "evt_%"],
)
def test_an_invalid_search_finds_nothing(shop: Shop, text: str) -> None:
    shop.a_paid_order()

    assert numbers(text=search.clean_query(text)) == []


def test_status_and_days_narrow_it_down(shop: Shop) -> None:
    paid, opened = shop.a_paid_order(), Shop(shop.stripe, shop.server).an_open_order()
    change(paid, created_at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC))

    first, second = date(2026, 3, 1), date(2026, 3, 2)
    assert numbers(status="paid") == [paid]
    assert numbers(status="open") == [opened]
    assert numbers(since=first, until=first) == [paid]
    assert numbers(since=second, until=second) == []
    assert numbers(since=second, until=second, zone=ZoneInfo("Europe/Berlin")) == [paid]
    assert numbers(status="open", until=second) == []


def test_pages_show_every_order_once_newest_first(shop: Shop) -> None:
    made = [Shop(shop.stripe, shop.server).an_open_order() for _ in range(5)]
    same = clock.now()
    for number in made[:3]:
        change(number, created_at=same)  # a page may end between two of the same moment

    seen, before = [], ""
    while True:
        page = found(OrderFilter(), before, limit=2)
        seen += [order.number for order in page.rows]
        if page.older is None:
            break
        before = page.older

    assert seen == [made[place] for place in (2, 1, 0, 4, 3)]


@pytest.mark.parametrize("before", ["0", "x", "-1", "9" * 400, "٣"])
def test_a_made_up_place_in_the_list_is_its_beginning(shop: Shop, before: str) -> None:
    number = shop.an_open_order()

    assert [order.number for order in found(OrderFilter(), before).rows] == [number]


def test_an_unknown_order_is_not_found(shop: Shop) -> None:
    with db.reading() as session, pytest.raises(OrderNotFound):
        search.find_order(session, "BCDF\x00")


@pytest.mark.scenario("G7")
def test_an_export_streams_the_filtered_orders(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BATCH_SIZE", 2)
    made = [Shop(shop.stripe, shop.server).an_open_order() for _ in range(5)]
    change(made[0], email="=HYPERLINK(1)")
    change(made[1], email="＝1+1")

    text = "".join(csv_export.csv_stream(search.order_batches(OrderFilter(status="open"))))

    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row["number"] for row in rows] == made[::-1]
    assert [row["email"] for row in rows[-2:]] == ["'＝1+1", "'=HYPERLINK(1)"]
    assert (
        "".join(csv_export.csv_stream(search.order_batches(OrderFilter(status="review")))).count(
            "\n"
        )
        == 1
    )

"""What operators find, sum up and do, on both databases and before a real Stripe stand-in."""

import csv
import io
import re
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import col, select

from store.backoffice import actions, health
from store.core import clock, settings
from store.core.errors import OrderNotFound, RefundChanged
from store.db import engine as db
from store.db.models import Order
from store.orders import queries
from store.orders.statuses import REFUND_VOID
from store.reports import csv_export, order_detail, sales, search, timeline_export
from store.reports.search import OrderFilter
from tests.support.shop import JEANS, Shop, at_once

KEY = "0123456789abcdef" * 2


def found(
    wanted: OrderFilter, before: str = "", limit: int = search.PAGE_SIZE
) -> search.Page[Order]:
    with db.reading() as session:
        return search.search_orders(session, wanted, before, limit)


def numbers(**wanted: Any) -> list[str]:
    return [order.number for order in found(OrderFilter(**wanted)).rows]


def change(number: str, /, **columns: object) -> None:
    with db.unit_of_work() as session:
        order = session.exec(select(Order).where(col(Order.number) == number)).one()
        for name, value in columns.items():
            setattr(order, name, value)


# --- finding -------------------------------------------------------------------------------------


def test_orders_are_found_by_number_email_or_stripe_id(shop: Shop) -> None:
    number, other = shop.a_paid_order(), shop.a_paid_order(JEANS)
    change(other, email="Grace@Example.com")
    shop.tell("checkout.session.completed")
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
    paid, opened = shop.a_paid_order(), Shop(shop.stripe, shop.door).an_open_order()
    change(paid, created_at=datetime(2026, 3, 1, 23, 30, tzinfo=UTC))

    first, second = date(2026, 3, 1), date(2026, 3, 2)
    assert numbers(status="paid") == [paid]
    assert numbers(status="open") == [opened]
    assert numbers(since=first, until=first) == [paid]
    assert numbers(since=second, until=second) == []
    assert numbers(since=second, until=second, zone=ZoneInfo("Europe/Berlin")) == [paid]
    assert numbers(status="open", until=second) == []


def test_pages_show_every_order_once_newest_first(shop: Shop) -> None:
    made = [Shop(shop.stripe, shop.door).an_open_order() for _ in range(5)]
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
        search.order_record(session, "BCDF\x00")


@pytest.mark.scenario("G7")
def test_an_export_streams_the_filtered_orders(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BATCH_SIZE", 2)
    made = [Shop(shop.stripe, shop.door).an_open_order() for _ in range(5)]
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


# --- figures -------------------------------------------------------------------------------------


def test_sales_are_shown_beside_those_of_the_period_before(shop: Shop) -> None:
    today, week_ago, older = (Shop(shop.stripe, shop.door).a_paid_order() for _ in range(3))
    change(week_ago, paid_at=clock.now() - timedelta(days=7), total_amount=1000)
    change(older, paid_at=clock.now() - timedelta(days=14), total_amount=5)
    actions.refund("Ada", today, 1999, key=KEY, shown_left=3998)

    with db.reading() as session:
        (usd,) = sales.sales_reports(session, 7, UTC)

    assert (usd.currency, usd.now, usd.before) == (
        "usd",
        sales.PeriodTotals(3998, 1, 1999),
        sales.PeriodTotals(1000, 1, 0),
    )
    assert (usd.now.average_amount, usd.now.refund_rate) == (3998, 0.5)
    assert list(usd.per_day.values()) == [0, 0, 0, 0, 0, 0, 3998]
    assert usd.per_product == {"Red T-Shirt": 3998}


def test_currencies_are_never_added_up(shop: Shop) -> None:
    dollars, euros = (Shop(shop.stripe, shop.door).a_paid_order() for _ in range(2))
    change(euros, currency="eur")

    with db.reading() as session:
        told = sales.sales_reports(session, 7, UTC)

    assert [(each.currency, each.now.revenue_amount) for each in told] == [
        ("eur", 3998),
        ("usd", 3998),
    ]
    assert dollars != euros


def test_a_day_is_the_readers(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    number = shop.a_paid_order()
    change(number, paid_at=datetime(2026, 3, 28, 23, 30, tzinfo=UTC))
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 3, 30, 12, tzinfo=UTC))

    with db.reading() as session:
        (here,) = sales.sales_reports(session, 7, UTC)
        (there,) = sales.sales_reports(session, 7, ZoneInfo("Europe/Berlin"))  # the clocks change

    assert [day.day for day, amount in here.per_day.items() if amount] == [28]
    assert [day.day for day, amount in there.per_day.items() if amount] == [29]


def test_a_shop_where_nothing_happened_has_figures_too(shop: Shop) -> None:
    with db.reading() as session:
        (usd,) = sales.sales_reports(session, 30, UTC)

    assert (usd.now, usd.now.average_amount, usd.now.refund_rate) == (sales.PeriodTotals(), 0, 0.0)
    assert len(usd.per_day) == 30


# --- money back ----------------------------------------------------------------------------------


@pytest.mark.scenario("F1")
def test_a_refund_form_sent_twice_at_once_refunds_once(shop: Shop) -> None:
    number = shop.a_paid_order()

    said = at_once(4, lambda _: actions.refund("Ada", number, 1000, key=KEY, shown_left=3998))

    assert [refund.amount for refund in shop.refunds_at_stripe()] == [1000]
    assert all(str(word).startswith("Refunded $10.00 of order") for word in said), said
    assert shop.order(number).status == "partially_refunded"


@pytest.mark.scenario("F1")
def test_of_two_operators_who_refund_at_once_one_is_refused(shop: Shop) -> None:
    number = shop.a_paid_order()
    keys = (KEY, KEY[::-1])

    said = at_once(
        2, lambda place: actions.refund("Ada", number, 1000, key=keys[place], shown_left=3998)
    )

    assert [type(word) for word in said if not isinstance(word, str)] == [RefundChanged]
    assert [refund.amount for refund in shop.refunds_at_stripe()] == [1000]


def test_the_history_names_the_operator_of_a_refund(shop: Shop) -> None:
    number = shop.a_paid_order()

    actions.refund("Ada", number, 3998, key=KEY, shown_left=3998)

    asked = next(row for row in shop.history(number) if row.action == "refund asked")
    assert (asked.source, asked.detail) == ("operator", "$39.98 by Ada")
    assert shop.history(number)[-1].source == "operator"


@pytest.mark.parametrize("key", ["", "x" * 32])
def test_a_refund_without_a_key_of_a_dialog_is_refused(shop: Shop, key: str) -> None:
    number = shop.a_paid_order()

    with pytest.raises(actions.IncompleteForm):
        actions.refund("Ada", number, 100, key=key, shown_left=3998)

    assert shop.refunds() == []


def test_reasons_and_notes_are_private_unless_shown_to_the_buyer(shop: Shop) -> None:
    number = shop.a_paid_order()
    actions.refund("Ada", number, 1000, key=KEY, shown_left=3998, reason="Arrived broken")
    actions.refund("Ada", number, 1000, key=KEY, shown_left=3998, reason="Arrived broken")
    actions.add_note("Ada", number, "Always complains.")
    actions.add_note("Ada", number, "A new one is on its way.", is_public=True)

    with db.reading() as session:
        order = queries.order_of_buyer(session, shop.buyer, number)
        buyers = timeline_export.timeline_text(order_detail.load(session, order))
        operators = timeline_export.timeline_text(
            order_detail.load(session, order, for_operator=True)
        )

    assert "A new one is on its way." in buyers
    assert "Arrived broken" not in buyers
    assert "Always complains." not in buyers
    assert operators.count("Arrived broken") == 1  # however often it is sent
    assert "Always complains." in operators


@pytest.mark.scenario("F3")
def test_a_refund_without_an_answer_is_shown_as_pending(shop: Shop) -> None:
    number = shop.a_paid_order()
    shop.stripe.emulator.inject_fault("request", "error_before", times=9, match="POST /v1/refunds")

    said = actions.refund("Ada", number, 1000, key=KEY, shown_left=3998)

    assert "Stripe has not answered yet." in said
    assert [refund.status for refund in shop.refunds() if refund.status not in REFUND_VOID] == [
        "requested"
    ]


# --- looking again -------------------------------------------------------------------------------


@pytest.mark.scenario("C9")
def test_an_orphan_is_tried_again_when_its_order_is_there(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    event = shop.event("checkout.session.completed")
    change(number, number="MOVED-AWAY")
    assert shop.outcome(event) == "unknown_order"
    still = actions.refetch_event("Ada", event["id"])
    change("MOVED-AWAY", number=number)

    said = actions.refetch_event("Ada", event["id"])
    again = actions.refetch_event("Ada", event["id"])

    assert "no order here has the number that it names" in still
    assert "it has changed its order now" in said
    assert "nothing has changed" in again
    assert shop.order(number).status == "paid"
    assert shop.history(number)[-1].action == "looked again"
    assert shop.inbox()[event["id"]].deliveries == 1


def test_an_unknown_event_cannot_be_refetched(shop: Shop) -> None:
    with pytest.raises(actions.IncompleteForm):
        actions.refetch_event("Ada", "evt_made_up")


def test_an_operator_asks_stripe_and_cancels(shop: Shop) -> None:
    paid, open_one = shop.an_open_order(), Shop(shop.stripe, shop.door).an_open_order(JEANS)
    shop.pay(paid)

    asked = actions.refresh_order("Ada", paid)
    canceled = actions.cancel("Ada", open_one)
    too_late = actions.cancel("Ada", paid)

    assert "the order is now paid" in asked
    assert (canceled, too_late) == (
        f"Order {open_one} is canceled.",
        f"Order {paid} is paid.",
    )
    assert {row.detail for row in shop.history(open_one)} >= {"by Ada"}


# --- health --------------------------------------------------------------------------------------


def checks() -> dict[str, health.HealthCheck]:
    return {check.name: check for check in health.run_checks()}


def test_every_part_has_a_light(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECAR_URL", shop.door.url)
    settings.current.cache_clear()
    shop.a_paid_order()
    shop.tell("checkout.session.completed")

    seen = checks()

    assert {name: light.good for name, light in seen.items()} == {
        "Shop": True,
        "Webhook server": True,
        "Database": True,
        "Emulator": True,
        "Clock": True,
        "Last event": None,
        "Reconciliation": seen["Reconciliation"].good,
    }
    assert all(light.remedy == "" for light in seen.values())


def test_a_red_light_says_how_to_mend_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECAR_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.1:9")
    settings.current.cache_clear()

    seen = checks()

    assert (seen["Webhook server"].good, seen["Emulator"].good) == (False, False)
    assert "python -m store" in seen["Webhook server"].remedy
    assert "python -m store" in seen["Emulator"].remedy


def test_a_clock_that_is_off_is_red(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(minutes=4))

    (_, light) = health.check_stripe()

    assert not light.good
    assert re.fullmatch(r"2[34]\d s ahead", light.message)
    assert "NTP" in light.remedy


def test_health_is_checked_by_one_thread_and_again_after_something_was_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monitor, runs, hold = health.HealthMonitor(), [], threading.Event()

    def run_checks() -> list[health.HealthCheck]:
        runs.append(1)
        hold.wait(5)
        return [health.HealthCheck("Shop", True, f"run {len(runs)}")]

    monkeypatch.setattr(health, "run_checks", run_checks)
    monkeypatch.setattr(health, "FIRST_RESULT_SECONDS", 0)
    nothing_yet = [monitor.checks() for _ in range(5)]
    monitor.expire()  # the thread began before this, so its results say nothing of it
    hold.set()
    monkeypatch.setattr(health, "FIRST_RESULT_SECONDS", 5)

    assert (nothing_yet, [check.state for check in monitor.checks()]) == ([[]] * 5, ["run 2"])
    assert [check.state for check in monitor.checks()] == ["run 2"]

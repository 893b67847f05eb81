"""The storefront without a browser: the page run by AppTest, and what surrounds it."""

import threading
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import event
from sqlmodel import Session, col, select
from streamlit.testing.v1 import AppTest

from store.catalog import product_editor, products
from store.core import errors, settings
from store.db import engine as db
from store.db.models import Order, Product, Refund
from store.orders import checkout, history, queries
from store.reports import order_view
from store.storefront import prefetch
from store.stripe_api import requests
from store.web import buyer_cookie, rendering, stripe_mode, texts
from tests.support.storefront_pages import (
    ME,
    STRANGER,
    an_order,
    html,
    make_it,
    never_asked,
    pay_button,
    rows,
    set_price,
    silent,
)

HOSTILE = "<script>alert(1)</script> :red[x] **b** $a$ `c` [d](javascript:e) | '; DROP TABLE"


# --- the shop ------------------------------------------------------------------------------------


@pytest.mark.scenario("A9")
def test_an_empty_cart_cannot_be_paid_and_says_why(visit: Callable[..., AppTest]) -> None:
    at = visit()

    button = pay_button(at)

    assert button.disabled
    assert "Your cart is empty. Choose a quantity first." in html(at)


def test_the_pay_button_says_what_it_costs(visit: Callable[..., AppTest]) -> None:
    at = visit()

    at.number_input(key="quantity-red-t-shirt").set_value(2).run()

    assert pay_button(at).label == "Pay $39.98 with Stripe (test)"
    assert [box.label for box in at.number_input] == [
        "Quantity of Red T-Shirt",
        "Quantity of Blue Jeans",
        "Quantity of Sneakers",
    ]


@pytest.mark.scenario("K4")
@pytest.mark.parametrize(
    ("currency", "amount", "least"),
    [
        ("vnd", 1999, "₫16,000"),
        ("idr", 1999, "IDR10,000.00"),
        ("clp", 400, "CLP600"),
        ("krw", 50, ""),
        ("huf", 20_000, ""),
    ],
)
def test_a_total_under_the_minimum_is_shown_before_the_click(
    visit: Callable[..., AppTest],
    priced_in: Callable[[str], None],
    currency: str,
    amount: int,
    least: str,
) -> None:
    priced_in(currency)
    set_price("red-t-shirt", amount)

    at = visit(red_t_shirt="1")

    assert pay_button(at).disabled is bool(least)
    reason = f"A payment by card is at least {least}. Add something to your cart."
    assert (reason in html(at)) is bool(least)


@pytest.mark.scenario("K4")
def test_a_cheap_thing_can_be_bought_once_the_cart_is_worth_enough(
    visit: Callable[..., AppTest],
) -> None:
    set_price("red-t-shirt", 20)
    alone, enough = visit(red_t_shirt="2"), visit(red_t_shirt="3")

    assert (pay_button(alone).disabled, pay_button(enough).disabled) == (True, False)
    assert "A payment by card is at least $0.50." in html(alone)
    assert "at least" not in html(enough)


@pytest.mark.scenario("K4")
def test_a_total_over_the_maximum_is_shown_before_the_click(visit: Callable[..., AppTest]) -> None:
    set_price("sneakers", 99_999_999)
    alone, two = visit(sneakers="1"), visit(sneakers="2")

    assert (pay_button(alone).disabled, pay_button(two).disabled) == (False, True)
    assert "A payment by card is at most $999,999.99." in html(two)


@pytest.mark.scenario("K1")
@pytest.mark.parametrize("currency", ["rsd", "huf", "lbp", "idr", "usd"])
def test_the_button_says_the_amount_that_the_order_holds(
    visit: Callable[..., AppTest], priced_in: Callable[[str], None], currency: str
) -> None:
    priced_in(currency)
    set_price("sneakers", 9_999_999)
    at = visit(sneakers="1")

    assert "99,999.99" in pay_button(at).label
    pay_button(at).click().run()

    with db.reading() as session:
        assert [order.total_amount for order in session.exec(select(Order))] == [9_999_999]


@pytest.mark.parametrize(
    ("asked", "bounds"), [("4", ""), ("10", ""), ("11", "At most 10"), ("-3", "0 to 10")]
)
@pytest.mark.scenario("A8", "G9")
def test_a_quantity_out_of_bounds_is_reported_at_its_field_and_cannot_be_paid(
    visit: Callable[..., AppTest], asked: str, bounds: str
) -> None:
    at = visit(red_t_shirt=asked, sneakers="1")

    assert at.number_input(key="quantity-red-t-shirt").value == int(asked)
    assert pay_button(at).disabled is bool(bounds)
    assert f"{asked} × Red T-Shirt" in html(at)
    assert ('class="bounds bad" role="alert"' in html(at)) is bool(bounds)
    assert not bounds or f"{bounds} of Red T-Shirt can be bought at once." in html(at)


def test_a_quantity_typed_just_before_the_click_counts(visit: Callable[..., AppTest]) -> None:
    at = visit(red_t_shirt="2")

    at.number_input(key="quantity-red-t-shirt").set_value(3)
    pay_button(at).click().run()

    with db.reading() as session:
        assert [order.total_amount for order in session.exec(select(Order))] == [5997]


def test_a_quantity_out_of_bounds_typed_just_before_the_click_orders_nothing(
    visit: Callable[..., AppTest],
) -> None:
    at = visit(red_t_shirt="2")

    at.number_input(key="quantity-red-t-shirt").set_value(25)
    pay_button(at).click().run()

    assert pay_button(at).disabled
    assert "25 × Red T-Shirt" in html(at)
    with db.reading() as session:
        assert rows(session) == 0


@pytest.mark.scenario("A13")
def test_an_open_order_for_this_cart_is_continued_in_one_place(
    visit: Callable[..., AppTest],
) -> None:
    number = an_order(red_t_shirt=2)

    at = visit(red_t_shirt="2")

    (button,) = [each for each in at.button if "$39.98" in each.label]
    assert button.label == "Continue payment of $39.98 (test)"
    assert f'href="/go/{number}"' not in html(at)
    gone = html(button.click().run())
    assert f'window.location.assign("/go/{number}")' in gone
    with db.reading() as session:
        assert rows(session) == 1


@pytest.mark.scenario("A7")
def test_a_cart_that_replaces_an_open_order_says_so_before_it_is_paid(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    unaware = visit(sneakers="1")
    number = an_order(red_t_shirt=2)
    monkeypatch.setattr(checkout, "expire_checkout_session", never_asked)

    aware = html(visit(sneakers="1"))
    refused = html(pay_button(unaware).click().run())

    assert "Paying for this cart cancels your unpaid order of $39.98." in aware
    assert f"You have another order that is not paid yet, {number}." in refused
    assert "Paying for this cart cancels your unpaid order of $39.98." in refused
    with db.reading() as session:
        assert [order.cancel_requested_at for order in session.exec(select(Order))] == [None]


@pytest.mark.scenario("A12")
def test_reloading_requests_and_writes_nothing(
    visit: Callable[..., AppTest],
) -> None:
    number = an_order(red_t_shirt=2)

    at = visit()
    for _ in range(3):
        at.run()

    assert f"/go/{number}" in html(at)
    with db.reading() as session:
        assert rows(session) == 1


@pytest.mark.scenario("A1")
def test_pressing_pay_repeatedly_leads_to_one_order(
    visit: Callable[..., AppTest],
) -> None:
    tabs = [visit(red_t_shirt="2") for _ in range(2)]

    gone = [html(pay_button(tab).click().run()) for tab in tabs]

    with db.reading() as session:
        (order,) = session.exec(select(Order))
    assert all(f'window.location.assign("/go/{order.number}")' in page for page in gone)
    assert all(f'<a href="/go/{order.number}">' in page for page in gone)  # where that is stopped
    assert list(prefetch.URL_PREFETCH.started) == [(order.buyer_hash, order.number)]


@pytest.mark.scenario("A4")
def test_a_changed_price_is_shown_before_anything_is_ordered(
    visit: Callable[..., AppTest],
) -> None:
    at = visit(red_t_shirt="1")
    with db.unit_of_work() as session:
        shirt = session.exec(select(Product).where(col(Product.slug) == "red-t-shirt")).one()
        shirt.unit_amount = 2999

    pay_button(at).click().run()

    assert errors.PriceChanged.sentence in html(at)
    assert pay_button(at).label == "Pay $29.99 with Stripe (test)"
    with db.reading() as session:
        assert rows(session) == 0


@pytest.mark.scenario("G4", "G5")
def test_a_product_is_called_by_its_name_literally(visit: Callable[..., AppTest]) -> None:
    with db.unit_of_work() as session:
        session.exec(select(Product).where(col(Product.slug) == "sneakers")).one().name = HOSTILE

    at = visit(sneakers="1")

    assert "<script>alert" not in html(at)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; :red[x] **b** $a$" in html(at)
    assert at.number_input(key="quantity-sneakers").label == f"Quantity of {HOSTILE}"


# What the page itself, its addresses, Streamlit's, its style sheet and its ids call something.
NAMES_OF_THE_PAGE = (
    *("Pay", "Notice", "Question", "Leaving", "Cancelling", "Forgetting", "Unconfirmed"),
    *("Cart", "Side", "Past", "Shop", "Pay bar", "Pay note", "Order note", "Toast", "Dismiss"),
    *(
        "Check",
        "Danger cancel",
        "Again",
        "Goods",
        "Orders",
        "Older",
        "Older orders",
        "Status",
        "Pages",
        "More",
        "Look",
    ),
    *("Resume", "Embed", "Embed options", "Number", "Session id", "My orders", "Proof"),
    *("Quantity", "Quantity Pay", "Card", "Row", "Act", "Key", "Value", "Root", "日本", "…"),
)


@pytest.mark.scenario("Q1")
def test_a_product_may_be_called_like_anything_of_the_page(
    visit: Callable[..., AppTest],
) -> None:
    with db.unit_of_work() as session:
        for name in NAMES_OF_THE_PAGE:
            form = product_editor.ProductForm(
                name, "A thing.", "19.99", "sneakers.svg", active=True
            )
            product_editor.add(session, form)
            session.flush()
        slugs = {product.name: product.slug for product in product_editor.all_products(session)}

    at = visit()
    for name in NAMES_OF_THE_PAGE:
        at.number_input(key=products.quantity_key(slugs[name])).set_value(1).run()
        assert not at.exception, name
        assert pay_button(at).label == "Pay $19.99 with Stripe (test)", name
        at.number_input(key=products.quantity_key(slugs[name])).set_value(0).run()
    back = visit(resume=an_order(ME, **{slugs["Resume"]: 1}))

    assert back.number_input(key=products.quantity_key(slugs["Resume"])).value == 1


def test_a_browser_without_cookies_gets_an_explanation(visit: Callable[..., AppTest]) -> None:
    at = visit(cookie=None)

    assert "Allow cookies" in html(at)
    assert not at.button


def test_the_badge_shows_offline_or_the_test_account(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    offline = html(visit())
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_not_a_key_of_anybody")
    settings.current.cache_clear()
    monkeypatch.setattr(stripe_mode.STRIPE_ACCOUNT, "id", "acct_1Example7Q42")

    online = html(visit())

    assert "Offline emulator" in offline
    assert "Stripe test mode acct …7Q42" in online
    assert "sk_test" not in online


def test_the_account_is_requested_until_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[errors.StripeError | str] = iter(
        [errors.StripeUnreachable(), errors.StripeKeyRefused(), "acct_1Example7Q42"]
    )

    def answer() -> str:
        said = next(answers)
        if isinstance(said, str):
            return said
        raise said

    monkeypatch.setattr(requests, "account", answer)
    monkeypatch.setattr(stripe_mode, "RETRY_SECONDS", 0)
    account = stripe_mode.StripeAccount()

    account.fetch_forever(threading.Event())

    assert account.id == "acct_1Example7Q42"


def test_an_unreachable_database_is_explained(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_session: Session) -> list[Product]:
        raise errors.DatabaseUnavailable

    monkeypatch.setattr("store.catalog.products.active_products", down)

    at = visit()

    assert "This page comes back by itself." in html(at)


# --- one order -----------------------------------------------------------------------------------


def test_an_order_shows_its_lines_and_its_timeline(visit: Callable[..., AppTest]) -> None:
    number = an_order(red_t_shirt=2)

    shown = html(visit("order", number=number))

    assert "Payment not begun" in shown
    assert "2 × $19.99" in shown
    assert "Pay pressed: order saved" in shown
    assert f"/go/{number}" in shown


@pytest.mark.scenario("G1", "G3", "C17")
@pytest.mark.parametrize("session_id", ["cs_test_x", "{CHECKOUT_SESSION_ID}", "", "a" * 5000, "'"])
def test_unknown_and_foreign_orders_answer_alike(
    visit: Callable[..., AppTest], session_id: str
) -> None:
    theirs = an_order(STRANGER, red_t_shirt=2)

    pages = [
        html(visit("order", number=number, session_id=session_id))
        for number in (theirs, "2222-2222-2222-2222", "no\0such", "x" * 5000, "")
    ]

    assert len(set(pages)) == 1
    assert errors.OrderNotFound.sentence in pages[0]


@pytest.mark.parametrize("status", ["expired", "canceled", "failed", "paid", "refunded"])
def test_a_finished_order_can_be_bought_again(visit: Callable[..., AppTest], status: str) -> None:
    number = an_order(red_t_shirt=2, sneakers=1)
    make_it(number, status=status, checkout_status="expired")

    pages = [html(visit()), html(visit("order", number=number))]
    at = visit(again=number)

    assert all(f'href="/?again={number}"' in page for page in pages)
    assert all("Buy again" in page for page in pages)
    assert at.number_input(key="quantity-red-t-shirt").value == 2
    assert at.number_input(key="quantity-sneakers").value == 1
    assert f"Your cart is that of order {number}." in html(at)
    assert "again" not in at.query_params


def test_buying_again_names_withdrawn_and_repriced_products(
    visit: Callable[..., AppTest],
) -> None:
    number = an_order(red_t_shirt=2, sneakers=1)
    make_it(number, status="paid", payment_status="paid", checkout_status="complete")
    set_price("red-t-shirt", 2499)
    with db.unit_of_work() as session:
        session.exec(select(Product).where(col(Product.slug) == "sneakers")).one().active = False

    at = visit(again=number)

    assert "Red T-Shirt now costs $24.99. Sneakers is no longer sold." in html(at)
    assert pay_button(at).label == "Pay $49.98 with Stripe (test)"


@pytest.mark.scenario("G1")
def test_a_strangers_order_cannot_be_bought_again(visit: Callable[..., AppTest]) -> None:
    number = an_order(STRANGER, red_t_shirt=2)
    make_it(number, status="paid", payment_status="paid", checkout_status="complete")

    at = visit(again=number)

    assert at.number_input(key="quantity-red-t-shirt").value == 0
    assert number not in html(at)


@pytest.mark.scenario("A7")
def test_an_order_that_a_newer_cart_replaced_says_so(visit: Callable[..., AppTest]) -> None:
    number = an_order(red_t_shirt=2)
    make_it(number, status="canceled", checkout_status="expired")
    with db.unit_of_work() as session:
        order = queries.order_of_buyer(session, buyer_cookie.buyer_hash(ME), number)
        history.log(session, order, "buyer", history.Action.CANCEL_REQUESTED, checkout.REPLACED)

    assert "A newer cart took this order" in html(visit("order", number=number))


def test_the_charge_summary_is_on_both_pages(visit: Callable[..., AppTest]) -> None:
    number = an_order(red_t_shirt=2)
    make_it(number, status="paid", payment_status="paid", checkout_status="complete")
    an_order(sneakers=1)

    shop, page = html(visit()), html(visit("order", number=number))

    assert "<span>2 orders</span> <b>1 charged once</b>" in shop
    assert "<span>This order</span> <b>charged once</b>" in page
    assert all("no webhook yet" in shown for shown in (shop, page))
    assert '<p role="alert"' not in shop + page


@pytest.mark.scenario("C14")
def test_a_second_payment_is_an_alert_on_both_pages(visit: Callable[..., AppTest]) -> None:
    number = an_order(red_t_shirt=2)
    paid = {"status": "paid", "payment_status": "paid", "checkout_status": "complete"}
    make_it(number, **paid, payment_intent_id="pi_own")
    with db.unit_of_work() as session:
        order = queries.order_of_buyer(session, buyer_cookie.buyer_hash(ME), number)
        session.add(
            Refund(
                order_id=order.id or 0,
                payment_intent_id="pi_second",
                amount=3998,
                reason="duplicate",
                idempotency_key="second",
            )
        )

    shop, page = html(visit()), html(visit("order", number=number))

    for shown in (shop, page):
        assert '<p role="alert"' in shown
        assert "Second payment of $39.98" in shown
        assert "<b>charged twice</b>" in shown
    link = f'<a href="{rendering.order_link(number)}">{number}</a>:'
    assert link in shop
    assert link not in page  # which is that page
    assert "You were charged once" not in page
    assert "Two payments arrived" in page


def test_many_orders_show_the_latest_and_can_be_narrowed_to_one_status(
    visit: Callable[..., AppTest],
) -> None:
    numbers = []
    for count in range(1, 8):
        numbers.append(an_order(red_t_shirt=count))
        make_it(numbers[-1], status="expired", checkout_status="expired")
    make_it(numbers[0], status="paid", payment_status="paid", checkout_status="complete")

    at = visit()
    everything = html(at)
    narrowed = html(at.pills(key="status").set_value("paid").run())

    at.session_state["older"] = True
    at.pills(key="status").set_value("")
    opened = html(at.run())

    assert [number for number in numbers if number not in everything] == numbers[:1]
    assert all(number in opened for number in numbers)
    assert [number for number in numbers if number in narrowed] == numbers[:1]


def test_older_orders_are_read_a_page_at_a_time_once_they_are_opened(
    visit: Callable[..., AppTest],
) -> None:
    numbers = []
    for count in range(28):
        numbers.append(an_order(red_t_shirt=1 + count % 10, sneakers=1 + count // 10))
        make_it(numbers[-1], status="expired", checkout_status="expired")

    def shown(at: AppTest) -> int:
        return sum(number in html(at) for number in numbers)

    at = visit()
    seen = [shown(at)]
    at.session_state["older"] = True
    seen.append(shown(at.run()))
    seen.append(shown(at.button(key="more").click().run()))

    assert seen == [6, 26, 28]
    assert [expander.label for expander in at.expander] == ["22 older"]
    assert not [button for button in at.button if button.label == "Show more"]


def test_a_page_asks_the_database_a_fixed_number_of_questions(
    visit: Callable[..., AppTest],
) -> None:
    """What is sold, and whether anything is new; where nothing is, that is all."""
    number = an_order(red_t_shirt=2)
    make_it(number, status="paid", payment_status="paid", checkout_status="complete")
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            asked.append(statement)

    at, page = visit(red_t_shirt="1"), visit("order", number=number)
    event.listen(db.engine(), "before_cursor_execute", note)
    at.run()
    for_the_shop = len(asked)
    page.run()
    event.remove(db.engine(), "before_cursor_execute", note)

    assert (for_the_shop, len(asked) - for_the_shop) == (2, 1)


@pytest.mark.scenario("B1")
def test_an_error_message_has_the_number_of_its_log_line(
    visit: Callable[..., AppTest],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    at = visit(red_t_shirt="1")
    monkeypatch.setattr(checkout, "place", silent)

    shown = html(pay_button(at).click().run())

    (record,) = [line for line in caplog.records if line.name == "store.web.responses"]
    assert errors.StripeUnreachable.sentence in shown
    assert record.__dict__["incident"] in shown


def test_the_style_sheet_contains_no_markup() -> None:
    style = (settings.ROOT / "store" / "web" / "static" / "storefront.css").read_text("utf-8")

    assert "<" not in style


# --- what the pages are made of ------------------------------------------------------------------


def test_every_status_has_a_badge_and_a_verdict() -> None:
    assert texts.STATUS_SENTENCES.keys() == order_view.STATUS_BADGES.keys()


# --- the rehearsal -------------------------------------------------------------------------------


def test_beside_real_stripe_there_is_nothing_to_rehearse(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_of_a_real_account")
    settings.current.cache_clear()

    at = visit("rehearsal")

    assert "This shop talks to Stripe&#39;s test mode" in html(at)
    assert at.button == []
    assert "/rehearsal" not in html(visit())
    assert "Three things to try" not in html(visit())


def test_without_the_emulator_the_rehearsal_says_how_to_start_it(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.1:9")
    settings.current.cache_clear()

    at = visit("rehearsal")

    assert "The emulator does not answer. Start everything with: python -m store" in html(at)
    assert at.button == []
    assert 'href="/rehearsal"' in html(visit())
    assert "Three things to try" in html(visit())

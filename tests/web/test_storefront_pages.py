"""The storefront without a browser: the page run by AppTest, and what surrounds it."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import streamlit
from sqlalchemy import event
from sqlmodel import Session, col, func, select
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import BaseRoute, Route
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button
from streamlit.util import calc_hash

from store.catalog import product_editor, products, seeding
from store.core import errors, settings
from store.db import engine as db
from store.db.models import Order, Product, Refund
from store.orders import checkout, history, queries
from store.reports import order_view
from store.storefront import checkout_redirect, early_result, prefetch, server
from store.stripe_api import gateway
from store.web import buyer_ids, rendering, stripe_mode
from store.web.buyer_cookie import BuyerCookie
from store.web.index_page import Shell
from tests.support import event_loops

FRONTEND = Path(streamlit.__file__).parent / "static" / "index.html"
APP = settings.ROOT / "streamlit_app.py"
ME, STRANGER = buyer_ids.new_cookie(), buyer_ids.new_cookie()
A_PAGE = "text/html,application/xhtml+xml"
HOSTILE = "<script>alert(1)</script> :red[x] **b** $a$ `c` [d](javascript:e) | '; DROP TABLE"


@pytest.fixture(autouse=True)
def fresh_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty data folder, migrated and seeded, and a Stripe that must not be asked."""
    for name in ("STRIPE_SECRET_KEY", "DATABASE_URL", "STORE_URL", "CURRENCY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr(gateway, "ask", never_asked)
    monkeypatch.setattr(prefetch, "URL_PREFETCH", prefetch.CheckoutPrefetcher(never_asked))
    settings.current.cache_clear()
    seeding.migrate()
    yield
    prefetch.URL_PREFETCH.pool.shutdown()
    db.engine().dispose()
    settings.current.cache_clear()


def never_asked(*_args: object) -> None:
    raise AssertionError("Stripe was asked")


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open the shop, or another page, as the browser that holds `cookie`."""

    def open_page(
        page: str = "",
        cookie: str | None = ME,
        headers: Sequence[tuple[str, str]] = (),
        **query: str,
    ) -> AppTest:
        given = {buyer_ids.COOKIE: cookie} if cookie else {}
        client = SimpleNamespace(cookies=given, headers=headers)
        monkeypatch.setattr("streamlit.runtime.context._get_client_context", lambda: client)
        at = AppTest.from_file(str(APP), default_timeout=20)
        at.context = {"locale": "en-US", "timezone": "UTC", "url": "http://shop.example/"}
        at._page_hash = calc_hash(page) if page else ""  # switch_page() knows files only
        for name, value in query.items():
            own = name in ("session_id", "number", "resume", "again")
            at.query_params[name if own else products.quantity_key(name.replace("_", "-"))] = value
        return at.run()

    return open_page


def html(at: AppTest) -> str:
    assert not at.exception
    return "\n".join(element.proto.body for element in at.get("html"))


def pay_button(at: AppTest) -> Button:
    (button,) = [button for button in at.button if button.label.startswith("Pay")]
    return button


def rows(session: Session) -> int:
    return session.exec(select(func.count()).select_from(Order)).one()


def an_order(cookie: str = ME, **cart: int) -> str:
    with db.reading() as session:
        prices = {p.slug: p.unit_amount for p in session.exec(select(Product))}
    wanted = {slug.replace("_", "-"): quantity for slug, quantity in cart.items()}
    total = sum(prices[slug] * quantity for slug, quantity in wanted.items())
    return checkout.place(
        buyer_ids.digest(cookie), wanted, shown_amount=total, store_url="http://shop.example"
    )


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


def set_price(slug: str, amount: int) -> None:
    with db.unit_of_work() as session:
        session.exec(select(Product).where(col(Product.slug) == slug)).one().unit_amount = amount


@pytest.fixture
def priced_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Turn the shop into one whose price list is in another currency."""

    def change(currency: str) -> None:
        monkeypatch.setenv("CURRENCY", currency)
        settings.current.cache_clear()
        with db.unit_of_work() as session:
            for product in session.exec(select(Product)):
                product.currency = currency

    return change


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
def test_a_total_under_the_minimum_is_said_before_the_click(
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
def test_a_total_over_the_maximum_is_said_before_the_click(visit: Callable[..., AppTest]) -> None:
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
def test_a_quantity_out_of_bounds_is_said_beside_its_field_and_cannot_be_paid(
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
def test_pay_leaves_for_the_one_order_however_often_it_is_pressed(
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
def test_a_price_that_changed_is_said_before_anything_is_ordered(
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


def test_the_badge_says_offline_or_whose_test_mode_it_is(
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

    monkeypatch.setattr(gateway, "account", answer)
    monkeypatch.setattr(stripe_mode, "RETRY_SECONDS", 0)
    account = stripe_mode.StripeAccount()

    account.fetch_forever(threading.Event())

    assert account.id == "acct_1Example7Q42"


@pytest.mark.scenario("A2")
def test_coming_back_unpaid_refills_the_cart_and_cleans_the_address(
    visit: Callable[..., AppTest],
) -> None:
    number = an_order(red_t_shirt=2, sneakers=1)

    at = visit(resume=number)

    assert at.number_input(key="quantity-red-t-shirt").value == 2
    assert at.number_input(key="quantity-sneakers").value == 1
    assert "Your cart is as you left it. You have not been charged." in html(at)
    assert "resume" not in at.query_params


@pytest.mark.scenario("G1")
def test_a_strangers_order_refills_nothing(visit: Callable[..., AppTest]) -> None:
    number = an_order(STRANGER, red_t_shirt=2)

    at = visit(resume=number)

    assert at.number_input(key="quantity-red-t-shirt").value == 0
    assert number not in html(at)
    assert "shown in the browser that you chose them in" in html(at)


def test_a_database_that_is_down_is_said_in_words(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_session: Session) -> list[Product]:
        raise errors.DatabaseUnavailable

    monkeypatch.setattr("store.catalog.products.on_sale", down)

    at = visit()

    assert "This page comes back by itself." in html(at)


@pytest.mark.scenario("R4")
@pytest.mark.parametrize("cookie", [STRANGER, None], ids=["another cookie", "no cookie"])
def test_who_returns_from_stripe_in_another_browser_reads_that_the_payment_is_safe(
    visit: Callable[..., AppTest], cookie: str | None
) -> None:
    number = an_order(red_t_shirt=2)
    make_it(number, status="paid", payment_status="paid", checkout_status="complete")

    pages = [
        html(visit("order", cookie=cookie, number=asked, session_id="cs_test_x"))
        for asked in (number, "2222-2222-2222-2222")
    ]

    assert "your payment is safe" in pages[0]
    assert "shown in the browser it was placed in" in pages[0]
    assert pages[0] == pages[1]
    assert number not in pages[0]


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


@pytest.mark.scenario("C2", "C15")
def test_coming_back_from_stripe_asks_once_and_reloading_asks_nothing(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    number = an_order(red_t_shirt=2)
    asked: list[str] = []
    settle_by(monkeypatch, lambda _buyer, number: asked.append(number))

    at = visit("order", number=number, session_id="cs_test_anything")
    at.run()

    assert asked == [number]
    assert "session_id" not in at.query_params


def coming_back(number: str, cookie: str = ME) -> Request:
    """What a browser asks for when Stripe sends it back to the order."""
    return Request(
        {
            "type": "http",
            "query_string": f"number={number}&session_id=cs_test_x".encode(),
            "headers": [(b"cookie", f"{buyer_ids.COOKIE}={cookie}".encode())],
        }
    )


def settle_by(monkeypatch: pytest.MonkeyPatch, settle: Callable[[str, str], object]) -> None:
    """Let this be how Stripe is asked about an order whose buyer is back."""
    monkeypatch.setattr(checkout, "refresh_order", settle)
    monkeypatch.setattr(prefetch, "SETTLE_PREFETCH", prefetch.CheckoutPrefetcher(settle))


WHOSE = (buyer_ids.digest(ME), "2222-2222-2222-2222")


@pytest.mark.scenario("C2")
def test_stripe_is_requested_once_while_the_page_loads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str]] = []

    settle_by(monkeypatch, lambda *whose: asked.append(whose))

    early_result.prefetch_on_return(coming_back(WHOSE[1]))
    early_result.settle(*WHOSE)
    assert asked == [WHOSE]

    early_result.settle(*WHOSE)
    assert asked == [WHOSE, WHOSE]


def silent(*_arguments: object, **_more: object) -> str:
    raise errors.StripeUnreachable


def test_a_failed_prefetch_on_return_is_known_to_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settle_by(monkeypatch, silent)

    early_result.prefetch_on_return(coming_back(WHOSE[1]))

    with pytest.raises(errors.StripeUnreachable):
        early_result.settle(*WHOSE)


def test_an_old_prefetch_result_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    prefetcher = prefetch.CheckoutPrefetcher(lambda *_whose: None)
    prefetcher.start(*WHOSE).result()
    monkeypatch.setattr(prefetch, "FRESH_SECONDS", 0)

    assert not prefetcher.result(*WHOSE)


def test_a_prefetch_without_a_free_thread_returns_no_result_at_once() -> None:
    over, asked = threading.Event(), list[str]()

    def ask(_buyer: str, number: str) -> None:
        asked.append(number)
        over.wait(20)

    prefetcher = prefetch.CheckoutPrefetcher(ask)
    for number in "12345678":
        prefetcher.start("me", number)
    prefetcher.start("me", "9")

    assert not prefetcher.result("me", "9")  # at once, though all eight are still asking
    over.set()
    assert prefetcher.result("me", "1")
    prefetcher.pool.shutdown()
    assert sorted(asked) == list("12345678")


def test_only_the_latest_prefetches_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "MAX_STARTED", 2)
    prefetcher = prefetch.CheckoutPrefetcher(lambda *_whose: None)

    for number in "123":
        prefetcher.start("me", number).result()

    assert [prefetcher.result("me", number) for number in "123"] == [False, True, True]


@pytest.mark.parametrize(
    ("number", "cookie"), [("' OR 1=1", ME), ("2222-2222", "no cookie")], ids=["number", "cookie"]
)
def test_an_invalid_return_starts_no_prefetch(
    monkeypatch: pytest.MonkeyPatch, number: str, cookie: str
) -> None:
    settle_by(monkeypatch, never_asked)

    early_result.prefetch_on_return(coming_back(number, cookie))

    assert prefetch.SETTLE_PREFETCH.started == {}


def test_a_silent_stripe_leaves_the_buyer_with_a_page_that_follows_the_order(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_by(monkeypatch, silent)

    at = visit("order", number=an_order(red_t_shirt=2), session_id="cs_test_anything")

    assert "Stripe has not answered yet." in html(at)
    assert "Confirming…" in html(at)
    assert "not been charged" not in html(at)


def make_it(number: str, **values: object) -> None:
    """Let an order be as Stripe's answers would have made it."""
    with db.unit_of_work() as session:
        order = session.exec(select(Order).where(col(Order.number) == number)).one()
        for name, value in values.items():
            setattr(order, name, value)


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
        order = queries.order_of_buyer(session, buyer_ids.digest(ME), number)
        history.log(session, order, "buyer", "cancel asked", checkout.REPLACED)

    assert "A newer cart took this order" in html(visit("order", number=number))


def test_the_count_of_charges_stands_on_both_pages(visit: Callable[..., AppTest]) -> None:
    number = an_order(red_t_shirt=2)
    make_it(number, status="paid", payment_status="paid", checkout_status="complete")
    an_order(sneakers=1)

    shop, page = html(visit()), html(visit("order", number=number))

    assert "<span>2 orders</span> <b>1 charged once</b>" in shop
    assert "<span>This order</span> <b>charged once</b>" in page
    assert all("no webhook yet" in shown for shown in (shop, page))
    assert '<p role="alert"' not in shop + page


@pytest.mark.scenario("C14")
def test_a_second_payment_alarms_both_pages_with_its_cause(visit: Callable[..., AppTest]) -> None:
    number = an_order(red_t_shirt=2)
    paid = {"status": "paid", "payment_status": "paid", "checkout_status": "complete"}
    make_it(number, **paid, payment_intent_id="pi_own")
    with db.unit_of_work() as session:
        order = queries.order_of_buyer(session, buyer_ids.digest(ME), number)
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
def test_an_error_in_words_names_the_log_line_that_knows_more(
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
    style = (settings.ROOT / ".streamlit" / "storefront.css").read_text("utf-8")

    assert "<" not in style


# --- what the pages are made of ------------------------------------------------------------------


def test_every_status_has_a_badge_and_a_verdict() -> None:
    assert rendering.VERDICTS.keys() == order_view.STATUS_BADGES.keys()


# --- the door ------------------------------------------------------------------------------------


ONE_ANSWER_FOR_ALL = HTMLResponse("a page")


async def a_page(_request: Request) -> HTMLResponse:
    return ONE_ANSWER_FOR_ALL


class Browser:
    """Asks the door as a browser does, one request at a time, and keeps no cookies of its own."""

    def __init__(self, *routes: BaseRoute) -> None:
        app = Starlette(
            routes=routes
            or [Route("/go/{number}", checkout_redirect.go), Route("/{path:path}", a_page)],
            middleware=[Middleware(BuyerCookie)],
            exception_handlers={Exception: server.request_failed},
        )
        self.transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    def get(self, path: str, cookie: str = "", **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie:
            sent["cookie"] = f"{buyer_ids.COOKIE}={cookie}"

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self.transport, base_url="http://shop.example"
            ) as client:
                return await client.get(path, headers=sent)

        return event_loops.run(ask())


@pytest.fixture
def browser() -> Browser:
    return Browser()


def test_the_page_itself_names_no_route_that_is_closed() -> None:
    page = bytes(Shell(FRONTEND).page().body).decode()

    assert "/agent/" not in page
    assert "This shop needs JavaScript" in page


def test_the_first_page_gives_the_buyer_a_private_name(browser: Browser) -> None:
    cookie = browser.get("/", accept=A_PAGE).headers["set-cookie"]

    assert buyer_ids.is_cookie(cookie.split(";")[0].removeprefix(f"{buyer_ids.COOKIE}="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


def test_no_two_buyers_ever_get_the_same_name(browser: Browser) -> None:
    answers = [browser.get("/", accept=A_PAGE) for _ in range(3)]

    names = [answer.headers.get_list("set-cookie") for answer in answers]

    assert [len(given) for given in names] == [1, 1, 1]
    assert len({given[0] for given in names}) == 3


def test_a_name_once_given_stays(browser: Browser) -> None:
    assert "set-cookie" not in browser.get("/order", cookie=ME, accept=A_PAGE).headers


@pytest.mark.parametrize("worthless", ["short", "a" * 44, "a" * 42 + "!"])
def test_a_name_that_cannot_be_ours_is_replaced(browser: Browser, worthless: str) -> None:
    assert "set-cookie" in browser.get("/", cookie=worthless, accept=A_PAGE).headers


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "*/*"},
        {"accept": "text/html", "sec_fetch_dest": "empty"},
        {"sec_fetch_dest": "image"},
    ],
)
def test_scripts_pictures_and_health_checks_get_no_name(
    browser: Browser, headers: dict[str, str]
) -> None:
    assert "set-cookie" not in browser.get("/", **headers).headers


def test_behind_https_the_name_never_travels_in_the_clear(browser: Browser) -> None:
    answer = browser.get("/", accept=A_PAGE, x_forwarded_proto="https")

    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.scenario("P8")
@pytest.mark.parametrize(
    ("name", "value", "secure"),
    [
        ("x_forwarded_proto", "https,http", True),
        ("x_forwarded_proto", "https, http", True),
        ("x_forwarded_proto", "HTTPS", True),
        ("x_forwarded_proto", " https ", True),
        ("x_forwarded_proto", "wss", True),
        ("x_forwarded_scheme", "https", True),
        ("x_forwarded_ssl", "on", True),
        ("front_end_https", "On", True),
        ("forwarded", "for=192.0.2.1;proto=https;by=10.0.0.1, for=10.0.0.2;proto=http", True),
        ("forwarded", 'For="[2001:db8::1]"; Proto="HTTPS"', True),
        ("x_forwarded_proto", "http,https", False),
        ("x_forwarded_proto", "http", False),
        ("x_forwarded_proto", "nothttps", False),
        ("x_forwarded_proto", "", False),
        ("x_forwarded_ssl", "off", False),
        ("forwarded", "for=192.0.2.1;proto=http, proto=https", False),
        ("forwarded", "for=https", False),
    ],
)
def test_a_cookie_is_secure_where_the_browsers_own_connection_is(
    browser: Browser, name: str, value: str, secure: bool
) -> None:
    answer = browser.get("/", accept=A_PAGE, **{name: value})

    assert ("Secure" in answer.headers["set-cookie"].split("; ")) is secure


@pytest.mark.scenario("P7")
@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("shop.example", "store_buyer"),
        ("shop.example:443", "store_buyer"),
        ("shop.example:80", "store_buyer"),
        ("shop.example:8501", "store_buyer_8501"),
        ("[::1]:8501", "store_buyer_8501"),
    ],
)
def test_cookie_names_differ_between_shops_on_one_host(
    browser: Browser, host: str, name: str
) -> None:
    given = browser.get("/", accept=A_PAGE, host=host).headers["set-cookie"]

    assert given.partition("=")[0] == name


@pytest.mark.scenario("P7")
def test_a_cookie_without_a_port_stays_its_buyers_and_is_set_again_with_one(
    browser: Browser, visit: Callable[..., AppTest]
) -> None:
    number, host = an_order(red_t_shirt=2), "shop.example:8501"

    given = browser.get("/", cookie=ME, accept=A_PAGE, host=host).headers["set-cookie"]
    own = {"cookie": f"store_buyer={STRANGER}; store_buyer_8501={ME}", "host": host}

    assert given.partition(";")[0] == f"store_buyer_8501={ME}"
    assert number in html(visit(headers=[("host", host)]))
    assert "set-cookie" not in browser.get("/", accept=A_PAGE, **own).headers


@pytest.mark.parametrize(
    ("query", "tidy"),
    [
        ("", None),
        ("quantity-red-t-shirt=2&quantity-sneakers=10", None),
        ("resume=2222-2222-2222-2222", None),
        ("quantity-red-t-shirt=1.5&quantity-sneakers=1", "/?quantity-sneakers=1"),
        ("quantity-red-t-shirt=1e3", "/?"),
        ("quantity-red-t-shirt=%D9%A3", "/?"),
        ("quantity-red-t-shirt=" + "9" * 5000, "/?"),
        ("quantity-red-t-shirt=NaN&quantity-red-t-shirt=-1", "/?"),
        ("red-t-shirt=2&resume=x", "/?quantity-red-t-shirt=2&resume=x"),
    ],
)
@pytest.mark.scenario("A8", "G9")
def test_an_address_with_impossible_quantities_is_set_right(query: str, tidy: str | None) -> None:
    scope = {"type": "http", "path": "/", "query_string": query.encode(), "headers": []}

    assert (
        checkout_redirect.canonical_cart_url(Request(scope | {"server": ("shop.example", 80)}))
        == tidy
    )


@pytest.mark.parametrize("number", ["2222-2222-2222-2222", "%00", "x" * 5000, "%3Cscript%3E"])
@pytest.mark.scenario("G1", "G3")
def test_the_way_to_stripe_is_closed_to_strangers_and_nonsense(
    browser: Browser, number: str
) -> None:
    theirs = an_order(STRANGER, red_t_shirt=2)

    answers = [browser.get(f"/go/{n}", cookie=ME) for n in (number, theirs)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text == answers[1].text
    assert answers[0].headers["x-content-type-options"] == "nosniff"


def test_the_way_to_stripe_leads_on_without_being_remembered(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        checkout, "checkout_url", lambda *_whose, refreshed: f"https://pay/{refreshed}"
    )

    answer = browser.get(f"/go/{WHOSE[1]}", cookie=ME)

    assert (answer.status_code, answer.headers["location"]) == (303, "https://pay/False")
    assert answer.headers["cache-control"] == "no-store"


def test_stripe_is_asked_once_when_that_began_on_the_way_out(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        checkout, "checkout_url", lambda *_whose, refreshed: f"https://pay/{refreshed}"
    )
    asked: list[str] = []
    monkeypatch.setattr(
        prefetch,
        "URL_PREFETCH",
        prefetch.CheckoutPrefetcher(lambda _, number: asked.append(number)),
    )

    prefetch.URL_PREFETCH.start(*WHOSE)
    answers = [browser.get(f"/go/{WHOSE[1]}", cookie=who) for who in (STRANGER, ME, ME)]

    assert asked == [WHOSE[1]]
    assert [answer.headers["location"] for answer in answers] == [
        "https://pay/False",  # a stranger's question is another one
        "https://pay/True",
        "https://pay/False",
    ]


def test_a_failed_prefetch_before_checkout_is_shown_once_and_then_retried(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        checkout, "checkout_url", lambda *_whose, refreshed: f"https://pay/{refreshed}"
    )
    monkeypatch.setattr(prefetch, "URL_PREFETCH", prefetch.CheckoutPrefetcher(silent))

    prefetch.URL_PREFETCH.start(*WHOSE)
    first, second = [browser.get(f"/go/{WHOSE[1]}", cookie=ME) for _ in range(2)]

    assert errors.StripeUnreachable.sentence in first.text
    assert second.headers["location"] == "https://pay/False"


@pytest.mark.parametrize("error", [errors.StripeUnreachable, errors.StripeBusy])
@pytest.mark.scenario("B1")
def test_a_stripe_that_fails_is_explained_with_a_way_on(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, error: type[errors.StripeError]
) -> None:
    def fails(*_whose: str, looked: bool) -> str:
        raise error

    monkeypatch.setattr(checkout, "checkout_url", fails)

    answer = browser.get("/go/2222-2222-2222-2222", cookie=ME)

    assert answer.status_code == error.status
    assert error.sentence in answer.text
    assert 'href="/go/2222-2222-2222-2222"' in answer.text
    assert 'href="/?resume=2222-2222-2222-2222"' in answer.text


@pytest.mark.scenario("G10")
def test_an_unexpected_error_gets_a_number_and_hides_its_text(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def crashes(*_whose: str, looked: bool) -> str:
        raise RuntimeError("sk_test_do_not_show")

    monkeypatch.setattr(checkout, "checkout_url", crashes)

    answer = browser.get("/go/2222-2222-2222-2222", cookie=ME)

    assert answer.status_code == 500
    assert "sk_test" not in answer.text
    assert "Traceback" not in answer.text
    (record,) = [line for line in caplog.records if line.name == "store.web.responses"]
    assert record.getMessage().removeprefix("Unexpected error ") in answer.text


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


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/order", 200),
        ("/back-office/sign-in", 200),
        ("/images/nothing.svg", 404),
        ("/back-office/sign-out", 418),  # only a POST signs out; this and the rest is Streamlit's
        ("/static/js/index.js", 418),
        ("/_stcore/health", 418),
        ("/elsewhere", 418),
        ("/favicon.png", 200),
    ],
)
def test_the_shops_addresses_come_first_and_the_rest_is_streamlits(path: str, status: int) -> None:
    streamlits = Route("/{path:path}", lambda _request: HTMLResponse("", 418))

    answer = Browser(*server.routes(FRONTEND), streamlits).get(path)

    assert answer.status_code == status


def back_from_stripe(number: str, cookie: str = ME) -> httpx.Response:
    """The first answer to a browser that Stripe sends back to the shop."""
    path = f"/order?number={number}&session_id=cs_test_x"
    return Browser(*server.routes(FRONTEND)).get(path, cookie=cookie)


@pytest.fixture
def paid_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes back has paid, as Stripe says once it is asked."""
    paid = {"status": "paid", "payment_status": "paid", "checkout_status": "complete"}
    settle_by(monkeypatch, lambda _buyer, number: make_it(number, **paid))


@pytest.mark.scenario("C1")
def test_the_first_answer_already_says_that_it_is_paid(paid_meanwhile: None) -> None:
    answer = back_from_stripe(an_order(red_t_shirt=2))

    assert 'class="verdict"' in answer.text
    assert "Paid" in answer.text
    assert answer.headers["cache-control"] == "no-store"  # Back must not show it again


@pytest.mark.scenario("G1")
def test_the_first_html_contains_nothing_of_a_foreign_order(paid_meanwhile: None) -> None:
    answer = back_from_stripe(an_order(STRANGER, red_t_shirt=2))

    assert answer.status_code == 200
    assert 'class="verdict"' not in answer.text


@pytest.mark.scenario("C7")
def test_the_first_answer_waits_for_a_silent_stripe_but_a_moment_and_claims_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silence = threading.Event()
    settle_by(monkeypatch, lambda _buyer, _number: silence.wait(30))

    answer = back_from_stripe(an_order(red_t_shirt=2))
    was_silent = not silence.is_set()
    silence.set()

    assert was_silent
    assert "<title>Three Good Things</title>" in answer.text
    assert 'class="verdict"' not in answer.text

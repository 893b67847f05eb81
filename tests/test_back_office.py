"""The back office over real HTTP and in AppTest: who is let in, and what everybody else sees."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from sqlmodel import col, select
from starlette.applications import Starlette
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from store import (
    bookkeeping,
    buyers,
    checkout,
    clock,
    db,
    desk,
    gateway,
    health,
    markup,
    office,
    pictures,
    server,
    settings,
)
from store.models import Order, OrderLog, Product
from store.shell import Shell

APP = settings.ROOT / "streamlit_app.py"
PASSWORD = "open sesame"
HOSTILE = "<script>alert(1)</script> :red[x] '; DROP TABLE"


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.real = clock.now

    def now(self) -> datetime:
        return self.real() + self.ahead


@pytest.fixture(autouse=True)
def fresh_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty shop with nobody signed in, and a Stripe that must not be asked."""
    for name in ("STRIPE_SECRET_KEY", "DATABASE_URL", "STORE_URL", "CURRENCY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    monkeypatch.setattr(gateway, "ask", never_asked)
    monkeypatch.setattr(health, "WATCH", health.Watch())
    monkeypatch.setattr(health.WATCH, "lights", list)
    monkeypatch.setattr(bookkeeping, "KEEPER", bookkeeping.Bookkeeper())
    monkeypatch.setattr(office.OFFICE, "visits", {})
    monkeypatch.setattr(office.OFFICE, "throttle", office.Throttle())
    settings.current.cache_clear()
    db.migrate()
    yield
    db.engine().dispose()
    settings.current.cache_clear()


def never_asked(*_args: object) -> None:
    raise AssertionError("Stripe was asked")


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    made = Hands()
    monkeypatch.setattr(clock, "now", made.now)
    return made


@pytest.fixture
def address(fresh_shop: None, tmp_path: Path) -> Iterator[str]:
    """The back office's addresses behind a real server; Streamlit's page is one word."""
    (tmp_path / "index.html").write_text("the page")
    routes = desk.routes(Shell(tmp_path / "index.html"))
    app = Starlette(routes=routes, middleware=server.middleware())
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="critical", lifespan="off")
        serving = uvicorn.Server(config)
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [listening]})
        thread.start()
        while not serving.started:
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        serving.should_exit = True
        thread.join()


@pytest.fixture
def browser(address: str) -> Iterator[httpx.Client]:
    """Somebody at one of our own pages, not signed in."""
    with httpx.Client(base_url=address, headers={"Origin": address}, trust_env=False) as client:
        yield client


def sign_in(browser: httpx.Client, password: str = PASSWORD, name: str = "Ada") -> httpx.Response:
    return browser.post("/back-office/sign-in", data={"password": password, "name": name})


def an_order() -> str:
    return checkout.place(
        buyers.digest(buyers.new_cookie()),
        {"red-t-shirt": 2},
        shown_amount=3998,
        store_url="http://shop.example",
    )


def history(number: str) -> list[tuple[str, str, str]]:
    with db.reading() as session:
        rows = session.exec(
            select(OrderLog)
            .join(Order, col(Order.id) == col(OrderLog.order_id))
            .where(col(Order.number) == number)
        )
        return [(row.source, row.action, row.detail) for row in rows]


def actions(number: str) -> list[str]:
    """Every address that changes something."""
    orders = [f"/back-office/orders/{number}/{name}" for name in desk.ORDER_ACTIONS]
    return [
        *orders,
        "/back-office/products",
        "/back-office/products/sneakers",
        "/back-office/events/evt_1/again",
    ]


# --- the way in ----------------------------------------------------------------------------------


def test_the_password_opens_a_session_that_ends_with_the_browser(browser: httpx.Client) -> None:
    answer = sign_in(browser)

    cookie = answer.headers["set-cookie"].lower()
    assert (answer.status_code, answer.headers["location"]) == (303, "/back-office")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age" not in cookie
    assert "expires" not in cookie
    assert browser.get("/back-office").text == "the page"


def test_without_a_session_every_address_leads_to_the_sign_in_page(browser: httpx.Client) -> None:
    number = an_order()

    page = browser.get("/back-office")
    export = browser.get("/back-office/orders.csv")

    assert (page.status_code, page.headers["location"]) == (303, "/back-office/sign-in")
    assert export.status_code == 403
    assert number not in page.text + export.text


def test_without_a_session_nothing_can_be_done(browser: httpx.Client) -> None:
    number = an_order()
    before = history(number)

    answers = [browser.post(path, data={"note": "x"}) for path in actions(number)]

    assert [answer.status_code for answer in answers] == [403] * len(answers)
    assert history(number) == before


@pytest.mark.parametrize("cookie", ["", "x", "0" * 43, "é".encode().decode("latin-1")])
def test_a_forged_cookie_opens_nothing(browser: httpx.Client, cookie: str) -> None:
    sign_in(browser)
    browser.cookies.clear()

    answer = browser.get("/back-office", headers={b"Cookie": f"{office.COOKIE}={cookie}".encode()})

    assert answer.status_code == 303


def test_a_session_ends_after_half_a_day(browser: httpx.Client, hands: Hands) -> None:
    sign_in(browser)

    hands.ahead = office.LIFE - timedelta(minutes=1)
    before = browser.get("/back-office").status_code
    hands.ahead = office.LIFE + timedelta(minutes=1)
    after = browser.get("/back-office").status_code

    assert (before, after) == (200, 303)


def test_after_signing_out_the_cookie_is_worth_nothing(browser: httpx.Client) -> None:
    sign_in(browser)
    cookie = browser.cookies[office.COOKIE]
    number = an_order()

    browser.post("/back-office/sign-out")
    browser.cookies.set(office.COOKIE, cookie)

    assert browser.get("/back-office").status_code == 303
    assert browser.post(f"/back-office/orders/{number}/note", data={"note": "x"}).status_code == 403


def test_a_wrong_password_is_said_and_opens_nothing(browser: httpx.Client) -> None:
    answer = sign_in(browser, "open barley")

    assert answer.status_code == 403
    assert "That is not the password." in answer.text
    assert office.COOKIE not in browser.cookies
    assert "open barley" not in answer.text


def test_wrong_passwords_slow_down_and_do_not_lock_the_owner_out(
    browser: httpx.Client, hands: Hands
) -> None:
    misses = [sign_in(browser, "wrong").status_code for _ in range(5)]
    too_soon = sign_in(browser)

    hands.ahead = timedelta(seconds=2)
    later = sign_in(browser)

    assert misses == [403, 403, 403, 429, 429]
    assert (too_soon.status_code, too_soon.headers["retry-after"]) == (429, "1")
    assert "Wait 1 second, then try again." in too_soon.text
    assert later.status_code == 303


def test_however_often_somebody_guessed_the_wait_is_a_minute_at_most(hands: Hands) -> None:
    throttle = office.Throttle()
    for _ in range(30):
        throttle.admit("192.0.2.1")
        hands.ahead += office.LONGEST_WAIT

    throttle.admit("192.0.2.1")


def test_a_hundred_guesses_at_once_are_three(hands: Hands) -> None:
    throttle = office.Throttle()
    looked_at: list[int] = []

    def guess(place: int) -> None:
        try:
            throttle.admit("192.0.2.1")
            looked_at.append(place)
        except office.TooManyTries:
            pass

    threads = [threading.Thread(target=guess, args=(place,)) for place in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(looked_at) == office.FREE_MISSES


def test_guesses_from_everywhere_are_slowed_down_too(hands: Hands) -> None:
    throttle = office.Throttle()

    with pytest.raises(office.TooManyTries):
        for place in range(office.EVERYBODY + 1):
            throttle.admit(f"192.0.2.{place}")


def test_one_subscribers_many_addresses_are_one_guesser() -> None:
    assert office.client_of("2001:db8:1:2::1") == office.client_of("2001:db8:1:2:ffff::9")
    assert office.client_of("2001:db8:1:2::1") != office.client_of("2001:db8:1:3::1")
    assert office.client_of("192.0.2.1") != office.client_of("192.0.2.2")


def test_the_made_password_rides_behind_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    with_password = office.link("http://localhost:8501")
    monkeypatch.setenv("ADMIN_PASSWORD", "")
    settings.current.cache_clear()

    made = office.link("http://localhost:8501")

    assert with_password == "http://localhost:8501/back-office"
    assert re.fullmatch(r"http://localhost:8501/back-office/sign-in#[\w-]{43}", made)
    assert made == office.link("http://localhost:8501")
    assert made.endswith(office.password())


# --- other sites ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_what_another_site_makes_the_browser_send_is_refused(
    browser: httpx.Client, headers: dict[str, str]
) -> None:
    sign_in(browser)
    number = an_order()
    before = history(number)

    answers = [
        browser.post(path, data={"note": "x"}, headers=headers) for path in actions(number)
    ] + [browser.post("/back-office/sign-out", headers=headers)]

    assert {answer.status_code for answer in answers} == {403}
    assert history(number) == before
    assert browser.get("/back-office").status_code == 200


def test_another_site_cannot_sign_anybody_in(browser: httpx.Client) -> None:
    browser.headers["Origin"] = "https://evil.example"

    answer = sign_in(browser)

    assert answer.status_code == 403
    assert office.COOKIE not in browser.cookies


def test_the_pages_cannot_be_framed(browser: httpx.Client) -> None:
    way_in = browser.get("/back-office/sign-in")
    sign_in(browser)

    for page in (way_in, browser.get("/back-office")):
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"


def test_a_body_that_is_too_large_is_refused_unread(browser: httpx.Client) -> None:
    huge = sign_in(browser, "x" * 9000)
    sign_in(browser)
    picture = {"brought": ("a.png", b"x" * (2 * 1024 * 1024), "image/png")}

    answer = browser.post("/back-office/products/sneakers", data={"name": "x"}, files=picture)

    assert (huge.status_code, answer.status_code) == (413, 413)


def test_pictures_are_kept_by_the_browser_and_only_ours_asked_for_again(
    browser: httpx.Client,
) -> None:
    brought = pictures.brought() / f"{'0a' * 10}.webp"
    brought.parent.mkdir()
    brought.write_bytes(b"a picture")

    lasting = browser.get(f"/images/{brought.name}")
    ours = browser.get("/images/sneakers.svg")
    again = browser.get("/images/sneakers.svg", headers={"If-None-Match": ours.headers["etag"]})

    assert lasting.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert ours.headers["cache-control"] == "public, max-age=3600"
    assert (again.status_code, again.content) == (304, b"")
    assert "cache-control" not in browser.get("/images/nothing.svg").headers


# --- what was done, and the pages ----------------------------------------------------------------


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open the back office as the browser that holds `cookie`."""

    def open_page(cookie: str = "", **query: str) -> AppTest:
        cookies = {buyers.COOKIE: buyers.new_cookie(), office.COOKIE: cookie}
        client = SimpleNamespace(cookies=cookies, headers=[])
        monkeypatch.setattr("streamlit.runtime.context._get_client_context", lambda: client)
        at = AppTest.from_file(str(APP), default_timeout=20)
        at.context = {"locale": "en-US", "timezone": "UTC", "url": "http://shop.example/"}
        at._page_hash = calc_hash("back-office")
        for name, value in query.items():
            at.query_params[name] = value
        return at.run()

    return open_page


def html(at: AppTest) -> str:
    assert not at.exception
    return "\n".join(element.proto.body for element in at.get("html"))


def an_operator() -> str:
    return office.OFFICE.sign_in(PASSWORD, "Ada", "192.0.2.1")


def test_no_page_shows_anything_without_a_session(visit: Callable[..., AppTest]) -> None:
    number = an_order()

    pages = [
        html(visit("forged", **query))
        for query in [{}, {"order": number}, *({"view": view} for view in ("orders", "products"))]
    ]

    for page in pages:
        assert "You are not signed in" in page
        assert number not in page
        assert "Sneakers" not in page
        assert "Figures" not in page


def test_a_tab_left_open_after_signing_out_shows_nothing_more(
    visit: Callable[..., AppTest],
) -> None:
    number = an_order()
    cookie = an_operator()
    at = visit(cookie, view="orders")
    before = html(at)

    office.OFFICE.sign_out(cookie)
    after = html(at.run())

    assert number in before
    assert number not in after


def test_an_order_is_shown_with_all_that_is_known_of_it(visit: Callable[..., AppTest]) -> None:
    number = an_order()

    page = html(visit(an_operator(), order=number))

    assert f"Order {number}" in page
    assert "$39.98" in page
    assert "Not paid, so there is nothing to refund." in page
    assert "attempt 1" in page


def test_an_alarm_about_an_order_leads_no_operator_to_a_buyers_page(
    visit: Callable[..., AppTest],
) -> None:
    number = an_order()
    with db.unit_of_work() as session:
        order = session.exec(select(Order)).one()
        order.status, order.review_reason = "review", "another amount"

    page = html(visit(an_operator(), order=number))

    assert f"Order {number} needs review: another amount." in page
    assert markup.order_link(number) not in page


def test_an_unknown_order_is_one_sentence(visit: Callable[..., AppTest]) -> None:
    page = html(visit(an_operator(), order="<b>no\x00such"))

    assert "There is no such order here." in page


def test_what_people_wrote_is_shown_literally(visit: Callable[..., AppTest]) -> None:
    with db.unit_of_work() as session:
        shirt = session.exec(select(Product).where(col(Product.slug) == "red-t-shirt")).one()
        shirt.name = HOSTILE
    number = an_order()
    cookie = office.OFFICE.sign_in(PASSWORD, HOSTILE, "192.0.2.1")

    for query in ({"order": number}, {"view": "products", "q": "<script>"}):
        page = html(visit(cookie, **query))
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_every_view_has_a_page_for_a_shop_where_nothing_happened(
    visit: Callable[..., AppTest],
) -> None:
    cookie = an_operator()

    pages = {view: visit(cookie, view=view) for view in ("", "orders", "webhooks", "books", "odd")}

    assert "No orders yet." in html(pages["orders"])
    assert "No events yet." in html(pages["webhooks"])
    assert "The books have not been compared" in html(pages["books"])
    assert "$0.00" in html(pages[""])
    assert html(pages["odd"]) == html(pages[""])


def test_a_note_stands_in_the_history_with_who_wrote_it(
    browser: httpx.Client, visit: Callable[..., AppTest]
) -> None:
    sign_in(browser, name="Ada")
    number = an_order()

    answer = browser.post(f"/back-office/orders/{number}/note", data={"note": " call back "})

    assert answer.headers["location"] == f"/back-office?order={number}"
    assert history(number)[-1] == ("operator", "note", "call back · by Ada")
    assert "The note is in the order" in html(visit(browser.cookies[office.COOKIE], order=number))


def test_what_failed_is_said_on_the_page_it_came_from(
    browser: httpx.Client, visit: Callable[..., AppTest]
) -> None:
    sign_in(browser)
    form = {
        "product_name": "Boots",
        "description": "High",
        "price": "free",
        "image": "sneakers.svg",
    }

    answer = browser.post("/back-office/products", data=form)

    page = html(visit(browser.cookies[office.COOKIE], view="products"))
    assert answer.headers["location"] == "/back-office?view=products"
    assert "Price: Write the amount in digits, like 19.99." in page
    assert "Boots" not in page


def test_the_export_is_what_the_filter_shows(browser: httpx.Client) -> None:
    sign_in(browser)
    numbers = [an_order() for _ in range(3)]

    one: Any = browser.get("/back-office/orders.csv", params={"q": numbers[1]})
    none = browser.get("/back-office/orders.csv", params={"status": "paid"})

    assert one.headers["content-disposition"] == 'attachment; filename="orders.csv"'
    assert [row.split(",")[0] for row in one.text.splitlines()[1:]] == [numbers[1]]
    assert len(none.text.splitlines()) == 1

"""The back office over HTTP and in AppTest: signing in, cross-site requests, and the pages."""

import ast
import importlib
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlmodel import col, select
from starlette.applications import Starlette
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from store.backoffice import (
    auth,
    health,
    pages_common,
    pages_reconciliation,
    routes,
    sign_in,
    tasks,
)
from store.backoffice.pages_common import OperatorAction
from store.backoffice.state import BACK_OFFICE
from store.catalog import images
from store.core import clock, errors, secret_files, settings
from store.core.errors import DatabaseUnavailable
from store.db import engine as db
from store.db.models import HistoryEntry, Order, Product
from store.orders import checkout
from store.reconciliation.audit import OrderComparison
from store.reconciliation.restored_orders import MissingOrder
from store.reports import sales, search
from store.reports.history_text import payload_of, text
from store.reports.sales import PeriodTotals, SalesReport
from store.storefront import server
from store.stripe_api import transport
from store.web import buyer_cookie, rendering, request_origin, streamlit_internals
from store.web.rendering import literal
from tests.support import event_loops, loopback
from tests.support.ports import free_port
from tests.support.server_thread import ServerThread

APP = settings.ROOT / "streamlit_app.py"
PASSWORD = "open sesame"
SHOP = "http://shop.example"
CHANGES = re.compile(r"actions\.|BACK_OFFICE.tasks\.(reconcile|compare)")
MOVES = set("show_list turn_page open_clicked_order close_form restart".split())
CALLS_ACTIONS = {"submit_note", "save", "refetch", "action"}  # or is one, in a variable
SECTIONS = [name for name in sign_in.ADDRESSES if name != "rehearsal"]
HOSTILE = "<script>alert(1)</script> :red[x] '; DROP TABLE"


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.real = clock.now

    def now(self) -> datetime:
        return self.real() + self.ahead


@pytest.fixture(autouse=True)
def fresh_shop(
    tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """An empty shop with nobody signed in, and a Stripe that must not be asked."""
    for name in ("STRIPE_SECRET_KEY", "DATABASE_URL", "STORE_URL", "CURRENCY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ADMIN_PASSWORD", PASSWORD)
    monkeypatch.setattr(transport, "call_with_retry", never_asked)
    monkeypatch.setattr(BACK_OFFICE, "sessions", auth.OperatorSessions())
    monkeypatch.setattr(BACK_OFFICE, "tasks", tasks.BackgroundTasks())
    monkeypatch.setattr(BACK_OFFICE, "health", health.HealthMonitor(BACK_OFFICE.tasks))
    monkeypatch.setattr(BACK_OFFICE.health, "checks", list)
    settings.current.cache_clear()
    shutil.copy(sqlite_template, tmp_path / "store.db")
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
def address(fresh_shop: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The back office's addresses behind a real server; Streamlit's page is one word."""
    (tmp_path / "index.html").write_text("the page")
    monkeypatch.setattr(streamlit_internals, "INDEX_HTML", tmp_path / "index.html")
    app = Starlette(
        routes=routes.routes(),
        middleware=server.middleware(),
        exception_handlers=server.EXCEPTION_HANDLERS,
    )
    serving = ServerThread(app, port=free_port(), lifespan="off")
    yield serving.url
    serving.stop()


@pytest.fixture
def browser(address: str) -> Iterator[httpx.Client]:
    """Somebody at one of our own pages, not signed in."""
    with loopback.Client(base_url=address, headers={"Origin": address}) as client:
        yield client


def signs_in(browser: httpx.Client, password: str = PASSWORD, name: str = "Ada") -> httpx.Response:
    return browser.post("/back-office/sign-in", data={"password": password, "name": name})


def named(browser: httpx.Client) -> str:
    """The name of the operator's cookie at this address."""
    return buyer_cookie.cookie_name(auth.COOKIE, browser.base_url.netloc.decode())


def an_order() -> str:
    return checkout.place(
        buyer_cookie.buyer_hash(buyer_cookie.new_cookie()),
        {"red-t-shirt": 2},
        shown_amount=3998,
        store_url="http://shop.example",
    )


def history(number: str) -> list[tuple[str, str, str]]:
    with db.reading() as session:
        rows = session.exec(
            select(HistoryEntry)
            .join(Order, col(Order.id) == col(HistoryEntry.order_id))
            .where(col(Order.number) == number)
        )
        return [(row.source, row.action, text(payload_of(row))) for row in rows]


# --- the way in ----------------------------------------------------------------------------------


def test_the_password_opens_a_session_that_ends_with_the_browser(browser: httpx.Client) -> None:
    answer = signs_in(browser)

    cookie = answer.headers["set-cookie"].lower()
    assert (answer.status_code, answer.headers["location"]) == (303, "/back-office")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "max-age" not in cookie
    assert "expires" not in cookie
    assert browser.get("/back-office").text.startswith("the page")


def test_without_a_session_every_address_leads_to_the_sign_in_page(browser: httpx.Client) -> None:
    number = an_order()

    page = browser.get("/back-office")
    export = browser.get("/back-office/orders.csv")

    assert (page.status_code, page.headers["location"]) == (303, "/back-office/sign-in")
    assert export.status_code == 403
    assert number not in page.text + export.text


@pytest.mark.parametrize("cookie", ["", "x", "0" * 43, "é".encode().decode("latin-1")])
def test_a_forged_cookie_opens_nothing(browser: httpx.Client, cookie: str) -> None:
    signs_in(browser)
    browser.cookies.clear()

    answer = browser.get("/back-office", headers={b"Cookie": f"{named(browser)}={cookie}".encode()})

    assert answer.status_code == 303


def test_a_session_ends_after_half_a_day(browser: httpx.Client, hands: Hands) -> None:
    signs_in(browser)

    hands.ahead = auth.SESSION_LIFETIME - timedelta(minutes=1)
    before = browser.get("/back-office").status_code
    hands.ahead = auth.SESSION_LIFETIME + timedelta(minutes=1)
    after = browser.get("/back-office").status_code

    assert (before, after) == (200, 303)


def test_after_signing_out_the_cookie_is_worth_nothing(browser: httpx.Client) -> None:
    signs_in(browser)
    cookie = browser.cookies[named(browser)]
    an_order()

    browser.post("/back-office/sign-out")
    browser.cookies.set(named(browser), cookie)

    assert browser.get("/back-office").status_code == 303


def test_a_wrong_password_is_refused_with_a_message(browser: httpx.Client) -> None:
    answer = signs_in(browser, "open barley")

    assert answer.status_code == 403
    assert "That is not the password." in answer.text
    assert named(browser) not in browser.cookies
    assert "open barley" not in answer.text


def test_wrong_passwords_slow_down_and_do_not_lock_the_owner_out(
    browser: httpx.Client, hands: Hands
) -> None:
    misses = [signs_in(browser, "wrong").status_code for _ in range(5)]
    too_soon = signs_in(browser)

    hands.ahead = timedelta(seconds=2)
    later = signs_in(browser)

    assert misses == [403, 403, 403, 429, 429]
    assert (too_soon.status_code, too_soon.headers["retry-after"]) == (429, "1")
    assert "Wait 1 second, then try again." in too_soon.text
    assert later.status_code == 303


def test_the_wait_after_wrong_passwords_is_at_most_a_minute(hands: Hands) -> None:
    throttle = auth.Throttle()
    for _ in range(30):
        throttle.admit("192.0.2.1")
        hands.ahead += auth.MAX_WAIT

    throttle.admit("192.0.2.1")


def test_a_hundred_guesses_at_once_are_three(hands: Hands) -> None:
    throttle = auth.Throttle()
    looked_at: list[int] = []

    def guess(place: int) -> None:
        try:
            throttle.admit("192.0.2.1")
            looked_at.append(place)
        except auth.TooManyAttempts:
            pass

    threads = [threading.Thread(target=guess, args=(place,)) for place in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(looked_at) == auth.FREE_ATTEMPTS


@pytest.mark.scenario("P3")
def test_under_attack_a_known_client_waits_a_minute_and_a_new_one_does_not(hands: Hands) -> None:
    throttle = auth.Throttle()
    for place in range(auth.GLOBAL_LIMIT_PER_MINUTE):
        throttle.admit(f"192.0.2.{place}")

    with pytest.raises(auth.TooManyAttempts) as again:
        throttle.admit("192.0.2.1")
    throttle.admit("198.51.100.1")

    assert again.value.seconds == auth.MAX_WAIT.total_seconds()


def test_one_ipv6_site_cannot_guess_from_all_of_its_networks(hands: Hands) -> None:
    throttle, compared = auth.Throttle(), 0

    for place in range(100):
        try:
            throttle.admit(*request_origin.client_networks(f"2001:db8:1:{place:x}::1"))
            compared += 1
        except auth.TooManyAttempts:
            pass

    assert compared == auth.FREE_ATTEMPTS_PER_SITE


@pytest.mark.scenario("P3")
@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::FFFF:C000:0201", "192.0.2.1", True),
        ("127.0.0.1", "::1", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("::ffff:127.0.0.2", "::ffff:127.0.0.3", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", False),  # NAT64
        ("64:ff9b::192.0.2.1", "192.0.2.1", True),
        ("2002:c000:201::1", "192.0.2.1", True),  # 6to4
        ("fe80::1", "fe80::2", False),  # neighbours on one cable
        ("fe80::1%eth0", "fe80::1%eth0", True),
        ("", "unix:", True),
        ("x" * 70_000, "not an address", True),
    ],
)
def test_addresses_of_one_network_are_one_client(one: str, other: str, same: bool) -> None:
    first, second = request_origin.client_networks(one), request_origin.client_networks(other)

    assert (first[0] == second[0]) is same
    assert len(first[0]) < 64


class Visitors:
    """The back office as clients at other addresses reach it."""

    def __init__(self) -> None:
        self.app = Starlette(routes=routes.routes(), middleware=server.middleware())

    def sign_in(self, client: str, password: str, **headers: str) -> int:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(client, 50_000))
            async with httpx.AsyncClient(transport=transport, base_url=SHOP) as visitor:
                return await visitor.post(
                    "/back-office/sign-in",
                    data={"password": password},
                    headers={"Origin": SHOP, **headers},
                )

        return event_loops.run(ask()).status_code


@pytest.fixture
def visitors() -> Visitors:
    return Visitors()


@pytest.mark.scenario("P3")
@pytest.mark.parametrize(
    ("guesser", "operator"),
    [
        ("192.0.2.1", "192.0.2.2"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("::ffff:127.0.0.1", "::ffff:192.0.2.2"),
        ("2001:db8:1:2::1", "2001:db8:1:3::1"),
        ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2"),
    ],
)
def test_wrong_passwords_of_other_clients_do_not_lock_out_an_operator(
    visitors: Visitors, hands: Hands, guesser: str, operator: str
) -> None:
    guesses = [visitors.sign_in(guesser, "wrong") for _ in range(8)]

    assert guesses == [403] * 3 + [429] * 5
    assert visitors.sign_in(operator, PASSWORD) == 303


@pytest.mark.scenario("P3")
@pytest.mark.parametrize("proxy", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_behind_a_proxy_on_this_computer_each_visitor_counts_alone(
    visitors: Visitors, hands: Hands, proxy: str
) -> None:
    for _ in range(8):
        refused = visitors.sign_in(proxy, "wrong", **{"X-Forwarded-For": "192.0.2.1"})

    assert refused == 429
    assert visitors.sign_in(proxy, PASSWORD, **{"X-Forwarded-For": "192.0.2.2"}) == 303


@pytest.mark.scenario("P3")
def test_a_visitor_cannot_claim_another_address(visitors: Visitors, hands: Hands) -> None:
    guesses = [
        visitors.sign_in("198.51.100.1", "wrong", **{"X-Forwarded-For": f"192.0.2.{place}"})
        for place in range(5)
    ]

    assert guesses == [403] * 3 + [429] * 2


@pytest.mark.scenario("P3")
def test_while_a_whole_crowd_guesses_an_operator_still_gets_in(
    visitors: Visitors, hands: Hands
) -> None:
    for place in range(auth.GLOBAL_LIMIT_PER_MINUTE + 20):
        visitors.sign_in(f"192.0.2.{place}", "wrong")

    assert visitors.sign_in("198.51.100.1", PASSWORD) == 303


@pytest.mark.scenario("P3")
@pytest.mark.parametrize("chosen", [PASSWORD, ""], ids=["ADMIN_PASSWORD", "made password"])
def test_the_links_secret_signs_in_however_often_its_own_address_guessed(
    visitors: Visitors,
    hands: Hands,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    chosen: str,
) -> None:
    monkeypatch.setenv("ADMIN_PASSWORD", chosen)
    settings.current.cache_clear()
    for _ in range(20):
        visitors.sign_in("192.0.2.1", "wrong")
    (secret,) = {"sign_in_token", "admin_password"} & {file.name for file in tmp_path.iterdir()}

    assert visitors.sign_in("192.0.2.1", PASSWORD) == 429
    assert visitors.sign_in("192.0.2.1", (tmp_path / secret).read_text()) == 303


def test_without_a_writable_data_folder_the_password_alone_signs_in(
    visitors: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(_path: Path, _prefix: str = "") -> str:
        raise errors.SettingsError

    monkeypatch.setattr(secret_files, "read_or_create_secret", read_only)

    assert visitors.sign_in("192.0.2.1", "") == 403
    assert visitors.sign_in("192.0.2.1", PASSWORD) == 303


# --- where signing in leads to -------------------------------------------------------------------


@pytest.mark.scenario("P6")
@pytest.mark.parametrize(
    "query",
    [
        "-orders?order=W6S2-7X6P-J6PJ-N4NG",
        "-orders?q=%C3%9Cnal+%26+S%C3%B6hne&status=paid",
        "-webhooks?event=evt_1",
        "-reconciliation",
        "?days=90",
        "",
    ],
)
def test_signing_in_leads_to_the_requested_page(browser: httpx.Client, query: str) -> None:
    asked = f"/back-office{query}"
    way_in = browser.get(asked).headers["location"]

    wrong = browser.post(way_in, data={"password": "wrong"})
    answer = browser.post(way_in, data={"password": PASSWORD})

    assert '<form method="post">' in wrong.text  # to the address that the page has
    assert answer.headers["location"] == asked


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("?view=orders&status=paid", "-orders?status=paid"),
        ("?order=W6S2-7X6P-J6PJ-N4NG", "-orders?order=W6S2-7X6P-J6PJ-N4NG"),
        ("?view=books", "-reconciliation"),
        ("?view=figures&days=7", "?days=7"),
        ("?view=rehearsal", ""),
        ("?view=//evil.example", ""),
    ],
)
def test_addresses_of_earlier_versions_lead_to_todays(
    browser: httpx.Client, old: str, new: str
) -> None:
    assert browser.get(f"/back-office{old}").headers["location"] == f"/back-office{new}"


@pytest.mark.scenario("P6")
@pytest.mark.parametrize(
    "query",
    [
        "next=//evil.example",
        "next=https://evil.example",
        "order=//evil.example",
        "order=%5C%5Cevil.example",
        "order=https:%2F%2Fevil.example",
        "view=/%09/evil.example",
        "page=//evil.example",
        "page=rehearsal.evil.example",
        "page=https:evil.example",
        "order=x%0D%0ALocation:%20https://evil.example",
        "order=%00",
        "order=%ff%fe",
        "order=" + "x" * 5000,
        "//evil.example",
        "/evil.example?order=x",
    ],
)
def test_signing_in_leads_nowhere_else(browser: httpx.Client, query: str) -> None:
    answer = browser.post(f"/back-office/sign-in?{query}", data={"password": PASSWORD})

    there = urlsplit(answer.headers["location"])
    assert (there.scheme, there.netloc, there.path) == ("", "", "/back-office")
    assert len(there.query) < 1000
    assert "evil" not in answer.headers.get("set-cookie", "")


@pytest.mark.scenario("P6")
def test_signing_in_from_the_rehearsal_leads_back_to_it(browser: httpx.Client) -> None:
    answer = browser.post("/back-office/sign-in?page=rehearsal", data={"password": PASSWORD})

    assert answer.headers["location"] == "/rehearsal"


@pytest.mark.scenario("P6")
def test_an_export_after_the_session_ended_leads_back_to_its_page(browser: httpx.Client) -> None:
    export = browser.get("/back-office/orders.csv?status=paid&zone=UTC")

    assert export.status_code == 403
    assert 'href="/back-office/sign-in?page=orders&amp;status=paid"' in export.text


def test_the_generated_password_is_in_the_fragment_of_the_link(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_password = auth.sign_in_url("http://localhost:8501")
    monkeypatch.setenv("ADMIN_PASSWORD", "")
    settings.current.cache_clear()

    made = auth.sign_in_url("http://localhost:8501")

    assert with_password == "http://localhost:8501/back-office"
    assert re.fullmatch(r"http://localhost:8501/back-office/sign-in#[\w-]{43}", made)
    assert made == auth.sign_in_url("http://localhost:8501")
    assert made.endswith(auth.password())


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
def test_cross_site_requests_are_refused(browser: httpx.Client, headers: dict[str, str]) -> None:
    signs_in(browser)

    answer = browser.post("/back-office/sign-out", headers=headers)

    assert answer.status_code == 403
    assert browser.get("/back-office").status_code == 200


def test_another_site_cannot_sign_in_a_visitor(browser: httpx.Client) -> None:
    browser.headers["Origin"] = "https://evil.example"

    answer = signs_in(browser)

    assert answer.status_code == 403
    assert named(browser) not in browser.cookies


def test_the_pages_cannot_be_framed(browser: httpx.Client) -> None:
    way_in = browser.get("/back-office/sign-in")
    signs_in(browser)

    for page in (way_in, browser.get("/back-office")):
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "no-store"


def test_a_body_that_is_too_large_is_refused_unread(browser: httpx.Client) -> None:
    answer = signs_in(browser, "x" * 9000)

    assert answer.status_code == 413
    assert '<form method="post">' in answer.text  # the way back


def test_pictures_are_kept_by_the_browser_and_only_ours_asked_for_again(
    browser: httpx.Client,
) -> None:
    brought = images.upload_dir() / f"{'0a' * 10}.webp"
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

    def open_page(cookie: str = "", section: str = "", **query: str) -> AppTest:
        given = {buyer_cookie.COOKIE_NAME: buyer_cookie.new_cookie(), auth.COOKIE: cookie}
        client = SimpleNamespace(cookies=given, headers=[])
        monkeypatch.setattr("streamlit.runtime.context._get_client_context", lambda: client)
        at = AppTest.from_file(str(APP), default_timeout=20)
        at.context = {"locale": "en-US", "timezone": "UTC", "url": "http://shop.example/"}
        at._page_hash = calc_hash(sign_in.ADDRESSES[section].removeprefix("/"))
        for name, value in query.items():
            at.query_params[name] = value
        return at.run()

    return open_page


def html(at: AppTest) -> str:
    assert not at.exception
    return "\n".join(element.proto.body for element in at.get("html"))


def an_operator() -> str:
    return BACK_OFFICE.sessions.sign_in(PASSWORD, "Ada", "192.0.2.1")


def test_no_page_shows_anything_without_a_session(visit: Callable[..., AppTest]) -> None:
    number = an_order()

    pages = [
        html(visit("forged", **query))
        for query in [
            {"section": "orders", "order": number},
            *({"section": section} for section in SECTIONS),
        ]
    ]

    for page in pages:
        assert "You are not signed in" in page
        assert number not in page
        assert "Sneakers" not in page
        assert "Overview" not in page


def test_a_tab_left_open_after_signing_out_shows_nothing_more(
    visit: Callable[..., AppTest],
) -> None:
    number = an_order()
    cookie = an_operator()
    at = visit(cookie, "orders")
    before = str(at.dataframe[0].value)

    BACK_OFFICE.sessions.sign_out(cookie)
    at.run()

    assert number in before
    assert list(at.dataframe) == []
    assert number not in html(at)


def test_an_order_is_shown_with_all_that_is_known_of_it(visit: Callable[..., AppTest]) -> None:
    number = an_order()

    page = html(visit(an_operator(), "orders", order=number))

    assert f"Order {number}" in page
    assert "$39.98" in page
    assert "Not paid, so there is nothing to refund." in page
    assert "attempt 1" in page


def test_an_alert_does_not_link_operators_to_a_buyers_page(
    visit: Callable[..., AppTest],
) -> None:
    number = an_order()
    with db.unit_of_work() as session:
        order = session.exec(select(Order)).one()
        order.status, order.review_reason = "review", "another amount"

    page = html(visit(an_operator(), "orders", order=number))

    assert f"Order {number} needs review: another amount." in page
    assert rendering.order_link(number) not in page


def test_an_unknown_order_is_one_sentence(visit: Callable[..., AppTest]) -> None:
    page = html(visit(an_operator(), "orders", order="<b>no\x00such"))

    assert "There is no such order here." in page


def test_text_of_visitors_is_shown_literally(visit: Callable[..., AppTest]) -> None:
    with db.unit_of_work() as session:
        shirt = session.exec(select(Product).where(col(Product.slug) == "red-t-shirt")).one()
        shirt.name = HOSTILE
    number = an_order()
    cookie = BACK_OFFICE.sessions.sign_in(PASSWORD, HOSTILE, "192.0.2.1")

    page = html(visit(cookie, "orders", order=number))
    products = visit(cookie, "products")

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert f"**{literal(HOSTILE)}**" in [element.value for element in products.markdown]


def test_every_view_has_a_page_for_a_shop_where_nothing_happened(
    visit: Callable[..., AppTest],
) -> None:
    cookie = an_operator()

    pages = {section: visit(cookie, section) for section in SECTIONS}

    assert "No orders yet." in html(pages["orders"])
    assert "No events yet." in pages["webhooks"].info[0].value
    assert [button.label for button in pages["reconciliation"].button] == [
        "Reconcile now",
        "Compare with Stripe",
    ]
    metrics = {metric.label: (metric.value, metric.delta) for metric in pages[""].metric}
    assert metrics["Revenue"] == ("\\$0\\.00", "")
    assert metrics["Average order"] == metrics["Refund rate"] == ("–", "")


@pytest.mark.parametrize(
    ("before", "now", "deltas"),
    [
        (PeriodTotals(), PeriodTotals(3000, 2, 1000), ["", "", "", ""]),
        (PeriodTotals(2000, 2), PeriodTotals(3000, 2), ["50%", "as before", "50%", "as before"]),
        (PeriodTotals(2000, 2, 200), PeriodTotals(), ["100%", "100%", "", ""]),
        (
            PeriodTotals(2000, 2),
            PeriodTotals(4000, 4, 376),
            ["100%", "100%", "as before", "9.4 points"],
        ),
    ],
)
def test_the_change_is_shown_for_every_figure_or_none(
    visit: Callable[..., AppTest],
    monkeypatch: pytest.MonkeyPatch,
    before: PeriodTotals,
    now: PeriodTotals,
    deltas: list[str],
) -> None:
    figures = SalesReport("usd", now, before, {clock.now().date(): now}, {})
    monkeypatch.setattr(sales, "sales_reports", lambda *_: [figures])

    at = visit(an_operator())

    assert [metric.delta.replace("\\", "") for metric in at.metric] == deltas
    assert ("nothing to compare with" in at.caption[0].value) is not bool(before.orders)


def test_amounts_that_were_compared_are_no_latex(visit: Callable[..., AppTest]) -> None:
    amounts = tasks.Pair(20196, 20196, "usd")
    BACK_OFFICE.tasks.audited = tasks.AuditResult(
        agrees=True,
        orders=1,
        payments=tasks.Pair(1, 1),
        refunds=[amounts],
        disputes=tasks.Pair(0, 0),
    )

    at = visit(an_operator(), "reconciliation")

    assert literal("$201.96 = $201.96") in [metric.value for metric in at.metric]


def test_each_list_that_is_cut_says_so(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_reconciliation, "MAX_ROWS", 1)
    missing = [MissingOrder(number, "paid", 100, "usd", "", ()) for number in ("1", "2")]
    BACK_OFFICE.tasks.audited = tasks.AuditResult(
        agrees=False,
        orders=3,
        payments=tasks.Pair(2, 0),
        refunds=[],
        disputes=tasks.Pair(0, 0),
        differing=[OrderComparison(number, "usd") for number in ("3", "4", "5")],
        missing=missing,
    )

    at = visit(an_operator(), "reconciliation")

    captions = [caption.value for caption in at.caption]
    assert [said for said in captions if "first" in said] == [
        "The first 1 of 2.",
        "The first 1 of 3.",
    ]


def test_each_chart_has_a_bar_for_each_of_its_values(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, today = PeriodTotals(3000, 2), clock.now().date()
    days = {today - timedelta(days=1): PeriodTotals(), today: now}
    report = SalesReport("usd", now, PeriodTotals(), days, {"Red T-Shirt": 3000})
    monkeypatch.setattr(sales, "sales_reports", lambda *_: [report])

    at = visit(an_operator())

    charts = [chart.proto for chart in at.get("vega_lite_chart")]
    tables = [convert_arrow_bytes_to_pandas_df(chart.data.data) for chart in charts]
    assert [list(table.revenue) for table in tables] == [[0, 30], [30]]


def test_a_note_is_in_the_history_with_its_author(visit: Callable[..., AppTest]) -> None:
    number = an_order()
    at = visit(an_operator(), "orders", order=number)

    at.text_input("note_text").input(" call back ")
    click(at, "Add")

    assert history(number)[-1] == ("operator", "private note", "call back · by Ada")
    assert "The private note is added." in html(at)
    assert [toast.value for toast in at.toast] == ["The private note is added\\."]


def test_a_failed_action_is_explained_on_the_page(visit: Callable[..., AppTest]) -> None:
    number = an_order()
    at = visit(an_operator(), "orders", order=number)

    click(at, "Add")

    assert "Write the note first." in html(at)


def click(at: AppTest, label: str) -> None:
    next(button for button in at.button if button.label == label).click()
    at.run()


# --- every action asks for the session -----------------------------------------------------------


PAGES = {file.stem: file for file in Path(pages_common.__file__).parent.glob("pages*.py")}


def test_no_action_runs_without_a_session(visit: Callable[..., AppTest]) -> None:
    """Actions are at the top of their page's module, so this knows of every one."""
    visit("forged")
    modules = [vars(importlib.import_module(f"store.backoffice.{page}")) for page in PAGES]
    values = [value for module in modules for value in module.values()]
    actions = [value for value in values if isinstance(value, OperatorAction)]

    def never(*_args: object) -> str:
        raise AssertionError("done without a session")

    assert len(actions) >= 12
    for action in actions:
        with pytest.raises(auth.NotSignedIn):
            replace(action, act=never).run()


def test_pages_change_things_through_registered_actions_only() -> None:
    """A widget's callback is an action, calls one, or moves about in the page."""
    for page, file in PAGES.items():
        module = vars(importlib.import_module(f"store.backoffice.{page}"))
        for function in ast.parse(file.read_text("utf-8")).body:
            if not isinstance(function, ast.FunctionDef):
                continue
            if isinstance(module[function.name], OperatorAction):
                continue
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            assert not [call for call in calls if CHANGES.match(ast.unparse(call.func))], file
            for given in (given for call in calls for given in call.keywords):
                if given.arg in ("on_click", "on_change", "on_dismiss", "on_submit"):
                    name = ast.unparse(given.value).rsplit(".", 1)[-1]
                    is_action = isinstance(module.get(name), OperatorAction)
                    assert is_action or name in MOVES | CALLS_ACTIONS, (file, name)


def test_the_export_holds_the_filtered_orders(browser: httpx.Client) -> None:
    signs_in(browser)
    numbers = [an_order() for _ in range(3)]

    one: Any = browser.get("/back-office/orders.csv", params={"q": numbers[1]})
    none = browser.get("/back-office/orders.csv", params={"status": "paid"})

    assert one.headers["content-disposition"] == 'attachment; filename="orders.csv"'
    assert [row.split(",")[0] for row in one.text.splitlines()[1:]] == [numbers[1]]
    assert len(none.text.splitlines()) == 1


@pytest.mark.scenario("N10")
def test_an_export_that_cannot_begin_says_so_to_an_operator(
    browser: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs_in(browser)

    def fails(_wanted: object) -> Iterator[object]:
        raise DatabaseUnavailable
        yield

    monkeypatch.setattr(search, "order_batches", fails)
    answer = browser.get("/back-office/orders.csv")

    assert answer.status_code == 503
    assert "The database does not answer" in answer.text
    assert "charged" not in answer.text


# --- the presenter of the rehearsal --------------------------------------------------------------

PRESENTER = "/back-office/sign-in/presenter?page=reconciliation"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def presented(address: str, **headers: str) -> httpx.Response:
    """Press the button of the script's last step."""
    host = headers.pop("host", "")
    more = {"Host": host.format(port=urlsplit(address).port)} if host else {}
    return loopback.post(address + PRESENTER, headers={**SAME_ORIGIN, **headers, **more})


@pytest.fixture
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `python -m store` finds it in an empty folder: nobody has chosen a password."""
    monkeypatch.delenv("ADMIN_PASSWORD")
    settings.current.cache_clear()


def test_a_presenter_on_this_computer_is_signed_in_by_the_script(
    unguarded: None, address: str
) -> None:
    answer = presented(address)
    again = loopback.post(address + PRESENTER, headers=SAME_ORIGIN, cookies=answer.cookies)

    assert (answer.status_code, answer.headers["location"]) == (303, "/back-office-reconciliation")
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert [session.name for session in BACK_OFFICE.sessions.sessions.values()] == ["presenter"]
    assert again.headers["location"] == answer.headers["location"]
    assert len(BACK_OFFICE.sessions.sessions) == 1


@pytest.mark.scenario("P1")
@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "192.0.2.7"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=192.0.2.7"},
        {"Via": "1.1 proxy"},
        {"host": "shop.example:{port}"},  # a name that was made to lead to this computer
        {"host": "192.0.2.1:{port}"},
        {"X-Shop-Local": "yes", "X-Real-IP": "192.0.2.7"},
    ],
)
def test_a_stranger_is_not_signed_in_by_the_script(
    unguarded: None, address: str, headers: dict[str, str]
) -> None:
    answer = presented(address, **headers)

    assert answer.headers["location"] == "/back-office/sign-in?page=reconciliation"
    assert "set-cookie" not in answer.headers
    assert BACK_OFFICE.sessions.sessions == {}


@pytest.mark.scenario("P1")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ADMIN_PASSWORD", "chosen by somebody"),
        ("STORE_URL", "https://shop.example"),
        ("ALLOWED_HOSTS", "127.0.0.1"),
        ("STRIPE_SECRET_KEY", "sk_test_51Abc"),
    ],
)
def test_where_the_shop_is_guarded_or_published_the_script_leads_to_the_sign_in_page(
    unguarded: None, address: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    settings.current.cache_clear()

    answer = presented(address)

    assert answer.headers["location"] == "/back-office/sign-in?page=reconciliation"
    assert BACK_OFFICE.sessions.sessions == {}


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_no_other_page_signs_a_presenter_in(unguarded: None, address: str, site: str) -> None:
    answer = presented(address, **{"Sec-Fetch-Site": site})

    assert (answer.status_code, BACK_OFFICE.sessions.sessions) == (403, {})
    assert loopback.get(address + PRESENTER).status_code in (404, 405)

"""The server around the page: the buyer's cookie, the way to Stripe, errors."""

from collections.abc import Callable

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from streamlit.testing.v1 import AppTest

from store.core import errors
from store.orders import checkout
from store.storefront import checkout_redirect, prefetch, server
from store.web import buyer_cookie
from tests.support.storefront_pages import (
    A_PAGE,
    ME,
    STRANGER,
    WHOSE,
    Browser,
    an_order,
    html,
    silent,
)


def test_the_page_itself_names_no_route_that_is_closed(browser: Browser) -> None:
    page = browser.get("/").text

    assert "/agent/" not in page
    assert "This shop needs JavaScript" in page


def test_the_first_page_gives_the_buyer_a_private_name(browser: Browser) -> None:
    cookie = browser.get("/", accept=A_PAGE).headers["set-cookie"]

    assert buyer_cookie.is_cookie(cookie.split(";")[0].removeprefix(f"{buyer_cookie.COOKIE_NAME}="))
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


@pytest.mark.parametrize("number", ["2222-2222-2222-2222", "%00", "x" * 5000, "%3Cscript%3E"])
@pytest.mark.scenario("G1", "G3")
def test_the_checkout_redirect_answers_404_to_strangers_and_invalid_numbers(
    browser: Browser, number: str
) -> None:
    theirs = an_order(STRANGER, red_t_shirt=2)

    answers = [browser.get(f"/go/{n}", cookie=ME) for n in (number, theirs)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text == answers[1].text
    assert answers[0].headers["x-content-type-options"] == "nosniff"


def test_the_checkout_redirect_is_a_303_that_is_not_cached(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        checkout, "checkout_url", lambda *_whose, refreshed: f"https://pay/{refreshed}"
    )

    answer = browser.get(f"/go/{WHOSE[1]}", cookie=ME)

    assert (answer.status_code, answer.headers["location"]) == (303, "https://pay/False")
    assert answer.headers["cache-control"] == "no-store"


def test_a_prefetched_checkout_makes_one_request(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        checkout, "checkout_url", lambda *_whose, refreshed: f"https://pay/{refreshed}"
    )
    asked: list[str] = []
    monkeypatch.setattr(
        prefetch,
        "URL_PREFETCH",
        prefetch.Prefetcher(lambda _, number: asked.append(number)),
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
    monkeypatch.setattr(prefetch, "URL_PREFETCH", prefetch.Prefetcher(silent))

    prefetch.URL_PREFETCH.start(*WHOSE)
    first, second = [browser.get(f"/go/{WHOSE[1]}", cookie=ME) for _ in range(2)]

    assert errors.StripeUnreachable.sentence in first.text
    assert second.headers["location"] == "https://pay/False"


@pytest.mark.parametrize("error", [errors.StripeUnreachable, errors.StripeBusy])
@pytest.mark.scenario("B1")
def test_a_stripe_failure_is_explained_with_a_link(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, error: type[errors.StripeError]
) -> None:
    def fails(*_whose: str, refreshed: bool) -> str:
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
    def crashes(*_whose: str, refreshed: bool) -> str:
        raise RuntimeError("sk_test_do_not_show")

    monkeypatch.setattr(checkout, "checkout_url", crashes)

    answer = browser.get("/go/2222-2222-2222-2222", cookie=ME)

    assert answer.status_code == 500
    assert "sk_test" not in answer.text
    assert "Traceback" not in answer.text
    (record,) = [line for line in caplog.records if line.name == "store.web.responses"]
    assert record.getMessage().removeprefix("Unexpected error ") in answer.text


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

    answer = Browser(*server.routes(), streamlits).get(path)

    assert answer.status_code == status


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

"""The way back from Stripe: what the page asks, once, and what it shows at first."""

import threading
from collections.abc import Callable

import httpx
import pytest
from starlette.requests import Request
from streamlit.testing.v1 import AppTest

from store.core import errors
from store.storefront import first_page, prefetch, server
from store.web import buyer_cookie
from tests.support.storefront_pages import (
    ME,
    STRANGER,
    WHOSE,
    Browser,
    an_order,
    html,
    make_it,
    never_asked,
    settle_by,
    silent,
)


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


@pytest.mark.scenario("R4")
@pytest.mark.parametrize("cookie", [STRANGER, None], ids=["another cookie", "no cookie"])
def test_returning_in_another_browser_says_that_the_payment_is_safe(
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
            "headers": [(b"cookie", f"{buyer_cookie.COOKIE_NAME}={cookie}".encode())],
        }
    )


@pytest.mark.scenario("C2")
def test_stripe_is_requested_once_while_the_page_loads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str]] = []

    settle_by(monkeypatch, lambda *whose: asked.append(whose))

    first_page.prefetch_on_return(coming_back(WHOSE[1]))
    prefetch.settle(*WHOSE)
    assert asked == [WHOSE]

    prefetch.settle(*WHOSE)
    assert asked == [WHOSE, WHOSE]


def test_a_failed_prefetch_on_return_is_known_to_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settle_by(monkeypatch, silent)

    first_page.prefetch_on_return(coming_back(WHOSE[1]))

    with pytest.raises(errors.StripeUnreachable):
        prefetch.settle(*WHOSE)


def test_an_old_prefetch_result_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    prefetcher = prefetch.Prefetcher(lambda *_whose: None)
    prefetcher.start(*WHOSE).result()
    monkeypatch.setattr(prefetch, "FRESH_SECONDS", 0)

    assert not prefetcher.wait(*WHOSE)


def test_a_prefetch_without_a_free_thread_returns_no_result_at_once() -> None:
    over, asked = threading.Event(), list[str]()

    def ask(_buyer: str, number: str) -> None:
        asked.append(number)
        over.wait(20)

    prefetcher = prefetch.Prefetcher(ask)
    for number in "12345678":
        prefetcher.start("me", number)
    prefetcher.start("me", "9")

    assert not prefetcher.wait("me", "9")  # at once, though all eight are still asking
    over.set()
    assert prefetcher.wait("me", "1")
    prefetcher.pool.shutdown()
    assert sorted(asked) == list("12345678")


def test_only_the_latest_prefetches_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefetch, "MAX_STARTED", 2)
    prefetcher = prefetch.Prefetcher(lambda *_whose: None)

    for number in "123":
        prefetcher.start("me", number).result()

    assert [prefetcher.wait("me", number) for number in "123"] == [False, True, True]


@pytest.mark.parametrize(
    ("number", "cookie"), [("' OR 1=1", ME), ("2222-2222", "no cookie")], ids=["number", "cookie"]
)
def test_an_invalid_return_starts_no_prefetch(
    monkeypatch: pytest.MonkeyPatch, number: str, cookie: str
) -> None:
    settle_by(monkeypatch, never_asked)

    first_page.prefetch_on_return(coming_back(number, cookie))

    assert prefetch.SETTLE_PREFETCH.started == {}


def test_a_silent_stripe_leaves_the_buyer_with_a_page_that_follows_the_order(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    settle_by(monkeypatch, silent)

    at = visit("order", number=an_order(red_t_shirt=2), session_id="cs_test_anything")

    assert "Stripe has not answered yet." in html(at)
    assert "Confirming…" in html(at)
    assert "not been charged" not in html(at)


def back_from_stripe(number: str, cookie: str = ME) -> httpx.Response:
    """The first answer to a browser that Stripe sends back to the shop."""
    path = f"/order?number={number}&session_id=cs_test_x"
    return Browser(*server.routes()).get(path, cookie=cookie)


@pytest.fixture
def paid_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes back has paid, as Stripe says once it is asked."""
    paid = {"status": "paid", "payment_status": "paid", "checkout_status": "complete"}
    settle_by(monkeypatch, lambda _buyer, number: make_it(number, **paid))


@pytest.mark.scenario("C1")
def test_the_first_answer_already_says_that_it_is_paid(paid_meanwhile: None) -> None:
    answer = back_from_stripe(an_order(red_t_shirt=2))

    assert 'class="status-headline"' in answer.text
    assert "Paid" in answer.text
    assert answer.headers["cache-control"] == "no-store"  # Back must not show it again


@pytest.mark.scenario("G1")
def test_the_first_html_contains_nothing_of_a_foreign_order(paid_meanwhile: None) -> None:
    answer = back_from_stripe(an_order(STRANGER, red_t_shirt=2))

    assert answer.status_code == 200
    assert 'class="status-headline"' not in answer.text


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
    assert 'class="status-headline"' not in answer.text

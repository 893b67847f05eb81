"""The pay page without a browser: posts, and unusual addresses."""

from typing import Any

import pytest

from stripe_emulator.base.test_cards import TEST_CARDS
from stripe_emulator.web.rendering import grouped
from tests.emulator.web.conftest import EmulatorSite

CARD = {"number": "4242424242424242", "expiry": "12/34", "cvc": "123", "email": "a@example.com"}


def test_a_plain_form_post_pays_and_answers_303(site: EmulatorSite) -> None:
    session = site.a_session()

    answer = site.client.post(f"/c/pay/{session['id']}", data=CARD)

    assert answer.status_code == 303
    assert answer.headers["location"] == f"{site.shop.address}/order?session_id={session['id']}"


def test_a_form_that_is_sent_twice_gets_the_first_answer_twice(site: EmulatorSite) -> None:
    session = site.a_session()

    answers = [site.client.post(f"/c/pay/{session['id']}", data=CARD) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert len(site.charges(session)) == 1


def test_a_form_from_another_site_is_refused(site: EmulatorSite) -> None:
    session = site.a_session()
    paths = [f"/c/pay/{session['id']}", f"/c/pay/{session['id']}/expire", "/trouble/reset"]
    elsewhere = [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://example.com"},
        {"Origin": "null"},
    ]

    answers = [
        site.client.post(path, data=CARD | {"sure": "yes"}, headers=headers).status_code
        for path in paths
        for headers in elsewhere
    ]

    assert set(answers) == {403}
    assert site.session(session)["status"] == "open"


def test_every_page_carries_the_headers_that_keep_others_out(site: EmulatorSite) -> None:
    for path in (f"/c/pay/{site.a_session()['id']}", "/", "/trouble", "/c/pay/unknown"):
        headers = site.client.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("number", ["4111111111111111", "5500 0000 0000 0004"])
def test_a_card_that_is_no_test_card_is_refused_and_not_repeated(
    site: EmulatorSite, number: str
) -> None:
    session = site.a_session()

    answer = site.client.post(f"/c/pay/{session['id']}", data=CARD | {"number": number})

    assert answer.status_code == 422
    assert number not in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert site.charges(session) == []


def test_text_of_a_shop_is_escaped(site: EmulatorSite) -> None:
    name = '<script>alert("x")</script>'
    session = site.a_session(name=name, client_reference_id='"><img src=x>')

    pages = [site.client.get(path).text for path in (f"/c/pay/{session['id']}", "/sessions")]

    assert all("<script>alert" not in page and "<img src=x>" not in page for page in pages)
    assert "&lt;script&gt;" in pages[0]


def test_the_page_lists_every_test_card(site: EmulatorSite) -> None:
    text = site.client.get(f"/c/pay/{site.a_session()['id']}").text

    assert [card.label for card in TEST_CARDS if grouped(card.number) not in text] == []


def test_without_a_cancel_url_there_is_no_back_link(site: EmulatorSite) -> None:
    session = site.a_session(cancel_url=None)

    assert "Back to the shop" not in site.client.get(f"/c/pay/{session['id']}").text


def test_the_email_is_filled_in_where_the_shop_knows_it(site: EmulatorSite) -> None:
    session = site.a_session(customer_email="ada@example.com")

    assert 'value="ada@example.com"' in site.client.get(f"/c/pay/{session['id']}").text


def test_an_unknown_payment_page_says_so(site: EmulatorSite) -> None:
    answer = site.client.get("/c/pay/cs_test_nothing")

    assert answer.status_code == 404
    assert "There is no such payment page" in answer.text


def test_a_bank_debit_shows_its_outcome(site: EmulatorSite) -> None:
    session = site.a_session()
    page = f"/c/pay/{session['id']}"
    payment = site.pay(session, method="bank")

    waiting = site.client.get(page).text
    site.client.post(f"/payments/{payment}/settle", data={"outcome": "fails"})

    assert "is not paid yet" in waiting
    assert "The bank refused the debit" in site.client.get(page).text


def test_an_answered_3d_secure_challenge_is_not_shown_again(site: EmulatorSite) -> None:
    session = site.a_session()
    card = CARD | {"number": "4000002760003184"}
    question = site.client.post(f"/c/pay/{session['id']}", data=card).headers["location"]

    first = site.client.post(question, data={"answer": "complete"})
    second = site.client.post(question, data={"answer": "complete"})

    assert (first.status_code, second.status_code) == (303, 404)
    assert "This question was answered" in site.client.get(question).text
    assert len(site.charges(session)) == 1


@pytest.mark.parametrize("name", ["..%2fpages.py", "%2e%2e/pages.py", "nothing.css", "pay.html"])
def test_only_style_sheets_and_scripts_are_served(site: EmulatorSite, name: str) -> None:
    assert site.client.get(f"/static/{name}").status_code == 404


def test_only_the_payment_methods_of_the_session_are_offered(site: EmulatorSite) -> None:
    allowed = "allowed_payment_method_types[0]"
    forms: list[dict[str, Any]] = [{allowed: "card"}, {allowed: "us_bank_account"}]
    only_card, only_bank = (site.a_session(**form) for form in forms)

    card = site.client.get(f"/c/pay/{only_card['id']}").text
    bank = site.client.get(f"/c/pay/{only_bank['id']}").text
    refused = site.client.post(f"/c/pay/{only_card['id']}", data={"method": "bank"})

    assert "Bank debit" not in card
    assert "Card number" not in bank
    assert refused.status_code == 422
    assert site.session(only_card)["status"] == "open"


@pytest.mark.parametrize(
    "language", ["*", "x-y-z", "de;q=oops", "../../etc", ",;,", "zz-ZZ", "en" * 99]
)
def test_an_invalid_language_header_gets_english(site: EmulatorSite, language: str) -> None:
    path = f"/c/pay/{site.a_session()['id']}"

    answer = site.client.get(path, headers={"Accept-Language": language})

    assert "39" in answer.text
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [
        ("jpy", 1500, "¥1,500"),
        ("kwd", 12340, "KWD 12.340"),
        ("isk", 50000, "ISK 500"),
        ("rsd", 105050, "RSD 1,050.50"),
    ],
)
def test_amounts_know_how_many_decimals_a_currency_has(
    site: EmulatorSite, currency: str, amount: int, shown: str
) -> None:
    price: dict[str, Any] = {"line_items[0][price_data][currency]": currency}
    session = site.a_session(amount=amount, quantity=1, **price)

    text = site.client.get(f"/c/pay/{session['id']}").text.replace("\N{NO-BREAK SPACE}", " ")

    assert f'<h1 class="total">{shown}</h1>' in text


def test_the_page_names_the_shop_and_shows_product_images(site: EmulatorSite) -> None:
    given: dict[str, Any] = {
        "branding_settings[display_name]": "Three Good Things",
        "line_items[0][price_data][product_data][images][0]": site.shop.address + "/red.svg",
    }
    session = site.a_session(**given)

    page = site.client.get(f"/c/pay/{session['id']}").text
    site.pay(session)
    (charge,) = site.charges(session)
    receipt = site.client.get(charge["receipt_url"]).text

    for text in (page, receipt):
        assert "Test checkout for Three Good Things" in text
        assert f'src="{site.shop.address}/red.svg"' in text
    assert "Paper EmulatorSite" not in page + receipt


def test_a_declined_payment_says_what_to_try_next(site: EmulatorSite) -> None:
    session = site.a_session()
    form = {"number": "4000000000000002", "expiry": "12/34", "cvc": "123", "email": "a@b.example"}

    page = site.client.post(f"/c/pay/{session['id']}", data=form, follow_redirects=True).text

    assert "Your card was declined." in page
    assert "Nothing was paid. Try another card or a bank debit, or go back" in page

"""A buyer pays, in a real browser."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from stripe_emulator.base.test_cards import TEST_CARDS
from tests.emulator.web.conftest import EmulatorSite

pytestmark = pytest.mark.browser
PAY = re.compile("^Pay ")


def fill_in(tab: Page, number: str, expiry: str = "12 / 34", cvc: str = "123") -> None:
    tab.get_by_label("Card number").fill(number)
    tab.get_by_label("Expiry").fill(expiry)
    tab.get_by_label("CVC").fill(cvc)


def test_a_buyer_pays_and_is_sent_to_the_shop(site: EmulatorSite, tab: Page) -> None:
    session = site.a_session()
    tab.goto(session["url"])
    fill_in(tab, "4242 4242 4242 4242")

    tab.get_by_role("button", name="Pay $39.98", exact=True).click()

    tab.wait_for_url(f"{site.shop.address}/order?session_id={session['id']}")
    assert site.session(session)["payment_status"] == "paid"


def test_a_payment_needs_no_mouse(site: EmulatorSite, tab: Page) -> None:
    session = site.a_session(amount=500)
    tab.goto(session["url"])
    expect(tab.get_by_label("Card number")).to_be_focused()

    tab.keyboard.type("4242424242424242")
    tab.keyboard.press("Tab")
    tab.keyboard.type("1234")
    tab.keyboard.press("Tab")
    tab.keyboard.type("123")
    shown = [tab.get_by_label(name).input_value() for name in ("Card number", "Expiry")]
    tab.keyboard.press("Enter")

    assert shown == ["4242 4242 4242 4242", "12 / 34"]
    tab.wait_for_url(f"{site.shop.address}/**")
    assert site.session(session)["payment_status"] == "paid"


def test_every_focused_control_of_the_page_shows_where_the_focus_is(
    site: EmulatorSite, tab: Page
) -> None:
    tab.goto(site.a_session()["url"])
    invisible = []

    for _ in range(20):
        tab.keyboard.press("Tab")
        seen = tab.evaluate(
            """() => {
                const at = document.activeElement;
                const ring = at.matches(".method input") ? at.nextElementSibling : at;
                const style = getComputedStyle(ring);
                return [at.outerHTML.slice(0, 80), style.outlineStyle, style.outlineWidth];
            }"""
        )
        if "<body" not in seen[0] and (seen[1] == "none" or seen[2] == "0px"):
            invisible.append(seen)

    assert invisible == []


def test_each_declined_card_says_why_and_the_session_stays_open(
    site: EmulatorSite, tab: Page
) -> None:
    session = site.a_session()
    tab.goto(session["url"])
    declining = [card for card in TEST_CARDS if card.outcome == "declines"]
    said = {}

    for card in declining:
        fill_in(tab, card.number)
        tab.get_by_role("button", name=PAY).click()
        expect(tab.get_by_label("Card number")).to_have_value(re.compile(f"{card.last4}$"))
        said[card.number] = tab.get_by_role("alert").text_content()
        expect(tab.get_by_role("button", name=PAY)).to_be_visible()

    assert said == {card.number: card.decline.message for card in declining if card.decline}
    assert site.session(session)["status"] == "open"
    assert len(site.charges(session)) == len(declining)


def test_after_a_decline_another_card_pays_the_same_session(site: EmulatorSite, tab: Page) -> None:
    session = site.a_session()
    tab.goto(session["url"])
    fill_in(tab, "4000000000000002")
    tab.get_by_role("button", name=PAY).click()
    expect(tab.get_by_role("alert")).to_have_text("Your card was declined.")

    tab.get_by_label("Card number").fill("4242424242424242")
    tab.get_by_role("button", name=PAY).click()

    tab.wait_for_url(f"{site.shop.address}/**")
    assert sorted(charge["status"] for charge in site.charges(session)) == ["failed", "succeeded"]


def test_wrong_fields_are_marked_before_anything_is_sent(site: EmulatorSite, tab: Page) -> None:
    session = site.a_session()
    tab.goto(session["url"])
    fill_in(tab, "4242424242424241", "01 / 20", "1")

    tab.get_by_role("button", name=PAY).click()

    expect(tab.get_by_label("Card number")).to_be_focused()
    for label, words in {
        "Card number": "Your card number is incorrect.",
        "Expiry": "in the past",
        "CVC": "3 digits",
    }.items():
        expect(tab.get_by_label(label)).to_have_attribute("aria-invalid", "true")
        expect(tab.get_by_label(label)).to_have_accessible_description(re.compile(words))
    assert site.charges(session) == []


def test_a_message_that_appears_does_not_push_the_button_from_under_the_pointer(
    site: EmulatorSite, tab: Page
) -> None:
    tab.goto(site.a_session()["url"])
    tab.get_by_label("Card number").fill("4242424242424242")
    tab.get_by_label("Expiry").fill("01 / 20")

    tab.get_by_role("button", name=PAY).click()

    expect(tab.get_by_label("Expiry")).to_be_focused()
    expect(tab.get_by_label("CVC")).to_have_attribute("aria-invalid", "true")


def test_a_test_card_is_filled_in_by_its_button(site: EmulatorSite, tab: Page) -> None:
    tab.goto(site.a_session()["url"])

    tab.get_by_role("button", name="Fill in: American Express, succeeds").click()

    expect(tab.get_by_label("Card number")).to_have_value("3782 822463 10005")
    expect(tab.get_by_label("CVC")).to_have_value("1234")
    expect(tab.get_by_role("button", name=PAY)).to_be_focused()


@pytest.mark.parametrize("number", ["4000002760003184", "4000002500003155"])
def test_3d_secure_is_shown_and_completed(site: EmulatorSite, tab: Page, number: str) -> None:
    session = site.a_session()
    tab.goto(session["url"])
    fill_in(tab, number)
    tab.get_by_role("button", name=PAY).click()
    expect(tab.get_by_role("heading", name="Your bank asks")).to_be_visible()
    assert site.session(session)["payment_status"] == "unpaid"

    tab.get_by_role("button", name="Complete authentication").click()

    tab.wait_for_url(f"{site.shop.address}/**")
    assert site.session(session)["payment_status"] == "paid"


@pytest.mark.parametrize(
    ("number", "answer", "words"),
    [
        ("4000002760003184", "Fail authentication", "authenticate"),
        ("4000008400001629", "Complete authentication", "Your card was declined."),
    ],
)
def test_a_failed_3d_secure_challenge_returns_to_the_form(
    site: EmulatorSite, tab: Page, number: str, answer: str, words: str
) -> None:
    session = site.a_session()
    tab.goto(session["url"])
    fill_in(tab, number)
    tab.get_by_role("button", name=PAY).click()

    tab.get_by_role("button", name=answer).click()

    expect(tab.get_by_role("alert")).to_contain_text(words)
    expect(tab.get_by_role("button", name=PAY)).to_be_visible()
    assert site.session(session)["status"] == "open"


def test_a_bank_debit_completes_the_session_without_paying_it(
    site: EmulatorSite, tab: Page
) -> None:
    session = site.a_session()
    tab.goto(session["url"])
    tab.get_by_role("radio", name="Bank debit").check()
    expect(tab.get_by_label("Card number")).to_be_hidden()

    tab.get_by_role("button", name=PAY).click()

    tab.wait_for_url(f"{site.shop.address}/**")
    now = site.session(session)
    assert (now["status"], now["payment_status"]) == ("complete", "unpaid")


def test_a_presenter_pays_and_stays(site: EmulatorSite, tab: Page) -> None:
    session = site.a_session()
    tab.goto(session["url"])
    fill_in(tab, "4242424242424242")

    tab.get_by_role("button", name="Pay, but do not come back").click()

    expect(tab.get_by_role("heading", name="the browser stays here")).to_be_visible()
    assert tab.url.startswith(site.address)
    assert site.session(session)["payment_status"] == "paid"


def test_a_session_is_let_expire_and_says_so(site: EmulatorSite, tab: Page) -> None:
    session = site.a_session()
    tab.goto(session["url"])

    tab.get_by_role("button", name="Let it expire").click()

    expect(tab.get_by_role("heading", name="has expired")).to_be_visible()
    back = tab.get_by_role("link", name="Back to the shop")
    expect(back).to_have_attribute("href", f"{site.shop.address}/cart")
    assert site.session(session)["status"] == "expired"


def test_a_double_click_pays_once(site: EmulatorSite, tab: Page) -> None:
    session = site.a_session()
    tab.goto(session["url"])
    fill_in(tab, "4242424242424242")

    tab.get_by_role("button", name=PAY).dblclick()

    tab.wait_for_url(f"{site.shop.address}/**")
    assert len(site.charges(session)) == 1


def test_an_impatient_buyer_sees_that_it_is_on_its_way_and_sends_it_once(
    site: EmulatorSite, tab: Page, shop_is_slow: None
) -> None:
    tab.goto(site.a_session()["url"])
    fill_in(tab, "4242424242424242")
    sent: list[str] = []
    said: list[str] = []
    tab.on("request", lambda request: sent.append(request.method))
    tab.on("console", lambda line: said.append(line.text))

    # Done and seen by the page itself: Playwright's own calls wait until the next page is there.
    tab.evaluate(
        """() => {
            setTimeout(() => pay.click(), 1);
            setTimeout(() => { console.log(pay.textContent); pay.click(); }, 300);
        }"""
    )

    tab.wait_for_url(f"{site.shop.address}/**")
    assert said == ["Processing…"]
    assert sent.count("POST") == 1


def test_a_second_tab_pays_nothing_and_goes_to_the_shop_too(
    site: EmulatorSite, tab: Page, chromium: Browser
) -> None:
    session = site.a_session()
    with chromium.new_context(locale="en-US") as other:
        stale = other.new_page()
        stale.goto(session["url"])
        fill_in(stale, "5555555555554444")
        site.pay(session)

        stale.get_by_role("button", name=PAY).click()

        stale.wait_for_url(f"{site.shop.address}/**")
    assert [
        charge["payment_method_details"]["card"]["last4"] for charge in site.charges(session)
    ] == ["4242"]


def test_the_back_link_changes_nothing(site: EmulatorSite, tab: Page) -> None:
    session = site.a_session()
    tab.goto(session["url"])

    tab.get_by_role("link", name="Back to the shop").click()

    tab.wait_for_url(f"{site.shop.address}/cart")
    assert site.session(session)["status"] == "open"


def test_a_paid_session_that_is_opened_again_explains_itself(site: EmulatorSite, tab: Page) -> None:
    session = site.a_session()
    site.pay(session)

    tab.goto(session["url"])

    expect(tab.get_by_role("heading", name="This was paid: $39.98")).to_be_visible()
    tab.get_by_role("link", name="Back to the shop").click()
    tab.wait_for_url(f"{site.shop.address}/order?session_id={session['id']}")


def test_everything_works_without_javascript(site: EmulatorSite, chromium: Browser) -> None:
    session = site.a_session()
    with chromium.new_context(java_script_enabled=False, locale="en-US") as context:
        tab = context.new_page()
        tab.goto(session["url"])
        fill_in(tab, "4242424242424241")
        tab.get_by_role("button", name=PAY).click()
        expect(tab.get_by_label("Card number")).to_have_attribute("aria-invalid", "true")
        fill_in(tab, "4000000000000002")
        tab.get_by_role("button", name=PAY).click()
        expect(tab.get_by_role("alert")).to_have_text("Your card was declined.")
        tab.get_by_label("Card number").fill("4242424242424242")

        tab.get_by_role("button", name=PAY).click()

        tab.wait_for_url(f"{site.shop.address}/**")
    assert site.session(session)["payment_status"] == "paid"

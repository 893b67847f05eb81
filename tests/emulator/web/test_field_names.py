"""The pay page has the ids and names that browser suites use on Stripe's hosted page."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from stripe_emulator.web.checkout_view import FIELD_NAMES
from tests.emulator.web.conftest import EmulatorSite
from tests.emulator.web.test_collected_fields import ANSWERS, ASKING

CARD = {
    "email": "a@example.com",
    "cardNumber": "4242424242424242",
    "cardExpiry": "12/34",
    "cardCvc": "123",
    "billingName": "Ada Buyer",
}
PLACE = {"billingCountry": "GB", "billingPostalCode": "LN1 7FH"}


def test_a_form_with_the_names_of_stripes_page_pays(site: EmulatorSite) -> None:
    session = site.a_session()

    answer = site.client.post(f"/c/pay/{session['id']}", data=CARD | PLACE)

    assert answer.status_code == 303
    details = site.session(session)["customer_details"]
    (charge,) = site.charges(session)
    address = dict.fromkeys(("city", "line1", "line2", "state"))
    assert details["name"] == charge["billing_details"]["name"] == "Ada Buyer"
    assert details["address"] == address | {"country": "GB", "postal_code": "LN1 7FH"}
    assert charge["billing_details"]["address"] == details["address"]


def test_country_and_postal_code_may_be_left_empty(site: EmulatorSite) -> None:
    session = site.a_session()

    site.client.post(f"/c/pay/{session['id']}", data=CARD | dict.fromkeys(PLACE, ""))

    assert site.session(session)["status"] == "complete"
    assert site.session(session)["customer_details"]["address"] is None


@pytest.mark.parametrize(("name", "value"), [("billingCountry", "XX"), ("cardNumber", "42")])
def test_a_wrong_value_is_refused_beside_its_field(
    site: EmulatorSite, name: str, value: str
) -> None:
    session = site.a_session()

    page = site.client.post(f"/c/pay/{session['id']}", data=CARD | {name: value})

    marked = page.text.partition(f'id="{name}"')[2].partition(">")[0]
    assert page.status_code == 422
    assert 'aria-invalid="true"' in marked
    assert site.charges(session) == []


def test_every_answer_can_be_given_by_the_names_of_stripes_page(site: EmulatorSite) -> None:
    session = site.a_session(**ASKING)
    answers = {FIELD_NAMES.get(name, name): answer for name, answer in ANSWERS.items()}

    answer = site.client.post(f"/c/pay/{session['id']}", data=CARD | answers)

    assert answer.status_code == 303
    after = site.session(session)
    assert after["customer_details"]["address"]["line1"] == ANSWERS["billing_line1"]
    assert after["collected_information"]["shipping_details"]["name"] == ANSWERS["shipping_name"]
    assert after["customer_details"]["phone"] == ANSWERS["phone"]


@pytest.mark.browser
@pytest.mark.parametrize("by", ["#{}", "[name={}]"])
def test_a_suite_written_for_stripes_page_pays_here(site: EmulatorSite, tab: Page, by: str) -> None:
    session = site.a_session()
    tab.goto(session["url"])

    for name, value in CARD.items():
        tab.fill(by.format(name), value)
    tab.select_option(by.format("billingCountry"), "GB")
    tab.fill(by.format("billingPostalCode"), "LN1 7FH")
    tab.click(".SubmitButton")

    tab.wait_for_url(f"{site.shop.address}/**")
    assert site.session(session)["customer_details"]["address"]["postal_code"] == "LN1 7FH"


@pytest.mark.browser
def test_addresses_have_the_names_of_stripes_page(site: EmulatorSite, tab: Page) -> None:
    asking: dict[str, Any] = ASKING
    tab.goto(site.a_session(**asking)["url"])

    for prefix in ("billing", "shipping"):
        for name in ("AddressLine1", "Locality", "PostalCode", "AdministrativeArea"):
            expect(tab.locator(f"input#{prefix}{name}")).to_be_visible()
        expect(tab.locator(f"select#{prefix}Country")).to_be_visible()
    expect(tab.locator("#phoneNumber")).to_be_visible()
    expect(tab.locator("#billingCountry")).to_have_count(1)

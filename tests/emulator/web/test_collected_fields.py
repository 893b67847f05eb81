"""The fields besides the card that a session may collect, and where their values appear."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.emulator.web.conftest import EmulatorSite

FIELD, SIZE = "custom_fields[0]", "custom_fields[1]"
ASKING: dict[str, Any] = {
    "phone_number_collection[enabled]": "true",
    "billing_address_collection": "required",
    "shipping_address_collection[allowed_countries][0]": "DE",
    "shipping_address_collection[allowed_countries][1]": "FR",
    "name_collection[individual][enabled]": "true",
    "name_collection[business][enabled]": "true",
    "name_collection[business][optional]": "true",
    "consent_collection[terms_of_service]": "required",
    "consent_collection[promotions]": "auto",
    "custom_text[submit][message]": "We print your shirt today.",
    "custom_text[terms_of_service_acceptance][message]": "I take the terms",
    f"{FIELD}[key]": "engraving",
    f"{FIELD}[label][type]": "custom",
    f"{FIELD}[label][custom]": "Engraving",
    f"{FIELD}[type]": "text",
    f"{FIELD}[text][maximum_length]": "10",
    f"{SIZE}[key]": "size",
    f"{SIZE}[label][type]": "custom",
    f"{SIZE}[label][custom]": "Size",
    f"{SIZE}[type]": "dropdown",
    f"{SIZE}[dropdown][options][0][label]": "Large",
    f"{SIZE}[dropdown][options][0][value]": "large",
}
CARD = {"number": "4242424242424242", "expiry": "12/34", "cvc": "123", "email": "a@example.com"}
HOME = {"line1": "1 Main St", "city": "Berlin", "country": "DE", "postal_code": "10115"}
ANSWERS = {
    "phone": "+49 30 123456",
    "individual_name": "Ada Buyer",
    **{f"billing_{name}": text for name, text in HOME.items()},
    **{f"shipping_{name}": text for name, text in HOME.items()},
    "shipping_name": "Ada",
    "custom_engraving": "For Bob",
    "custom_size": "large",
    "terms": "yes",
}


def test_answers_are_on_the_session_the_payment_and_the_charge(site: EmulatorSite) -> None:
    session = site.a_session(**ASKING)

    site.pay(session, **ANSWERS)

    after, address = site.session(session), HOME | {"line2": None, "state": None}
    (charge,) = site.charges(session)
    assert after["customer_details"]["address"] == address
    assert after["customer_details"]["phone"] == "+49 30 123456"
    assert after["collected_information"] == {
        "business_name": None,
        "individual_name": "Ada Buyer",
        "shipping_details": {"address": address, "name": "Ada"},
    }
    assert after["consent"] == {"promotions": "opt_out", "terms_of_service": "accepted"}
    assert [field["text"] and field["text"]["value"] for field in after["custom_fields"]] == [
        "For Bob",
        None,
    ]
    assert after["custom_fields"][1]["dropdown"]["value"] == "large"
    assert charge["shipping"]["address"] == charge["billing_details"]["address"] == address
    assert charge["shipping"]["phone"] == charge["billing_details"]["phone"] == "+49 30 123456"


def test_answers_survive_a_question_of_the_bank(site: EmulatorSite) -> None:
    session = site.a_session(**ASKING)
    form = CARD | ANSWERS | {"number": "4000002760003184"}
    asked = site.client.post(f"/c/pay/{session['id']}", data=form)

    site.client.post(asked.headers["location"], data={"answer": "complete"})

    assert site.session(session)["customer_details"]["phone"] == "+49 30 123456"


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("phone", "123", "incomplete"),
        ("individual_name", "", "required"),
        ("shipping_country", "US", "Choose one"),
        ("billing_line1", " ", "required"),
        ("custom_engraving", "longer than ten", "0 to 10"),
        ("custom_size", "small", "Choose one"),
        ("terms", "", "Tick this box"),
    ],
)
def test_an_invalid_field_is_reported_and_no_payment_attempted(
    site: EmulatorSite, name: str, answer: str, words: str
) -> None:
    session = site.a_session(**ASKING)

    page = site.client.post(f"/c/pay/{session['id']}", data=CARD | ANSWERS | {name: answer})

    assert page.status_code == 422
    said = page.text.partition(f'id="{name}-error">')[2].partition("<")[0]
    assert words in said
    assert site.session(session)["payment_intent"] is None


def test_a_buyer_fills_in_the_collected_fields(site: EmulatorSite, tab: Page) -> None:
    session = site.a_session(**ASKING)
    tab.goto(session["url"])
    tab.get_by_role("button", name="Use 4242 test card").click()
    tab.get_by_role("button", name="Pay $39.98", exact=True).click()
    expect(tab.get_by_label("Phone")).to_be_focused()
    expect(tab.get_by_text("We print your shirt today.")).to_be_visible()

    tab.get_by_label("Phone").fill("+49 30 123456")
    tab.get_by_label("Full name").fill("Ada Buyer")
    for group in ("Billing address", "Shipping address"):
        address = tab.get_by_role("group", name=group)
        address.get_by_label("Address", exact=True).fill("1 Main St")
        address.get_by_label("City").fill("Berlin")
        address.get_by_label("Country").select_option("Germany")
    tab.get_by_label("Name", exact=True).fill("Ada")
    tab.get_by_label("Engraving").fill("For Bob")
    tab.get_by_label("Size").select_option("Large")
    tab.get_by_label("I take the terms").check()
    tab.get_by_role("button", name="Pay $39.98", exact=True).click()

    tab.wait_for_url(f"{site.shop.address}/**")
    assert site.session(session)["customer_details"]["address"]["city"] == "Berlin"


def test_a_session_that_costs_nothing_asks_for_no_card(site: EmulatorSite, tab: Page) -> None:
    session = site.a_session(amount=0)
    tab.goto(session["url"])
    expect(tab.get_by_label("Card number")).to_have_count(0)

    tab.get_by_role("button", name="Confirm", exact=True).click()

    tab.wait_for_url(f"{site.shop.address}/**")
    after = site.session(session)
    assert (after["status"], after["payment_status"]) == ("complete", "no_payment_required")
    assert after["payment_intent"] is None


def test_a_session_with_a_price_cannot_be_confirmed_without_paying(site: EmulatorSite) -> None:
    session = site.a_session()

    page = site.client.post(f"/c/pay/{session['id']}", data={"email": "a@example.com"})

    assert page.status_code == 422
    assert site.session(session)["status"] == "open"


def test_a_receipt_opens_from_the_shop_and_shows_a_refund(site: EmulatorSite) -> None:
    session = site.a_session()
    payment = site.pay(session)
    site.api("POST", "/v1/refunds", payment_intent=payment, amount=500)
    (charge,) = site.charges(session)

    page = site.client.get(charge["receipt_url"], headers={"Sec-Fetch-Site": "same-site"})

    assert page.status_code == 200
    assert "Receipt for $39.98" in page.text
    assert "$5.00" in page.text
    assert "$34.98" in page.text
    assert "unsafe" not in page.headers["content-security-policy"]

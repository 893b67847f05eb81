"""The dashboard shows what happened and does what its buttons say."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.emulator.web.conftest import EmulatorSite
from tests.support.waiting import wait_until


def read(site: EmulatorSite, path: str) -> str:
    answer = site.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def press(site: EmulatorSite, path: str, **form: str) -> httpx.Response:
    return site.client.post(path, data=form)


def newest_event(site: EmulatorSite, event_type: str) -> str:
    found = site.api("GET", f"/v1/events?type={event_type}&limit=1")["data"]
    event: str = found[0]["id"]
    return event


def test_every_list_shows_what_happened(site: EmulatorSite) -> None:
    session = site.a_session(client_reference_id="ORDER-77")
    payment = site.pay(session)
    press(site, f"/payments/{payment}/refund")
    disputed = site.pay(site.a_session())
    press(site, f"/payments/{disputed}/dispute")

    assert payment in read(site, "/")
    assert "ORDER-77" in read(site, "/sessions")
    assert payment in read(site, "/refunds")
    assert disputed in read(site, "/disputes")
    assert "checkout.session.completed" in read(site, "/events")
    assert f"{site.shop.address}/webhooks" in read(site, "/deliveries")
    assert "POST /v1/checkout/sessions" in read(site, "/requests")


def test_long_lists_lead_on_to_what_is_older(site: EmulatorSite) -> None:
    sessions = [site.a_session()["id"] for _ in range(21)]
    first = read(site, "/sessions")

    second = read(site, f"/sessions?after={sessions[1]}")

    assert f"/sessions?after={sessions[1]}" in first
    assert sessions[0] not in first
    assert sessions[0] in second


def test_a_payment_has_a_timeline_of_events_and_deliveries(site: EmulatorSite) -> None:
    payment = site.pay(site.a_session())

    text = read(site, f"/payments/{payment}")

    assert "Visa •••• 4242" in text
    wait_until(lambda: "checkout.session.completed" in read(site, f"/payments/{payment}"))
    assert "4242424242424242" not in text


def test_a_payment_and_its_session_lead_back_to_the_page_of_the_order(site: EmulatorSite) -> None:
    session = site.a_session()
    payment = site.pay(session)
    order_page = f'href="{site.shop.address}/order?session_id={session["id"]}"'

    assert order_page in read(site, f"/payments/{payment}")
    assert order_page in read(site, f"/sessions/{session['id']}")


def test_a_payment_is_paid_back_in_parts_until_nothing_is_left(site: EmulatorSite) -> None:
    payment = site.pay(site.a_session())
    page = f"/payments/{payment}"

    part = press(site, f"{page}/refund", amount="10.50", reason="duplicate")
    partly = read(site, page)
    rest = press(site, f"{page}/refund", amount="29.48")

    assert (part.status_code, rest.status_code) == (303, 303)
    assert "partially refunded" in partly
    assert 'value="29.48"' in partly
    assert [
        refund["amount"]
        for refund in site.api("GET", f"/v1/refunds?payment_intent={payment}")["data"]
    ] == [2948, 1050]
    assert f"{page}/refund" not in read(site, page)


@pytest.mark.parametrize("amount", ["39.99", "0", "-1", "1.005", "ten", "1e3", "NaN"])
def test_an_invalid_refund_is_refused_with_the_reason(site: EmulatorSite, amount: str) -> None:
    payment = site.pay(site.a_session())

    answer = press(site, f"/payments/{payment}/refund", amount=amount)

    assert answer.status_code == 400
    assert "That was refused" in answer.text
    assert site.api("GET", f"/v1/refunds?payment_intent={payment}")["data"] == []


@pytest.mark.parametrize(("outcome", "status"), [("won", "won"), ("lost", "lost")])
def test_a_dispute_is_opened_and_decided(site: EmulatorSite, outcome: str, status: str) -> None:
    payment = site.pay(site.a_session())

    press(site, f"/payments/{payment}/dispute", reason="product_not_received")
    (dispute,) = site.api("GET", f"/v1/disputes?payment_intent={payment}")["data"]
    press(site, f"/disputes/{dispute['id']}/close", outcome=outcome)

    assert dispute["reason"] == "product_not_received"
    assert site.api("GET", f"/v1/disputes/{dispute['id']}")["status"] == status
    assert "The shop wins" not in read(site, f"/disputes/{dispute['id']}")


@pytest.mark.parametrize(("outcome", "paid"), [("succeeds", "paid"), ("fails", "unpaid")])
def test_a_bank_debit_is_decided_from_its_page(site: EmulatorSite, outcome: str, paid: str) -> None:
    session = site.a_session()
    payment = site.pay(session, method="bank")
    assert "Let it fail" in read(site, f"/payments/{payment}")

    press(site, f"/payments/{payment}/settle", outcome=outcome)

    assert site.session(session)["payment_status"] == paid
    assert "Let it fail" not in read(site, f"/payments/{payment}")


def test_a_session_expires_from_its_page_once(site: EmulatorSite) -> None:
    session = site.a_session()

    answers = [press(site, f"/sessions/{session['id']}/expire").status_code for _ in range(2)]

    assert answers == [303, 400]
    assert site.session(session)["status"] == "expired"


def test_an_event_shows_every_attempt_with_its_answer(
    site: EmulatorSite, shop_is_down: None
) -> None:
    site.pay(site.a_session())
    event = newest_event(site, "checkout.session.completed")

    wait_until(lambda: "Attempt 1" in read(site, f"/events/{event}"))
    text = read(site, f"/events/{event}")
    assert "500" in text
    assert "received" in text
    assert "Next attempt" in text
    assert "v1=" in text


def test_an_event_is_sent_again_under_its_own_id(site: EmulatorSite) -> None:
    site.pay(site.a_session())
    event = newest_event(site, "checkout.session.completed")
    wait_until(lambda: read(site, f"/events/{event}").count("Attempt 1") == 1)

    press(site, f"/events/{event}/resend")

    def attempts() -> int:
        return read(site, f"/events/{event}").count("<summary>\n        <span")

    wait_until(lambda: attempts() == 2)


def test_a_request_shows_its_parameters_and_answer_but_no_key(site: EmulatorSite) -> None:
    site.a_session(client_reference_id="seen-in-the-log")
    text = read(site, "/requests")
    address = text.split('href="/requests/')[1].split('"')[0]

    page = read(site, f"/requests/{address}")

    assert "seen-in-the-log" in page
    assert "sk_test_pages" not in page


def test_a_fault_is_armed_shown_on_every_page_and_cleared(site: EmulatorSite) -> None:
    form = {"target": "request", "kind": "error_before", "times": "3", "match": "POST /v1/nowhere"}

    armed = press(site, "/trouble", **form)
    shown, elsewhere = read(site, "/trouble"), read(site, "/")
    press(site, "/trouble/calm")

    assert armed.status_code == 303
    assert "next 3 requests" in shown
    assert "3 armed" in elsewhere
    assert "No faults are armed" in read(site, "/trouble")


def test_an_armed_fault_happens_as_often_as_chosen(site: EmulatorSite) -> None:
    press(site, "/trouble", target="request", kind="rate_limit", match="GET /v1/balance")
    key = {"Authorization": "Bearer sk_test_pages"}

    answers = [site.client.get("/v1/balance", headers=key).status_code for _ in range(2)]

    assert answers == [429, 200]


def test_each_fault_has_its_own_value_and_a_description(site: EmulatorSite) -> None:
    """The values of all kinds are sent; the chosen kind's counts, and an empty one its default."""
    values = {"value-slow": "250", "value-hang": "9", "value-amount": "", "value-duplicate": "5"}

    press(site, "/trouble", target="request", kind="slow", **values)
    press(site, "/trouble", target="delivery", kind="duplicate", match="", **values)
    press(site, "/trouble", target="delivery", kind="amount", **values)
    refused = press(site, "/trouble", target="request", kind="slow", **{"value-slow": "soon"})

    armed = site.client.get("/emulator/troubles").json()
    assert [(one["kind"], one["value"]) for one in armed] == [
        *(("slow", "250"), ("duplicate", "5"), ("amount", "")),
    ]
    page = read(site, "/trouble")
    press(site, "/trouble/calm")
    for sentence in (
        "Answer 250 milliseconds late",
        "Deliver it 5 times in all",
        "Say another amount, correctly signed: one more",
    ):
        assert f"<strong>{sentence}</strong>" in page
    assert refused.status_code == 400
    assert 'name="match" value="checkout.session.*"' in page  # what a shop acts on


@pytest.mark.parametrize(
    "wrong", [{"kind": "nonsense"}, {"times": "0"}, {"times": "x"}, {"seed": "-1"}]
)
def test_an_invalid_fault_is_refused(site: EmulatorSite, wrong: dict[str, str]) -> None:
    form = {"target": "request", "kind": "slow", "times": "1"} | wrong

    answer = press(site, "/trouble", **form)

    assert answer.status_code == 400
    assert "No faults are armed" in read(site, "/trouble")


def test_the_account_is_not_reset_without_the_checkbox(site: EmulatorSite) -> None:
    session = site.a_session()

    assert press(site, "/trouble/reset").status_code == 400
    assert site.session(session)["status"] == "open"


def test_the_clock_is_moved_and_the_account_reset_from_the_page(site: EmulatorSite) -> None:
    session = site.a_session()
    site.pay(session, method="bank")

    press(site, "/trouble/clock", seconds="600")
    settled, ahead = site.session(session)["payment_status"], read(site, "/trouble")
    press(site, "/trouble/reset", sure="yes")

    assert settled == "paid"
    assert "0:10:00 ahead" in ahead
    assert "Point a Stripe SDK at this address" in read(site, "/")
    assert "ahead of this machine" not in read(site, "/trouble")


@pytest.mark.parametrize(
    "path", ["payments", "sessions", "refunds", "disputes", "events", "requests"]
)
def test_an_unknown_page_of_the_dashboard_says_not_found(site: EmulatorSite, path: str) -> None:
    answer = site.client.get(f"/{path}/nothing")

    assert answer.status_code == 404
    assert "no such thing" in answer.text


def test_a_list_after_an_unknown_id_is_not_found(site: EmulatorSite) -> None:
    answer = site.client.get("/sessions?after=cs_test_nothing")

    assert answer.status_code == 404
    assert "no such thing" in answer.text


@pytest.mark.browser
def test_a_list_updates_itself_without_reloading(site: EmulatorSite, tab: Page) -> None:
    tab.goto(site.address)
    tab.evaluate("window.stillTheSamePage = true")

    payment = site.pay(site.a_session())

    expect(tab.get_by_role("link", name=payment)).to_be_visible()
    assert tab.evaluate("window.stillTheSamePage") is True


@pytest.mark.browser
def test_an_update_keeps_text_that_is_being_typed(site: EmulatorSite, tab: Page) -> None:
    payment = site.pay(site.a_session())
    tab.goto(f"{site.address}/payments/{payment}")
    tab.get_by_label("Amount").fill("12.34")

    press(site, f"/payments/{payment}/refund", amount="1")

    expect(tab.get_by_text("partially refunded")).to_be_visible()
    expect(tab.get_by_label("Amount")).to_have_value("12.34")


@pytest.mark.browser
def test_a_refund_is_given_from_the_page(site: EmulatorSite, tab: Page) -> None:
    payment = site.pay(site.a_session())
    tab.goto(f"{site.address}/payments/{payment}")

    tab.get_by_role("button", name="Refund", exact=True).click()

    expect(tab.locator(".status", has_text="refunded")).to_be_visible()
    assert len(site.api("GET", f"/v1/refunds?payment_intent={payment}")["data"]) == 1


def test_a_wrong_address_is_a_page_for_browsers_and_json_for_programs(site: EmulatorSite) -> None:
    page = site.client.get("/nowhere", headers={"accept": "text/html"})
    program = site.client.get("/nowhere", headers={"accept": "application/json"})

    assert (page.status_code, program.status_code) == (404, 404)
    assert "There is no such thing here" in page.text
    assert program.json() == {"detail": "Not Found"}


def test_a_disputed_payment_names_the_page_where_the_dispute_is_decided(site: EmulatorSite) -> None:
    payment = site.pay(site.a_session())
    press(site, f"/payments/{payment}/dispute", reason="fraudulent")
    (dispute,) = site.api("GET", f"/v1/disputes?payment_intent={payment}")["data"]

    undecided = read(site, f"/payments/{payment}")
    press(site, f"/disputes/{dispute['id']}/close", outcome="lost")

    assert f'href="/disputes/{dispute["id"]}">decide it on its page' in undecided


def test_a_payments_timeline_folds_the_requests_that_only_ask(site: EmulatorSite) -> None:
    session = site.a_session()
    payment = site.pay(session)
    for _ in range(5):
        site.session(session)

    text = read(site, f"/payments/{payment}")

    assert re.search(r"\d+ status checks", text)
    assert text.count('<li class="moment request">') <= 3


def test_every_page_leads_back_to_the_shop_of_the_newest_session(site: EmulatorSite) -> None:
    site.a_session()

    assert f'href="{site.shop.address}/"' in read(site, "/")

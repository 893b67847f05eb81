"""The dashboard shows what happened and does what its buttons say."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.emulator.web.conftest import Till
from tests.support.waiting import wait_until


def read(till: Till, path: str) -> str:
    answer = till.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def press(till: Till, path: str, **form: str) -> httpx.Response:
    return till.client.post(path, data=form)


def newest_event(till: Till, event_type: str) -> str:
    found = till.api("GET", f"/v1/events?type={event_type}&limit=1")["data"]
    event: str = found[0]["id"]
    return event


def test_every_list_shows_what_happened(till: Till) -> None:
    session = till.a_session(client_reference_id="ORDER-77")
    payment = till.pay(session)
    press(till, f"/payments/{payment}/refund")
    disputed = till.pay(till.a_session())
    press(till, f"/payments/{disputed}/dispute")

    assert payment in read(till, "/")
    assert "ORDER-77" in read(till, "/sessions")
    assert payment in read(till, "/refunds")
    assert disputed in read(till, "/disputes")
    assert "checkout.session.completed" in read(till, "/events")
    assert f"{till.shop.address}/webhooks" in read(till, "/deliveries")
    assert "POST /v1/checkout/sessions" in read(till, "/requests")


def test_long_lists_lead_on_to_what_is_older(till: Till) -> None:
    sessions = [till.a_session()["id"] for _ in range(21)]
    first = read(till, "/sessions")

    second = read(till, f"/sessions?after={sessions[1]}")

    assert f"/sessions?after={sessions[1]}" in first
    assert sessions[0] not in first
    assert sessions[0] in second


def test_a_payment_has_a_timeline_of_events_and_deliveries(till: Till) -> None:
    payment = till.pay(till.a_session())

    text = read(till, f"/payments/{payment}")

    assert "Visa •••• 4242" in text
    wait_until(lambda: "checkout.session.completed" in read(till, f"/payments/{payment}"))
    assert "4242424242424242" not in text


def test_a_payment_and_its_session_lead_back_to_the_page_of_the_order(till: Till) -> None:
    session = till.a_session()
    payment = till.pay(session)
    order_page = f'href="{till.shop.address}/order?session_id={session["id"]}"'

    assert order_page in read(till, f"/payments/{payment}")
    assert order_page in read(till, f"/sessions/{session['id']}")


def test_a_payment_is_paid_back_in_parts_until_nothing_is_left(till: Till) -> None:
    payment = till.pay(till.a_session())
    page = f"/payments/{payment}"

    part = press(till, f"{page}/refund", amount="10.50", reason="duplicate")
    partly = read(till, page)
    rest = press(till, f"{page}/refund", amount="29.48")

    assert (part.status_code, rest.status_code) == (303, 303)
    assert "partially refunded" in partly
    assert 'value="29.48"' in partly
    assert [
        refund["amount"]
        for refund in till.api("GET", f"/v1/refunds?payment_intent={payment}")["data"]
    ] == [2948, 1050]
    assert f"{page}/refund" not in read(till, page)


@pytest.mark.parametrize("amount", ["39.99", "0", "-1", "1.005", "ten", "1e3", "NaN"])
def test_an_invalid_refund_is_refused_with_the_reason(till: Till, amount: str) -> None:
    payment = till.pay(till.a_session())

    answer = press(till, f"/payments/{payment}/refund", amount=amount)

    assert answer.status_code == 400
    assert "That was refused" in answer.text
    assert till.api("GET", f"/v1/refunds?payment_intent={payment}")["data"] == []


@pytest.mark.parametrize(("outcome", "status"), [("won", "won"), ("lost", "lost")])
def test_a_dispute_is_opened_and_decided(till: Till, outcome: str, status: str) -> None:
    payment = till.pay(till.a_session())

    press(till, f"/payments/{payment}/dispute", reason="product_not_received")
    (dispute,) = till.api("GET", f"/v1/disputes?payment_intent={payment}")["data"]
    press(till, f"/disputes/{dispute['id']}/close", outcome=outcome)

    assert dispute["reason"] == "product_not_received"
    assert till.api("GET", f"/v1/disputes/{dispute['id']}")["status"] == status
    assert "The shop wins" not in read(till, f"/disputes/{dispute['id']}")


@pytest.mark.parametrize(("outcome", "paid"), [("succeeds", "paid"), ("fails", "unpaid")])
def test_a_bank_debit_is_decided_from_its_page(till: Till, outcome: str, paid: str) -> None:
    session = till.a_session()
    payment = till.pay(session, method="bank")
    assert "Let it fail" in read(till, f"/payments/{payment}")

    press(till, f"/payments/{payment}/settle", outcome=outcome)

    assert till.session(session)["payment_status"] == paid
    assert "Let it fail" not in read(till, f"/payments/{payment}")


def test_a_session_expires_from_its_page_once(till: Till) -> None:
    session = till.a_session()

    answers = [press(till, f"/sessions/{session['id']}/expire").status_code for _ in range(2)]

    assert answers == [303, 400]
    assert till.session(session)["status"] == "expired"


def test_an_event_shows_every_attempt_with_its_answer(till: Till, shop_is_down: None) -> None:
    till.pay(till.a_session())
    event = newest_event(till, "checkout.session.completed")

    wait_until(lambda: "Attempt 1" in read(till, f"/events/{event}"))
    text = read(till, f"/events/{event}")
    assert "500" in text
    assert "received" in text
    assert "Next attempt" in text
    assert "v1=" in text


def test_an_event_is_sent_again_under_its_own_id(till: Till) -> None:
    till.pay(till.a_session())
    event = newest_event(till, "checkout.session.completed")
    wait_until(lambda: read(till, f"/events/{event}").count("Attempt 1") == 1)

    press(till, f"/events/{event}/resend")

    def attempts() -> int:
        return read(till, f"/events/{event}").count("<summary>\n        <span")

    wait_until(lambda: attempts() == 2)


def test_a_request_shows_its_parameters_and_answer_but_no_key(till: Till) -> None:
    till.a_session(client_reference_id="seen-in-the-log")
    text = read(till, "/requests")
    address = text.split('href="/requests/')[1].split('"')[0]

    page = read(till, f"/requests/{address}")

    assert "seen-in-the-log" in page
    assert "sk_test_pages" not in page


def test_a_fault_is_armed_shown_on_every_page_and_cleared(till: Till) -> None:
    form = {"target": "request", "kind": "error_before", "times": "3", "match": "POST /v1/nowhere"}

    armed = press(till, "/trouble", **form)
    shown, elsewhere = read(till, "/trouble"), read(till, "/")
    press(till, "/trouble/calm")

    assert armed.status_code == 303
    assert "next 3 requests" in shown
    assert "3 armed" in elsewhere
    assert "No faults are armed" in read(till, "/trouble")


def test_an_armed_fault_happens_as_often_as_chosen(till: Till) -> None:
    press(till, "/trouble", target="request", kind="rate_limit", match="GET /v1/balance")
    key = {"Authorization": "Bearer sk_test_pages"}

    answers = [till.client.get("/v1/balance", headers=key).status_code for _ in range(2)]

    assert answers == [429, 200]


def test_each_fault_has_its_own_value_and_a_description(till: Till) -> None:
    """The values of all kinds are sent; the chosen kind's counts, and an empty one its default."""
    values = {"value-slow": "250", "value-hang": "9", "value-amount": "", "value-duplicate": "5"}

    press(till, "/trouble", target="request", kind="slow", **values)
    press(till, "/trouble", target="delivery", kind="duplicate", match="", **values)
    press(till, "/trouble", target="delivery", kind="amount", **values)
    refused = press(till, "/trouble", target="request", kind="slow", **{"value-slow": "soon"})

    armed = till.client.get("/emulator/troubles").json()
    assert [(one["kind"], one["value"]) for one in armed] == [
        *(("slow", "250"), ("duplicate", "5"), ("amount", "")),
    ]
    page = read(till, "/trouble")
    press(till, "/trouble/calm")
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
def test_an_invalid_fault_is_refused(till: Till, wrong: dict[str, str]) -> None:
    form = {"target": "request", "kind": "slow", "times": "1"} | wrong

    answer = press(till, "/trouble", **form)

    assert answer.status_code == 400
    assert "No faults are armed" in read(till, "/trouble")


def test_the_account_is_not_reset_without_the_checkbox(till: Till) -> None:
    session = till.a_session()

    assert press(till, "/trouble/reset").status_code == 400
    assert till.session(session)["status"] == "open"


def test_the_clock_is_moved_and_the_account_reset_from_the_page(till: Till) -> None:
    session = till.a_session()
    till.pay(session, method="bank")

    press(till, "/trouble/clock", seconds="600")
    settled, ahead = till.session(session)["payment_status"], read(till, "/trouble")
    press(till, "/trouble/reset", sure="yes")

    assert settled == "paid"
    assert "0:10:00 ahead" in ahead
    assert "Point a Stripe SDK at this address" in read(till, "/")
    assert "ahead of this machine" not in read(till, "/trouble")


@pytest.mark.parametrize(
    "path", ["payments", "sessions", "refunds", "disputes", "events", "requests"]
)
def test_an_unknown_page_of_the_dashboard_says_not_found(till: Till, path: str) -> None:
    answer = till.client.get(f"/{path}/nothing")

    assert answer.status_code == 404
    assert "no such thing" in answer.text


def test_a_list_after_an_unknown_id_is_not_found(till: Till) -> None:
    answer = till.client.get("/sessions?after=cs_test_nothing")

    assert answer.status_code == 404
    assert "no such thing" in answer.text


@pytest.mark.browser
def test_a_list_updates_itself_without_reloading(till: Till, tab: Page) -> None:
    tab.goto(till.address)
    tab.evaluate("window.stillTheSamePage = true")

    payment = till.pay(till.a_session())

    expect(tab.get_by_role("link", name=payment)).to_be_visible()
    assert tab.evaluate("window.stillTheSamePage") is True


@pytest.mark.browser
def test_an_update_keeps_text_that_is_being_typed(till: Till, tab: Page) -> None:
    payment = till.pay(till.a_session())
    tab.goto(f"{till.address}/payments/{payment}")
    tab.get_by_label("Amount").fill("12.34")

    press(till, f"/payments/{payment}/refund", amount="1")

    expect(tab.get_by_text("partially refunded")).to_be_visible()
    expect(tab.get_by_label("Amount")).to_have_value("12.34")


@pytest.mark.browser
def test_a_refund_is_given_from_the_page(till: Till, tab: Page) -> None:
    payment = till.pay(till.a_session())
    tab.goto(f"{till.address}/payments/{payment}")

    tab.get_by_role("button", name="Refund", exact=True).click()

    expect(tab.locator(".status", has_text="refunded")).to_be_visible()
    assert len(till.api("GET", f"/v1/refunds?payment_intent={payment}")["data"]) == 1


def test_a_wrong_address_is_a_page_for_browsers_and_json_for_programs(till: Till) -> None:
    page = till.client.get("/nowhere", headers={"accept": "text/html"})
    program = till.client.get("/nowhere", headers={"accept": "application/json"})

    assert (page.status_code, program.status_code) == (404, 404)
    assert "There is no such thing here" in page.text
    assert program.json() == {"detail": "Not Found"}


def test_a_disputed_payment_names_the_page_where_the_dispute_is_decided(till: Till) -> None:
    payment = till.pay(till.a_session())
    press(till, f"/payments/{payment}/dispute", reason="fraudulent")
    (dispute,) = till.api("GET", f"/v1/disputes?payment_intent={payment}")["data"]

    undecided = read(till, f"/payments/{payment}")
    press(till, f"/disputes/{dispute['id']}/close", outcome="lost")

    assert f'href="/disputes/{dispute["id"]}">decide it on its page' in undecided


def test_a_payments_timeline_folds_the_requests_that_only_ask(till: Till) -> None:
    session = till.a_session()
    payment = till.pay(session)
    for _ in range(5):
        till.session(session)

    text = read(till, f"/payments/{payment}")

    assert re.search(r"\d+ status checks", text)
    assert text.count('<li class="moment request">') <= 3


def test_every_page_leads_back_to_the_shop_of_the_newest_session(till: Till) -> None:
    till.a_session()

    assert f'href="{till.shop.address}/"' in read(till, "/")

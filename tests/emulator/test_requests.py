"""Requests that are answered by their method, address, account or mode alone."""

import json
from typing import Any

import pytest
import stripe

from stripe_emulator.api import not_imitated, routes
from stripe_emulator.api.request_faults import ACCOUNT_ID
from tests.support.emulator import KEY, EmulatorServer, line

RECURRING = {"interval": "month"}


def a_line(currency: str = "usd", **more: Any) -> Any:
    price = {"currency": currency, "unit_amount": 1999, "product_data": {"name": "Club"}}
    return {"price_data": price | more, "quantity": 1}


@pytest.mark.parametrize("account", ["acct_1Somebody0000000", "acct_", "nonsense"])
@pytest.mark.parametrize("header", ["Stripe-Account", "Stripe-Context"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/balance"), ("POST", "/v1/products"), ("GET", "/v1/nothing")]
)
def test_another_account_is_refused_as_not_accessible(
    stripe_: EmulatorServer, method: str, path: str, header: str, account: str
) -> None:
    status, _, body = stripe_.raw(method, path, None, **{header: account})

    error = json.loads(body)["error"]
    assert (status, error["code"], error["type"]) == (
        403,
        "account_invalid",
        "invalid_request_error",
    )
    assert f"does not have access to account '{account}' (or that account" in error["message"]
    assert KEY not in error["message"]
    assert stripe_.client.v1.products.list().data == []


def test_the_sdk_raises_a_permission_error_for_another_account(stripe_: EmulatorServer) -> None:
    with pytest.raises(stripe.PermissionError) as refused:
        stripe_.client.v1.products.list(options={"stripe_account": "acct_1Somebody0000000"})

    assert refused.value.error is not None
    assert refused.value.error.code == "account_invalid"
    own = stripe_.client.v1.products.list(options={"stripe_account": ACCOUNT_ID})
    assert own.data == []


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/balance", "/v1/products?limit=1", "/v1/charges/ch_missing", "/v1/nothing"),
        *("/", "/events", "/nothing", "/emulator/health", "/openapi.json", "/static/pay.css"),
    ],
)
def test_head_is_answered_as_get_without_the_body(stripe_: EmulatorServer, path: str) -> None:
    got, asked = stripe_.raw("GET", path), stripe_.raw("HEAD", path)

    assert asked[0] == got[0]
    assert asked[2] == b""
    assert asked[1]["Content-Type"] == got[1]["Content-Type"]
    assert ("Request-Id" in asked[1]) == ("Request-Id" in got[1])


def test_head_changes_nothing_and_keeps_the_connection_usable(stripe_: EmulatorServer) -> None:
    session = stripe_.a_session()

    stripe_.raw("HEAD", f"/c/pay/{session.id}")
    stripe_.raw("HEAD", f"/v1/checkout/sessions/{session.id}/expire")

    assert stripe_.client.v1.checkout.sessions.retrieve(session.id).status == "open"


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/v1/products/search?query=active:'true'", "does not imitate search"),
        ("GET", "/v1/prices/search", "does not imitate search"),
        ("GET", "/v1/charges/search", "does not imitate search"),
        ("GET", "/v1/payment_intents/search", "does not imitate search"),
        ("GET", "/v2/core/events", "does not imitate API v2"),
        ("POST", "/v2/core/accounts", "does not imitate API v2"),
        ("DELETE", "/v2/core/event_destinations/ed_1", "does not imitate API v2"),
        ("GET", "/v2/", "does not imitate API v2"),
        ("GET", "/v1/", "Unrecognized request URL"),
        ("PUT", "/v1/products", "Unrecognized request URL"),
    ],
)
def test_unsupported_calls_are_a_stripe_error(
    stripe_: EmulatorServer, method: str, path: str, words: str
) -> None:
    status, headers, body = stripe_.raw(method, path.replace("'", "%27"))

    error = json.loads(body)["error"]
    assert (status, error["type"]) == (404, "invalid_request_error")
    assert words in error["message"]
    assert headers["Request-Id"].startswith("req_")


def test_every_call_that_is_not_imitated_is_refused_in_a_sentence_that_names_it(
    stripe_: EmulatorServer,
) -> None:
    """Subscriptions, invoices, Connect and all the rest that an SDK can call."""
    left = [call for call in not_imitated.DECLARED if call not in routes.OPERATIONS]
    for call in left:
        method, path = call.split(" ")
        status, _, body = stripe_.raw(method, path.replace("{id}", "x_1"))

        message = json.loads(body)["error"]["message"]
        assert status == 404, call
        assert message.startswith("This emulator does not imitate "), (call, message)
    assert {"POST /v1/subscriptions", "POST /v1/invoices/{id}/pay", "POST /v1/accounts"} <= set(
        left
    )


def test_the_sdk_shows_the_sentence_for_search_and_v2(stripe_: EmulatorServer) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="does not imitate search"):
        stripe_.client.v1.products.search({"query": "active:'true'"})
    with pytest.raises(stripe.StripeError, match="does not imitate API v2"):
        stripe_.client.v2.core.events.list({"object_id": "x"})


@pytest.mark.parametrize(
    ("given", "param", "words"),
    [
        ({"mode": "subscription", "line_items": [a_line(recurring=RECURRING)]}, "mode", "mode="),
        ({"mode": "subscription", "subscription_data": {"trial_period_days": 3}}, "mode", "mode="),
        ({"mode": "subscription", "payment_method_collection": "always"}, "mode", "mode="),
        ({"mode": "setup", "setup_intent_data": {"description": "x"}}, "mode", "mode=setup"),
        ({"ui_mode": "embedded_page", "return_url": "http://x/"}, "ui_mode", "ui_mode="),
        (
            {"ui_mode": "embedded_page", "redirect_on_completion": "never"},
            "ui_mode",
            "ui_mode=embedded_page",
        ),
    ],
)
def test_another_mode_is_refused_for_the_mode(
    stripe_: EmulatorServer, given: Any, param: str, words: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stripe_.a_session(**given)

    assert refused.value.param == param
    assert f"does not imitate {words}" in str(refused.value)


def test_a_stored_recurring_price_in_subscription_mode_is_refused_for_the_mode(
    stripe_: EmulatorServer,
) -> None:
    price = stripe_.client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 1999,
            "recurring": {"interval": "month"},
            "product_data": {"name": "Club"},
        }
    )
    lines = [{"price": price.id, "quantity": 1}]

    with pytest.raises(stripe.InvalidRequestError, match="does not imitate mode=subscription"):
        stripe_.a_session(mode="subscription", line_items=lines)
    with pytest.raises(stripe.InvalidRequestError, match="`payment` mode but passed a recurring"):
        stripe_.a_session(mode="payment", line_items=lines)


@pytest.mark.parametrize(
    ("currency", "methods"),
    [
        ("usd", ["card", "us_bank_account"]),
        ("eur", ["card", "sepa_debit"]),
        ("gbp", ["card"]),
        ("jpy", ["card"]),
        ("chf", ["card"]),
    ],
)
def test_bank_debits_are_offered_in_their_own_currency_only(
    stripe_: EmulatorServer, currency: str, methods: list[str]
) -> None:
    session = stripe_.a_session(line_items=[line(2000, currency)])

    assert session.payment_method_types == methods
    page = stripe_.raw("GET", f"/c/pay/{session.id}")[2].decode()
    assert ("Bank debit" in page) == (len(methods) == 2)
    if methods == ["card"]:
        result = stripe_.emulator.checkout.pay_later(
            session.id, outcome="succeeds", email="a@example.com"
        )
        assert result.outcome == "invalid"
        with pytest.raises(stripe.InvalidRequestError, match="imitates card only"):
            stripe_.a_session(
                line_items=[line(2000, currency)], allowed_payment_method_types=["sepa_debit"]
            )

"""The client of Stripe: its answers, errors and log lines."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
import stripe

from store.core import clock, settings
from store.core.errors import (
    StripePermissionMissing,
    StripeRefused,
    StripeUnreachable,
)
from store.stripe_api import requests
from tests.support.shop import ON_SQLITE, Shop


@ON_SQLITE
@pytest.mark.scenario("M3")
@pytest.mark.parametrize(
    ("parameter", "setting"), [("success_url", "STORE_URL"), ("customer_email", "DEMO_CUSTOMER")]
)
def test_a_setting_that_only_stripe_can_judge_is_named_in_the_log(
    shop: Shop, caplog: pytest.LogCaptureFixture, parameter: str, setting: str
) -> None:
    """Where STORE_URL is not set, it is the address that the buyer happened to use."""
    order = shop.order(shop.place())
    parameters = {**json.loads(order.checkout_parameters), parameter: "nonsense"}

    with pytest.raises(StripeRefused) as refused:
        requests.create_checkout(json.dumps(parameters), "another-key")

    assert f"until {setting}" in refused.value.for_operator
    assert refused.value.for_operator in caplog.text
    assert setting not in str(refused.value)


@pytest.fixture(
    params=[
        (200, b"<html>It works!</html>"),
        (200, b'{"id": "cs_test_1", "object":'),
        (200, b""),
        (200, b"[]"),
        (200, b"null"),
        (200, b'"text"'),
        (502, b"<h1>Bad gateway</h1>"),
        (503, b'{"error": "down"}'),
        (301, b""),
    ],
    ids=[
        "html",
        "half json",
        "nothing",
        "a list",
        "null",
        "text",
        "a proxy's page",
        "error is text",
        "a redirect",
    ],
)
def nonsense(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that answers, but not as Stripe does."""
    status, body = request.param

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@ON_SQLITE
@pytest.mark.scenario("B12")
def test_an_answer_that_is_not_stripes_leaves_the_outcome_unknown(
    shop: Shop, nonsense: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shop.order(shop.place())
    monkeypatch.setenv("STRIPE_API_BASE", nonsense)
    settings.current.cache_clear()

    with pytest.raises(StripeUnreachable):
        requests.create_checkout(order.checkout_parameters, order.idempotency_key)


@ON_SQLITE
@pytest.mark.scenario("B11")
def test_answers_are_plain_documents_in_which_new_fields_do_not_matter(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    event = shop.event("checkout.session.completed")
    event["api_version"] = "2031-01-01.unheard_of"
    event["data"]["object"] |= {"a_new_field": {"deep": [1]}, "payment_method_types": None}

    document = requests.checkout(shop.session_id(number))

    assert isinstance(document, dict)
    assert document.get("a_field_of_the_future") is None
    assert shop.outcome(event) == "applied"


@ON_SQLITE
@pytest.mark.scenario("G10")
def test_neither_the_buyer_nor_its_hash_goes_to_stripe(shop: Shop) -> None:
    number = shop.an_open_order()

    sent = [request.parameters for request in shop.stripe.emulator.request_log(100)]

    assert any(number in parameters for parameters in sent)
    assert not any(shop.buyer in parameters for parameters in sent)


@ON_SQLITE
def test_a_session_carries_the_order_number_into_the_payment_and_its_refunds(shop: Shop) -> None:
    number = shop.a_paid_order()

    payment = requests.payment(shop.payment_id(number))

    assert payment["metadata"] == {"order_number": number}
    (session,) = shop.sessions()
    assert session.client_reference_id == number
    assert "{CHECKOUT_SESSION_ID}" in shop.order(number).checkout_parameters


def test_telemetry_is_off() -> None:
    assert stripe.enable_telemetry is False


@ON_SQLITE
@pytest.mark.scenario("J6")
def test_a_missing_permission_is_named_with_its_request(shop: Shop) -> None:
    shop.stripe.emulator.inject_fault("request", "forbidden", times=None, match="GET /v1/events")

    with pytest.raises(StripePermissionMissing) as missing:
        list(requests.events(["charge.updated"], clock.now()))

    assert missing.value.permission == "rak_event_read"
    assert missing.value.for_operator == (
        "The restricted Stripe key lacks the permission rak_event_read for GET /v1/events."
    )
    assert "You have not been charged" in str(missing.value)

"""What Stripe's answers and errors become; the only file that may import its SDK."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest
import stripe

from store.core import clock, errors, settings
from store.core.errors import (
    StripeBusy,
    StripeError,
    StripeKeyRefused,
    StripeNotFound,
    StripePermissionMissing,
    StripeRefused,
    StripeUncertain,
    StripeUnreachable,
)
from store.stripe_api import gateway
from tests.support.shop import ON_SQLITE, Shop

STRIPES_WORDS = "Stripe's own words with a sk_test_key in them"


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (stripe.APIConnectionError(STRIPES_WORDS), StripeUnreachable),  # type: ignore[no-untyped-call]
        (stripe.RateLimitError(STRIPES_WORDS, http_status=429), StripeBusy),
        (stripe.AuthenticationError(STRIPES_WORDS, http_status=401), StripeKeyRefused),
        (stripe.PermissionError(STRIPES_WORDS, http_status=403), StripePermissionMissing),
        (stripe.APIError(STRIPES_WORDS, http_status=409), StripeBusy),
        (stripe.APIError(STRIPES_WORDS, http_status=500), StripeUncertain),
        (stripe.APIError(STRIPES_WORDS, http_status=200), StripeUncertain),
        (stripe.InvalidRequestError(STRIPES_WORDS, "p", http_status=400), StripeRefused),  # type: ignore[no-untyped-call]
        (stripe.InvalidRequestError(STRIPES_WORDS, "p", http_status=404), StripeNotFound),  # type: ignore[no-untyped-call]
        (stripe.IdempotencyError(STRIPES_WORDS, http_status=400), StripeRefused),
        (stripe.CardError(STRIPES_WORDS, "p", "c", http_status=402), StripeRefused),  # type: ignore[no-untyped-call]
    ],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'http_status', '')}",
)
def test_each_of_stripes_errors_becomes_one_of_ours_without_its_words(
    error: stripe.StripeError, meaning: type[StripeError]
) -> None:
    ours = gateway.translate(error)

    assert type(ours) is meaning
    assert STRIPES_WORDS not in str(ours)


def below(kind: type[stripe.StripeError]) -> list[type[stripe.StripeError]]:
    return [found for child in kind.__subclasses__() for found in (child, *below(child))]


def test_every_error_of_the_sdk_becomes_one_of_ours() -> None:
    theirs = below(stripe.StripeError)

    assert len(theirs) > 8
    for kind in theirs:
        error = kind.__new__(kind)
        stripe.StripeError.__init__(error, STRIPES_WORDS)
        assert isinstance(gateway.translate(error), StripeError)


def test_every_error_has_a_sentence_for_people_and_the_tree_in_the_docstring_is_whole() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    ours = [kind for kind in kinds if issubclass(kind, errors.StoreError)]

    for kind in ours:
        assert kind.__name__ in (errors.__doc__ or "")
        assert kind.sentence.endswith((".", "?")), kind


@pytest.mark.scenario("B2")
@pytest.mark.parametrize(
    ("header", "replayed"), [({}, False), ({"Idempotent-Replayed": "true"}, True)]
)
def test_a_saved_failure_is_told_from_a_fresh_one(header: dict[str, str], replayed: bool) -> None:
    ours = gateway.translate(stripe.APIError("x", http_status=500, headers=header))

    assert isinstance(ours, StripeUncertain)
    assert ours.replayed is replayed


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
        gateway.create_checkout(json.dumps(parameters), "another-key")

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
        gateway.create_checkout(order.checkout_parameters, order.idempotency_key)


@ON_SQLITE
@pytest.mark.scenario("B11")
def test_answers_are_plain_documents_in_which_new_fields_do_not_matter(shop: Shop) -> None:
    number = shop.an_open_order()
    shop.pay(number)
    event = shop.event("checkout.session.completed")
    event["api_version"] = "2031-01-01.unheard_of"
    event["data"]["object"] |= {"a_new_field": {"deep": [1]}, "payment_method_types": None}

    document = gateway.checkout(shop.session_id(number))

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

    payment = gateway.payment(shop.payment_id(number))

    assert payment["metadata"] == {"order_number": number}
    (session,) = shop.sessions()
    assert session.client_reference_id == number
    assert "{CHECKOUT_SESSION_ID}" in shop.order(number).checkout_parameters


def test_telemetry_is_off() -> None:
    assert stripe.enable_telemetry is False


@ON_SQLITE
@pytest.mark.scenario("J6")
def test_a_missing_permission_is_named_with_what_was_asked(shop: Shop) -> None:
    shop.stripe.emulator.inject_fault("request", "forbidden", times=None, match="GET /v1/events")

    with pytest.raises(StripePermissionMissing) as missing:
        list(gateway.events(["charge.updated"], clock.now()))

    assert (missing.value.route, missing.value.permission) == ("GET /v1/events", "rak_event_read")
    assert missing.value.for_operator == (
        "The restricted Stripe key lacks the permission rak_event_read for GET /v1/events."
    )
    assert "You have not been charged" in str(missing.value)

"""The SDK drives it with no special case: paging, expansion, error classes, retries, curl's way."""

import base64
import json
from typing import Any

import pytest
import stripe

from tests.support.emulator import KEY, EmulatorServer, line, session_params

FORM = "application/x-www-form-urlencoded"
WHOLE = (
    "mode=payment&success_url=http://x&line_items[0][quantity]=1"
    "&line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=500"
    "&line_items[0][price_data][product_data][name]=Shirt"
)


def test_lists_page_by_themselves_newest_first(stripe_: EmulatorServer) -> None:
    made = [stripe_.a_session().id for _ in range(7)]
    sessions = stripe_.client.v1.checkout.sessions

    forward = [session.id for session in sessions.list({"limit": 3}).auto_paging_iter()]
    page = sessions.list({"limit": 2, "ending_before": made[3]})

    assert forward == made[::-1]
    assert [session.id for session in page.data] == [made[5], made[4]]
    assert page.has_more
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        sessions.list({"starting_after": "cs_test_nobody"})
    assert (unknown.value.http_status, unknown.value.code) == (400, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError, match="only specify one"):
        sessions.list({"starting_after": made[0], "ending_before": made[1]})


def test_lists_are_filtered(stripe_: EmulatorServer) -> None:
    paid, other = stripe_.a_session(), stripe_.a_session(customer_email="bob@example.com")
    stripe_.pay(paid.id)
    intent = stripe_.intent_of(paid.id)
    sessions = stripe_.client.v1.checkout.sessions

    def ids(**where: Any) -> list[str]:
        params: Any = where
        return [session.id for session in sessions.list(params).data]

    assert ids(status="complete") == ids(payment_intent=intent.id) == [paid.id]
    assert ids(status="open") == ids(customer_details={"email": "bob@example.com"}) == [other.id]
    assert ids(created={"gte": paid.created, "lt": paid.created + 60}) == [other.id, paid.id]
    assert ids(created={"lt": paid.created - 5}) == []


def test_line_items_page_in_the_order_of_the_cart(stripe_: EmulatorServer) -> None:
    lines = [line(100 + number, name=f"Thing {number}") for number in range(23)]
    session = stripe_.a_session(line_items=lines)

    listed = stripe_.client.v1.checkout.sessions.line_items.list(session.id, {"limit": 10})
    names = [item.description for item in listed.auto_paging_iter()]
    expanded = stripe_.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items"]})

    assert names == [f"Thing {number}" for number in range(23)]
    assert expanded.line_items is not None
    assert (len(expanded.line_items.data), expanded.line_items.has_more) == (10, True)
    assert [item.description for item in expanded.line_items.auto_paging_iter()] == names
    assert "line_items" not in stripe_.client.v1.checkout.sessions.retrieve(session.id)


def test_expansion_goes_four_levels_deep_and_no_further(stripe_: EmulatorServer) -> None:
    session = stripe_.a_session()
    stripe_.pay(session.id)
    stripe_.emulator.move_clock(2)
    sessions = stripe_.client.v1.checkout.sessions

    deep = sessions.retrieve(
        session.id, {"expand": ["payment_intent.latest_charge.balance_transaction.source"]}
    )

    assert isinstance(deep.payment_intent, stripe.PaymentIntent)
    charge = deep.payment_intent.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert isinstance(charge.balance_transaction, stripe.BalanceTransaction)
    assert isinstance(charge.balance_transaction.source, stripe.Charge)
    for path, words in (
        ("url", r"This property cannot be expanded \(url\)."),
        ("payment_intent.amount", "cannot be expanded"),
        ("a.b.c.d.e", "more than 4 levels"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            sessions.retrieve(session.id, {"expand": [path]})
    listed = sessions.list({"expand": ["data.payment_intent"]}).data[0]
    assert isinstance(listed.payment_intent, stripe.PaymentIntent)


def test_each_refusal_is_the_error_class_it_is_at_stripe(stripe_: EmulatorServer) -> None:
    sessions = stripe_.client.v1.checkout.sessions
    emulator = stripe_.emulator
    with pytest.raises(stripe.InvalidRequestError) as missing:
        sessions.retrieve("cs_test_nobody")
    assert missing.value.http_status == 404
    assert missing.value.code == "resource_missing"
    assert missing.value.user_message == "No such checkout.session: cs_test_nobody"
    with pytest.raises(stripe.InvalidRequestError, match="No such charge: 'ch_x'"):
        stripe_.client.v1.charges.retrieve("ch_x")
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key provided"):
        stripe_.sdk("nonsense").v1.balance.retrieve()
    emulator.inject_fault("request", "rate_limit")
    with pytest.raises(stripe.RateLimitError) as limited:
        stripe_.a_session()
    assert limited.value.error is not None
    assert limited.value.error.code == "rate_limit"  # the SDK sets no `code` of its own here
    emulator.inject_fault("request", "error_before")
    with pytest.raises(stripe.APIError) as broken:
        stripe_.a_session()
    assert broken.value.http_status == 500
    with pytest.raises(stripe.IdempotencyError, match="same parameters"):
        for amount in (100, 200):
            stripe_.a_session("k", line_items=[line(amount)])
    emulator.inject_fault("request", "cut")
    with pytest.raises(stripe.APIConnectionError):
        stripe_.a_session()


def test_a_cut_connection_is_retried_with_the_same_key_and_gets_the_same_session(
    stripe_: EmulatorServer,
) -> None:
    stripe_.emulator.inject_fault("request", "cut", match="POST /v1/checkout/sessions")

    session = stripe_.sdk(retries=2).v1.checkout.sessions.create(session_params())

    assert [found.id for found in stripe_.client.v1.checkout.sessions.list().data] == [session.id]
    replays = [request.replayed for request in stripe_.emulator.request_log()]
    assert replays.count(True) == 1


def test_curl_may_write_lists_without_indexes_and_keys_as_user_name(
    stripe_: EmulatorServer,
) -> None:
    session = stripe_.a_session()
    basic = base64.b64encode(f"{KEY}:".encode()).decode()

    status, headers, body = stripe_.raw(
        "GET",
        f"/v1/checkout/sessions/{session.id}?expand[]=line_items",
        Authorization=f"Basic {basic}",
    )

    assert status == 200
    assert json.loads(body)["line_items"]["data"][0]["quantity"] == 2
    assert headers["Request-Id"].startswith("req_")
    assert headers["Stripe-Version"] == stripe.api_version


def test_requests_that_are_no_calls_are_refused_as_stripe_does(stripe_: EmulatorServer) -> None:
    none = stripe_.raw("GET", "/v1/balance", Authorization="")
    nowhere = stripe_.raw("GET", "/v1/invoice")
    as_json = stripe_.raw("POST", "/v1/products", b'{"name": "x"}', Content_Type="application/json")
    not_utf8 = stripe_.raw("POST", "/v1/products", b"name=%ff", Content_Type=FORM)
    huge = stripe_.raw("POST", "/v1/products", b"name=" + b"x" * 1_100_000, Content_Type=FORM)

    assert (none[0], none[1]["WWW-Authenticate"]) == (401, 'Basic realm="Stripe"')
    assert b"You did not provide an API key." in none[2]
    assert nowhere[0] == 404
    assert b"Unrecognized request URL (GET: /v1/invoice)." in nowhere[2]
    assert [answer[0] for answer in (as_json, not_utf8, huge)] == [400, 400, 400]


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        ("mode=", "parameter_invalid_empty", "mode"),
        ("mode=payments", None, "mode"),
        ("mode=payment&expires_at=soon", "parameter_invalid_integer", "expires_at"),
        ("mode=payment&line_items[0][quantity]=٣", "parameter_invalid_integer", None),
        ("mode=payment&line_items=1", None, "line_items"),
        ("mode=payment&allow_promotion_codes=yes", None, "allow_promotion_codes"),
        ("success_url=http://x", "parameter_missing", "mode"),
        ("mode=payment&success_url=http://x", "parameter_missing", "line_items"),
        ("mode=payment&success_url=not+a+url&line_items[0][price]=x", "url_invalid", "success_url"),
        ("mode=payment&payment_method_types[0]=card", "parameter_unknown", "payment_method_types"),
        ("mode=payment&ui_mode=hosted", None, "ui_mode"),
        ("mode=payment&client_reference_id=" + "x" * 201, None, "client_reference_id"),
        ("mode=payment&metadata[a]=" + "x" * 501, None, "metadata[a]"),
        ("mode=payment&metadata[" + "x" * 41 + "]=y", None, "metadata"),
        ("mode=payment&" + "&".join(f"metadata[k{n}]=y" for n in range(51)), None, "metadata"),
        (f"{WHOLE}&discounts[0][coupon]=x", "resource_missing", "discounts[0][coupon]"),
        ("a[b=1", None, "a[b"),
        ("a=1&a[b]=2", None, "a[b]"),
    ],
)
def test_wrong_parameters_are_named(
    stripe_: EmulatorServer, form: str, code: str | None, param: str | None
) -> None:
    text = form.encode().replace("٣".encode(), b"%D9%A3")

    status, _, body = stripe_.raw("POST", "/v1/checkout/sessions", text, Content_Type=FORM)

    error = json.loads(body)["error"]
    assert status == 400
    assert error["type"] == "invalid_request_error"
    assert error.get("code") == code
    if param:
        assert error["param"] == param
    assert stripe_.client.v1.checkout.sessions.list().data == []


def test_a_price_can_be_made_once_and_sold_often(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    price = client.prices.create(
        {"currency": "eur", "unit_amount": 4999, "product_data": {"name": "Jeans"}}
    )
    session = stripe_.a_session(line_items=[{"price": price.id, "quantity": 3}])

    assert (session.amount_total, session.currency) == (14997, "eur")
    assert client.products.retrieve(str(price.product)).name == "Jeans"
    for given, words in (
        ({"quantity": 1}, "Missing required param"),
        ({"price": price.id}, "Quantity is required"),
        ({"price": price.id, "price_data": {"currency": "eur"}, "quantity": 1}, "only specify one"),
        ({"price": "price_x", "quantity": 1}, "No such price: 'price_x'"),
        ({"price": price.id, "quantity": 0}, "greater than or equal to 1"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            stripe_.a_session(line_items=[given])


def test_products_are_changed_and_deleted(stripe_: EmulatorServer) -> None:
    products = stripe_.client.v1.products
    product = products.create({"name": "Hat", "metadata": {"size": "L", "old": "1"}})

    changed = products.update(product.id, {"metadata": {"size": "M", "old": ""}})
    deleted = products.delete(product.id)

    assert changed.metadata.to_dict() == {"size": "M"}
    assert deleted.to_dict()["deleted"] is True
    assert products.list().data == []
    assert stripe_.event_types() == ["product.created", "product.updated", "product.deleted"]


def test_decimal_amounts_round_per_line(stripe_: EmulatorServer) -> None:
    price: Any = {
        "currency": "usd",
        "unit_amount_decimal": "12.5",
        "product_data": {"name": "Screw"},
    }
    session = stripe_.a_session(line_items=[{"price_data": price, "quantity": 9}])

    assert session.amount_total == 113
    for both in ({"unit_amount": 5}, {"unit_amount_decimal": "-1"}):
        with pytest.raises(stripe.InvalidRequestError):
            stripe_.a_session(line_items=[{"price_data": price | both, "quantity": 9}])


def test_metadata_stays_where_it_was_put(stripe_: EmulatorServer) -> None:
    session = stripe_.a_session(
        metadata={"only": "session"}, payment_intent_data={"metadata": {"only": "payment"}}
    )
    stripe_.pay(session.id)
    intent = stripe_.intent_of(session.id)

    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.metadata.to_dict() == {"only": "payment"}
    assert intent.latest_charge.metadata.to_dict() == {"only": "payment"}
    assert session.metadata is not None
    assert session.metadata.to_dict() == {"only": "session"}

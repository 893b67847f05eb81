"""The twelve rules an emulator must copy, or the tests of the shop that uses it lie."""

import json
import threading
import time
from email.message import Message
from typing import Any

import pytest
import stripe

from stripe_emulator.app import create_app
from stripe_emulator.base.config import RETRY_SCHEDULES, Config
from tests.support.emulator import SUCCESS, EmulatorServer, line, session_params
from tests.support.ports import free_port
from tests.support.webhook_receiver import SECRET, Receiver

DAY = 86400


def post(running: EmulatorServer, path: str, form: str, key: str) -> tuple[int, Message, bytes]:
    return running.raw(
        "POST",
        path,
        form.encode(),
        Idempotency_Key=key,
        Content_Type="application/x-www-form-urlencoded",
    )


def test_1_idempotency_keys_replay_conflict_and_expire(stripe_: EmulatorServer) -> None:
    form = "name=Shirt"
    first = post(stripe_, "/v1/products", form, "k1")
    again = post(stripe_, "/v1/products", form, "k1")
    other = post(stripe_, "/v1/products", "name=Jeans", "k1")
    elsewhere = post(stripe_, "/v1/refunds", form, "k1")
    invalid = [post(stripe_, "/v1/products", "nam=Shirt", "k2") for _ in range(2)]
    corrected = post(stripe_, "/v1/products", form, "k2")

    assert first[2] == again[2]
    assert "Idempotent-Replayed" not in first[1]
    assert again[1]["Idempotent-Replayed"] == "true"
    for status, _, body in (other, elsewhere):
        assert status == 400
        assert json.loads(body)["error"]["type"] == "idempotency_error"
    assert [status for status, _, _ in invalid] == [400, 400]
    assert all("Idempotent-Replayed" not in headers for _, headers, _ in invalid)
    assert corrected[0] == 200, "a validation error is not saved"

    stripe_.emulator.inject_fault("request", "error_after")
    broken = [post(stripe_, "/v1/products", form, "k3") for _ in range(2)]
    assert [status for status, _, _ in broken] == [500, 500]
    assert broken[0][2] == broken[1][2], "a 500 is saved"

    stripe_.emulator.move_clock(DAY - 60)
    assert post(stripe_, "/v1/products", form, "k1")[2] == first[2]
    stripe_.emulator.move_clock(61)
    assert post(stripe_, "/v1/products", form, "k1")[2] != first[2], "after a day it is a new one"


def test_1_idempotency_key_in_flight_is_a_conflict(stripe_: EmulatorServer) -> None:
    stripe_.emulator.inject_fault("request", "slow", value="700")
    slow = threading.Thread(target=stripe_.a_session, args=("k",))
    slow.start()
    time.sleep(0.3)

    with pytest.raises(stripe.APIError) as refusal:
        stripe_.a_session("k")

    slow.join()
    assert refusal.value.http_status == 409
    assert refusal.value.error is not None
    assert refusal.value.error.code == "idempotency_key_in_use"
    assert stripe_.a_session("k").id, "afterwards the same key is answered again"
    assert sorted(one.status for one in stripe_.emulator.request_log()) == [200, 200, 409]


def test_1_a_refusal_by_an_objects_state_is_saved(stripe_: EmulatorServer) -> None:
    """What began executing is kept, a 400 included; what failed validation is not."""
    session = stripe_.a_session()
    stripe_.pay(session.id)
    path = f"/v1/checkout/sessions/{session.id}/expire"

    first, again = (post(stripe_, path, "", "k") for _ in range(2))

    assert (first[0], first[2]) == (again[0], again[2]) == (400, first[2])
    assert again[1]["Idempotent-Replayed"] == "true"


def test_1_a_key_has_at_most_255_characters(stripe_: EmulatorServer) -> None:
    assert stripe_.a_session("k" * 255).id
    with pytest.raises(stripe.InvalidRequestError, match="255 characters"):
        stripe_.a_session("k" * 256)


def test_2_url_is_null_unless_the_session_is_open(stripe_: EmulatorServer) -> None:
    sessions = [stripe_.a_session() for _ in range(2)]
    assert all(session.url for session in sessions)

    stripe_.pay(sessions[0].id)
    stripe_.client.v1.checkout.sessions.expire(sessions[1].id)

    for session in sessions:
        assert stripe_.client.v1.checkout.sessions.retrieve(session.id).url is None
        status, _, page = stripe_.raw("GET", f"/c/pay/{session.id}")
        assert status == 200
        assert b'name="number"' not in page
    assert "all done here" in (stripe_.pay(sessions[0].id).message or "")


def test_3_only_open_sessions_expire_and_only_within_the_limits(stripe_: EmulatorServer) -> None:
    paid = stripe_.a_session()
    stripe_.pay(paid.id)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_.client.v1.checkout.sessions.expire(paid.id)

    assert str(refusal.value.user_message) == (
        'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session '
        "has a status of `complete`."
    )
    now = int(stripe_.emulator.now())
    for expires_at, words in (
        (now + 1700, "at least 30 minutes"),
        (now + DAY + 60, "less than 24 hours"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=words) as refusal:
            stripe_.a_session(expires_at=expires_at)
        assert refusal.value.param == "expires_at"
    session = stripe_.a_session(expires_at=now + 1900)
    stripe_.emulator.move_clock(1901)
    assert stripe_.client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert stripe_.event_types()[-1] == "checkout.session.expired"


def test_4_the_placeholder_is_replaced_as_literal_text(stripe_: EmulatorServer) -> None:
    session = stripe_.a_session()
    encoded = stripe_.a_session(success_url=SUCCESS.replace("{", "%7B").replace("}", "%7D"))

    assert stripe_.pay(session.id).redirect_url == SUCCESS.replace(
        "{CHECKOUT_SESSION_ID}", session.id
    )
    assert "%7BCHECKOUT_SESSION_ID%7D" in (stripe_.pay(encoded.id).redirect_url or "")


def test_5_events_have_their_shape_and_each_attempt_a_new_signature(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    receiver.answer = lambda _: (500, 0)
    session = stripe_.a_session()
    expired = stripe_.client.v1.checkout.sessions.expire(
        session.id, options={"idempotency_key": "why"}
    )
    (first,) = receiver.wait_for("checkout.session.expired")
    stripe_.emulator.dispatcher.wait_until_idle()
    time.sleep(1.01)
    stripe_.emulator.move_clock(601)
    first, second = receiver.wait_for("checkout.session.expired", 2)

    event = first.event
    assert event["id"].startswith("evt_")
    assert event["api_version"] == stripe.api_version
    assert event["livemode"] is False
    assert event["pending_webhooks"] == 1
    assert event["request"]["idempotency_key"] == "why"
    assert expired.last_response is not None
    assert event["request"]["id"] == expired.last_response.request_id
    assert (first.body, first.genuine()) == (second.body, second.genuine()) == (first.body, True)
    assert first.signature.split(",")[0] != second.signature.split(",")[0]
    stripe_.pay(stripe_.a_session().id)
    (automatic,) = receiver.wait_for("checkout.session.completed")
    assert automatic.event["request"] == {"id": None, "idempotency_key": None}


def test_5_two_secrets_sign_while_one_replaces_the_other(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    (endpoint,) = stripe_.client.v1.webhook_endpoints.list().data
    fresh = stripe_.emulator.roll_secret(endpoint.id, 3600)
    stripe_.client.v1.products.create({"name": "Both"})
    (both,) = receiver.wait_for("product.created")
    stripe_.emulator.move_clock(3601)
    stripe_.client.v1.products.create({"name": "One"})
    one = receiver.wait_for("product.created", 2)[1]

    assert both.signature.count("v1=") == 2
    assert both.genuine(SECRET)
    assert both.genuine(fresh)
    assert one.genuine(fresh)
    assert not one.genuine(SECRET)


def test_6_deliveries_are_parallel_and_a_resend_keeps_the_event_id(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    receiver.answer = lambda _: (200, 0.3)
    started = time.monotonic()
    stripe_.pay(stripe_.a_session().id)
    for event_type in ("payment_intent.created", "charge.succeeded", "payment_intent.succeeded"):
        receiver.wait_for(event_type)
    stripe_.emulator.dispatcher.wait_until_idle()

    assert time.monotonic() - started < 1.1, "four deliveries of 0.3 s each, one after the other"
    (completed,) = receiver.of("checkout.session.completed")
    receiver.answer = lambda _: (200, 0)
    assert stripe_.emulator.resend(completed.event["id"]) == 1
    again = receiver.wait_for("checkout.session.completed", 2)[1]
    assert again.event["id"] == completed.event["id"]


@pytest.mark.parametrize("schedule", ["sandbox", "live"])
def test_6_retries_follow_stripes_schedules(receiver: Receiver, schedule: Any) -> None:
    gaps = RETRY_SCHEDULES[schedule]
    running = EmulatorServer(
        Config(port=free_port(), webhook_url=receiver.url, webhook_secret=SECRET, retries=schedule)
    )
    try:
        receiver.answer = lambda _: (302, 0)
        running.client.v1.products.create({"name": "Shirt"})
        for count, gap in enumerate(gaps, start=1):
            receiver.wait_for("product.created", count)
            assert running.emulator.dispatcher.wait_until_idle()
            (delivery,) = running.emulator.deliveries()
            assert delivery.state == "pending"
            margin = max(5, min(gap / 2, 60))  # seconds that may pass here meanwhile
            running.emulator.move_clock(gap - margin)
            assert len(receiver.of("product.created")) == count, "not before its time"
            running.emulator.move_clock(margin + 1)
        receiver.wait_for("product.created", len(gaps) + 1)
        assert running.emulator.dispatcher.wait_until_idle()
        (delivery,) = running.emulator.deliveries()
        assert delivery.state == "failed"
        assert {attempt.status for attempt in delivery.attempts} == {302}
    finally:
        running.stop()


def test_6_the_schedules_are_as_long_as_stripe_says() -> None:
    assert len(RETRY_SCHEDULES["sandbox"]) + 1 == 3
    assert sum(RETRY_SCHEDULES["sandbox"]) < 6 * 3600
    assert 2.5 * DAY < sum(RETRY_SCHEDULES["live"]) <= 3 * DAY
    assert list(RETRY_SCHEDULES["live"]) == sorted(RETRY_SCHEDULES["live"])


@pytest.mark.parametrize("succeeds", [True, False])
def test_7_a_delayed_payment_completes_unpaid_and_settles_later(
    stripe_: EmulatorServer, succeeds: bool
) -> None:
    session = stripe_.a_session()
    outcome: Any = "succeeds" if succeeds else "fails"
    result = stripe_.emulator.checkout.pay_later(
        session.id, outcome=outcome, email="ada@example.com"
    )
    during = stripe_.client.v1.checkout.sessions.retrieve(session.id)
    stripe_.emulator.move_clock(301)
    after = stripe_.client.v1.checkout.sessions.retrieve(session.id)
    last = [name for name in stripe_.event_types() if "async" in name]

    assert result.outcome == "processing"
    assert (during.status, during.payment_status) == ("complete", "unpaid")
    assert after.status == "complete"
    if succeeds:
        assert after.payment_status == "paid"
        assert last == ["checkout.session.async_payment_succeeded"]
    else:
        assert after.payment_status == "unpaid"
        assert stripe_.intent_of(session.id).status == "requires_payment_method"
        assert last == ["checkout.session.async_payment_failed"]


def test_7_a_decline_keeps_the_session_open(stripe_: EmulatorServer) -> None:
    session = stripe_.a_session()
    result = stripe_.pay(session.id, "4000000000000002")
    declined = stripe_.intent_of(session.id)
    after = stripe_.client.v1.checkout.sessions.retrieve(session.id)

    assert (result.outcome, result.message) == ("declined", "Your card was declined.")
    assert (after.status, after.payment_status) == ("open", "unpaid")
    assert stripe_.event_types() == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]
    stripe_.pay(session.id)
    assert stripe_.intent_of(session.id).id == declined.id, "the same intent is tried again"


def test_8_refunds_are_limited_by_the_charge(stripe_: EmulatorServer) -> None:
    intent = stripe_.a_payment()
    refunds = stripe_.client.v1.refunds
    refunds.create({"payment_intent": intent.id, "amount": 1000})

    with pytest.raises(stripe.InvalidRequestError) as too_much:
        refunds.create({"payment_intent": intent.id, "amount": 3000})
    rest = refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as nothing_left:
        refunds.create({"payment_intent": intent.id})

    assert too_much.value.user_message == (
        "Refund amount ($30.00) is greater than unrefunded amount on charge ($29.98)"
    )
    assert too_much.value.param == "amount"
    assert rest.amount == 2998
    assert nothing_left.value.code == "charge_already_refunded"
    assert "has already been refunded" in str(nothing_left.value)
    charge = stripe_.client.v1.charges.list({"expand": ["data.refunds"]}).data[0]
    assert charge.refunds is not None
    assert [refund.amount for refund in charge.refunds.auto_paging_iter()] == [2998, 1000]
    types = stripe_.event_types()
    assert types.count("refund.created") == types.count("charge.refunded") == 2


def test_8_a_disputed_charge_is_not_refunded(stripe_: EmulatorServer) -> None:
    intent = stripe_.a_payment("4000000000000259")
    stripe_.emulator.move_clock(5)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_.client.v1.refunds.create({"payment_intent": intent.id})

    assert refusal.value.code == "charge_disputed"
    assert "has been charged back; cannot issue a refund." in str(refusal.value)


def test_8_refunds_pend_and_fail_as_their_cards_say(stripe_: EmulatorServer) -> None:
    pending = stripe_.a_payment("4000000000007726")
    failing = stripe_.a_payment("4000000000005126")
    refunds = [
        stripe_.client.v1.refunds.create({"payment_intent": intent.id})
        for intent in (pending, failing)
    ]
    assert [refund.status for refund in refunds] == ["pending", "succeeded"]

    stripe_.emulator.move_clock(31)

    later = [stripe_.client.v1.refunds.retrieve(refund.id) for refund in refunds]
    assert [refund.status for refund in later] == ["succeeded", "failed"]
    types = stripe_.event_types()
    assert "refund.failed" in types
    assert "refund.updated" in types
    charge = stripe_.client.v1.charges.list({"payment_intent": failing.id}).data[0]
    assert (charge.amount_refunded, charge.refunded) == (0, False)


def test_9_events_are_listed_by_delivery_success_for_30_days(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    events = stripe_.client.v1.events
    receiver.answer = lambda event: (500 if event["type"] == "product.updated" else 200, 0)
    product = stripe_.client.v1.products.create({"name": "Shirt"})
    stripe_.client.v1.products.update(product.id, {"name": "Red Shirt"})
    receiver.wait_for("product.updated")
    stripe_.emulator.dispatcher.wait_until_idle()

    failed = events.list({"delivery_success": False}).data
    delivered = events.list({"delivery_success": True}).data

    assert [event.type for event in failed] == ["product.updated"]
    assert [event.type for event in delivered] == ["product.created"]
    assert [event.type for event in events.list({"type": "product.*"}).data] == [
        "product.updated",
        "product.created",
    ]
    assert len(events.list({"types": ["product.created", "charge.failed"]}).data) == 1
    assert events.list({"created": {"gt": int(stripe_.emulator.now()) + 5}}).data == []
    (changed,) = failed
    assert changed.data.previous_attributes is not None
    assert changed.data.previous_attributes.to_dict()["name"] == "Shirt"
    stripe_.emulator.move_clock(30 * DAY + 1)
    assert [event for event in events.list().data if event.created < product.created + 9] == []
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        events.retrieve(changed.id)


def test_10_unknown_parameters_are_refused_also_deep_inside(stripe_: EmulatorServer) -> None:
    nonsense = line(1999)
    nonsense["price_data"]["product_data"]["colour"] = "red"

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_.a_session(line_items=[nonsense])

    error = refusal.value
    assert error.code == "parameter_unknown"
    assert error.param == "line_items[0][price_data][product_data][colour]"
    assert error.user_message == f"Received unknown parameter: {error.param}"
    assert str(error.request_id).startswith("req_")
    assert error.http_status == 400
    assert error.error is not None
    assert error.error.type == "invalid_request_error"


def test_10_one_currency_per_session_and_amounts_within_limits(stripe_: EmulatorServer) -> None:
    for lines, words in (
        ([line(1999), line(1999, "eur")], "same currency"),
        ([line(49)], r"at least \$0.50 usd"),
        ([line(49, "jpy")], "at least ¥50 jpy"),
        ([line(29, "gbp")], "at least £0.30 gbp"),
        ([line(1_000_000_000_000)], "no more than"),
        ([line(999_999_999_999, quantity=2)], "at most"),
        ([line(150, "isk")], "divisible by 100"),
        ([line(1001, "kwd")], "divisible by 10"),
        ([line(1999, "xyz")], "Invalid currency: xyz"),
        ([line(-1)], "Invalid non-negative integer"),
    ):
        with pytest.raises(stripe.InvalidRequestError, match=words):
            stripe_.a_session(line_items=lines)
    assert stripe_.a_session(line_items=[line(50, "jpy")]).amount_total == 50
    assert stripe_.a_session(line_items=[line(500, "ugx")]).amount_total == 500
    assert stripe_.a_session(line_items=[line(1010, "kwd")]).amount_total == 1010
    free = stripe_.a_session(line_items=[line(0)])
    stripe_.pay(free.id)
    after = stripe_.client.v1.checkout.sessions.retrieve(free.id)
    assert (after.payment_status, after.payment_intent) == ("no_payment_required", None)


def test_11_prices_are_frozen_in_the_session(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    product = client.products.create({"name": "Jeans"})
    price = client.prices.create({"product": product.id, "currency": "usd", "unit_amount": 4999})
    session = stripe_.a_session(line_items=[{"price": price.id, "quantity": 1}])

    client.products.update(product.id, {"name": "Dear Jeans"})
    client.prices.update(price.id, {"active": False, "nickname": "old"})

    (item,) = client.checkout.sessions.line_items.list(session.id).data
    assert (item.description, item.amount_total) == ("Jeans", 4999)
    assert item.price is not None
    assert (item.price.unit_amount, item.price.active, item.price.nickname) == (4999, True, None)
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        stripe_.a_session(line_items=[{"price": price.id, "quantity": 1}])


@pytest.mark.scenario("G11")
def test_12_only_loopback_and_only_test_keys(stripe_: EmulatorServer) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        create_app(Config(host="0.0.0.0"))
    for prefix in ("sk_live_", "rk_live_", "pk_test_", "sk_", ""):
        key = f"{prefix}abcdefghijklmnop"
        with pytest.raises(stripe.AuthenticationError) as refusal:
            stripe_.sdk(key).v1.checkout.sessions.create(session_params())
        assert key not in str(refusal.value.http_body)
    log = json.dumps([request.__dict__ for request in stripe_.emulator.request_log()])
    assert "abcdefghijklmnop" not in log

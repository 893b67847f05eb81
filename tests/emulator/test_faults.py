"""Faults on demand: exactly what was ordered goes wrong, and no more."""

import http.client
import json
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import stripe

from stripe_emulator.api import malformed
from stripe_emulator.api.request_faults import REFUSALS
from stripe_emulator.base.errors import StripeError
from stripe_emulator.faults import DELIVERY_FAULTS, KINDS, REQUEST_FAULTS
from tests.support.emulator import KEY, EmulatorServer
from tests.support.webhook_receiver import SECRET, Receiver

CREATE = "POST /v1/checkout/sessions"


def sessions_of(running: EmulatorServer) -> int:
    return running.emulator.counts()["checkout.session"]


@pytest.mark.parametrize("kind", ["rate_limit", "lock_timeout", "error_before"])
def test_a_fault_before_the_request_leaves_no_effect(stripe_: EmulatorServer, kind: str) -> None:
    stripe_.emulator.inject_fault("request", kind, match=CREATE)
    stripe_.client.v1.balance.retrieve()

    with pytest.raises(stripe.StripeError) as refusal:
        stripe_.a_session("k")

    assert refusal.value.http_status == (500 if kind == "error_before" else 429)
    assert sessions_of(stripe_) == 0
    assert stripe_.emulator.faults() == []
    assert stripe_.a_session("k").id, "nothing was saved under the key"


def test_an_error_after_acting_leaves_the_session_and_is_saved(stripe_: EmulatorServer) -> None:
    stripe_.emulator.inject_fault("request", "error_after", match=CREATE)

    for _ in range(2):
        with pytest.raises(stripe.APIError):
            stripe_.a_session("k")

    assert sessions_of(stripe_) == 1


def test_a_saved_error_has_no_effect_and_needs_a_new_key(stripe_: EmulatorServer) -> None:
    stripe_.emulator.inject_fault("request", "error_kept", match=CREATE)

    for _ in range(2):
        with pytest.raises(stripe.APIError):
            stripe_.a_session("k")

    assert sessions_of(stripe_) == 0
    assert stripe_.a_session("another").id


@pytest.mark.parametrize("kind", ["cut", "hang"])
def test_a_lost_answer_is_found_again_with_the_same_key(stripe_: EmulatorServer, kind: str) -> None:
    stripe_.emulator.inject_fault("request", kind, match=CREATE, value="0.2")

    with pytest.raises(stripe.APIConnectionError):
        stripe_.a_session("k")

    assert sessions_of(stripe_) == 1
    assert stripe_.a_session("k").id == stripe_.client.v1.checkout.sessions.list().data[0].id


def test_hanging_outlasts_the_callers_patience(stripe_: EmulatorServer) -> None:
    stripe_.emulator.inject_fault("request", "hang", value="30")
    connection = http.client.HTTPConnection("127.0.0.1", stripe_.config.port, timeout=0.3)

    with pytest.raises(TimeoutError):
        connection.request("GET", "/v1/balance", headers={"Authorization": f"Bearer {KEY}"})
        connection.getresponse()

    connection.close()
    assert stripe_.client.v1.balance.retrieve().object == "balance", "nobody else waits"


def test_slow_is_slow_and_right(stripe_: EmulatorServer) -> None:
    stripe_.emulator.inject_fault("request", "slow", value="300")
    started = time.monotonic()

    assert stripe_.a_session().status == "open"

    assert time.monotonic() - started > 0.3


def test_a_fault_applies_to_the_next_n_matching_requests(stripe_: EmulatorServer) -> None:
    stripe_.emulator.inject_fault("request", "rate_limit", times=2, match="GET /v1/checkout/*")
    stripe_.a_session()
    outcomes = []
    for _ in range(4):
        try:
            stripe_.client.v1.checkout.sessions.list()
            outcomes.append("ok")
        except stripe.RateLimitError:
            outcomes.append("429")

    assert outcomes == ["429", "429", "ok", "ok"]


def test_the_same_seed_strikes_the_same_requests(stripe_: EmulatorServer) -> None:
    def struck(seed: int) -> list[bool]:
        stripe_.emulator.clear_faults()
        stripe_.emulator.inject_fault("request", "rate_limit", times=100, seed=seed, chance=0.5)
        outcomes = []
        for _ in range(16):
            status, _, _ = stripe_.raw("GET", "/v1/balance")
            outcomes.append(status == 429)
        return outcomes

    first, again, other = struck(7), struck(7), struck(8)

    assert first == again
    assert first != other
    assert 0 < sum(first) < 16


def test_a_dropped_delivery_is_never_sent(stripe_: EmulatorServer, receiver: Receiver) -> None:
    stripe_.emulator.inject_fault("delivery", "drop", match="product.*")
    product = stripe_.client.v1.products.create({"name": "Lost"})
    # Otherwise the second event is delivered in parallel and may arrive first.
    stripe_.emulator.dispatcher.wait_until_idle()
    stripe_.client.v1.products.update(product.id, {"name": "Found"})
    receiver.wait_for("product.updated")
    stripe_.emulator.dispatcher.wait_until_idle()

    assert receiver.of("product.created") == []
    dropped = stripe_.emulator.deliveries(state="dropped")
    assert [delivery.event_type for delivery in dropped] == ["product.created"]
    listed = stripe_.client.v1.events.list({"delivery_success": False}).data
    assert [event.type for event in listed] == ["product.created"]


def test_a_duplicated_delivery_is_sent_n_times_with_one_event_id(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    stripe_.emulator.inject_fault("delivery", "duplicate", value="5")
    stripe_.client.v1.products.create({"name": "Echo"})

    arrived = receiver.wait_for("product.created", 5)
    stripe_.emulator.dispatcher.wait_until_idle()

    assert len(receiver.of("product.created")) == 5
    assert len({delivery.event["id"] for delivery in arrived}) == 1
    assert all(delivery.genuine() for delivery in arrived)


def test_a_reordered_delivery_is_sent_after_a_later_one(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    stripe_.emulator.inject_fault("delivery", "reorder", match="product.created")
    product = stripe_.client.v1.products.create({"name": "First"})
    stripe_.emulator.dispatcher.wait_until_idle()
    assert receiver.arrived == []
    stripe_.client.v1.products.update(product.id, {"name": "Second"})

    receiver.wait_for("product.created")

    assert [delivery.type for delivery in receiver.arrived] == [
        "product.updated",
        "product.created",
    ]


def test_a_delayed_delivery_is_sent_at_its_time(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    stripe_.emulator.inject_fault("delivery", "delay", value="259200")
    stripe_.client.v1.products.create({"name": "Late"})
    stripe_.emulator.dispatcher.wait_until_idle()
    assert receiver.arrived == []

    stripe_.emulator.move_clock(259201)

    (late,) = receiver.wait_for("product.created")
    assert late.genuine()


@pytest.mark.parametrize("kind", ["tamper", "wrong_secret", "old_timestamp"])
def test_a_delivery_with_a_bad_signature_is_retried_with_a_good_one(
    stripe_: EmulatorServer, receiver: Receiver, kind: str
) -> None:
    receiver.answer = lambda _: (200 if receiver.arrived[-1].genuine() else 400, 0)
    stripe_.emulator.inject_fault("delivery", kind)
    stripe_.client.v1.products.create({"name": "Bent"})
    (bent,) = receiver.wait_for("product.created")
    stripe_.emulator.dispatcher.wait_until_idle()
    stripe_.emulator.move_clock(601)
    right = receiver.wait_for("product.created", 2)[1]
    stripe_.emulator.dispatcher.wait_until_idle()

    assert not bent.genuine()
    assert right.genuine()
    (delivery,) = stripe_.emulator.deliveries()
    assert [attempt.trouble for attempt in delivery.attempts] == [kind, None]
    assert delivery.state == "succeeded"


def test_a_forged_event_is_sent_before_the_genuine_one(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    stripe_.emulator.inject_fault("delivery", "forge")
    stripe_.client.v1.products.create({"name": "Target"})

    forged, true = receiver.wait_for("product.created", 2)

    assert (forged.genuine(), true.genuine()) == (False, True)
    assert forged.event["id"] != true.event["id"]
    with pytest.raises(stripe.InvalidRequestError):
        stripe_.client.v1.events.retrieve(forged.event["id"])


@pytest.mark.parametrize(
    ("kind", "value", "field", "reported"),
    [
        ("livemode", "", "livemode", True),
        ("amount", "", "amount_total", 3999),
        ("amount", "1", "amount_total", 1),
        ("currency", "", "currency", "eur"),
        ("currency", "jpy", "currency", "jpy"),
    ],
)
def test_a_falsified_event_has_a_valid_signature(
    stripe_: EmulatorServer, receiver: Receiver, kind: str, value: str, field: str, reported: object
) -> None:
    stripe_.emulator.inject_fault("delivery", kind, match="checkout.*", value=value)
    stripe_.pay(stripe_.a_session().id)

    (lie,) = receiver.wait_for("checkout.session.completed")

    assert lie.genuine(SECRET)
    assert lie.event["data"]["object"][field] == reported
    assert lie.event["livemode"] is (kind == "livemode")


def retrieved(stripe_: EmulatorServer, session_id: str) -> int:
    """The status of the answer to a look-up by id."""
    return stripe_.raw("GET", f"/v1/checkout/sessions/{session_id}")[0]


def listed(stripe_: EmulatorServer, query: str = "") -> list[object]:
    status, _, body = stripe_.raw("GET", f"/v1/checkout/sessions{query}")
    assert status == 200
    data: list[object] = json.loads(body)["data"]
    return data


@pytest.mark.parametrize(
    ("kind", "status"), [("rate_limit", 429), ("error_before", 500), ("gone", 404)]
)
def test_a_permanent_fault_applies_to_one_object_only(
    stripe_: EmulatorServer, kind: str, status: int
) -> None:
    ill, well = stripe_.a_session().id, stripe_.a_session().id
    made = stripe_.control("POST", "troubles", target="request", kind=kind, times=None, match=ill)

    assert made["remaining"] is None
    assert [retrieved(stripe_, ill) for _ in range(3)] == [status] * 3
    assert retrieved(stripe_, well) == 200
    assert stripe_.raw("GET", f"/v1/checkout/sessions?starting_after={ill}")[0] == 200

    stripe_.control("DELETE", f"troubles/{made['id']}")
    assert retrieved(stripe_, ill) == 200


def test_a_fault_applies_to_every_request_that_names_the_object(stripe_: EmulatorServer) -> None:
    intent = stripe_.a_payment()
    stripe_.emulator.inject_fault("request", "lock_timeout", times=None, match=intent.id)

    asked: list[Callable[[], object]] = [
        lambda: stripe_.client.v1.payment_intents.retrieve(intent.id),
        lambda: stripe_.client.v1.refunds.create({"payment_intent": intent.id}),
        lambda: stripe_.client.v1.refunds.list({"payment_intent": intent.id}),
    ]

    for ask in asked:
        with pytest.raises(stripe.RateLimitError):
            ask()


def test_deleted_objects_are_in_no_list_and_give_stripes_error(stripe_: EmulatorServer) -> None:
    gone, left = stripe_.a_session().id, stripe_.a_session().id
    stripe_.emulator.inject_fault("request", "gone", times=None, match=gone)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stripe_.client.v1.checkout.sessions.retrieve(gone)

    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")
    assert f"No such checkout.session: {gone}" in str(refusal.value)
    assert [session["id"] for session in listed(stripe_)] == [left]  # type: ignore[index]


@pytest.mark.parametrize("shape", malformed.SHAPES)
def test_an_answer_is_malformed_as_a_whole_and_as_one_item_of_a_list(
    stripe_: EmulatorServer, shape: str
) -> None:
    ill, well = stripe_.a_session().id, stripe_.a_session().id
    right = stripe_.raw("GET", f"/v1/checkout/sessions/{ill}")[2]
    stripe_.emulator.inject_fault("request", "malformed", times=None, match=ill, value=shape)

    status, headers, body = stripe_.raw("GET", f"/v1/checkout/sessions/{ill}")
    first, second = listed(stripe_)

    assert status == 200
    assert body != right
    assert headers["Content-Type"].startswith("text/html" if shape == "html" else "application/")
    if shape == "truncated":
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)
    assert first["id"] == well  # type: ignore[index]
    assert second != json.loads(right)


def test_a_malformed_answer_is_sent_after_the_request_took_effect(stripe_: EmulatorServer) -> None:
    stripe_.emulator.inject_fault("request", "malformed", match=CREATE, value="json")

    assert not hasattr(stripe_.a_session("k"), "id")

    assert sessions_of(stripe_) == 1
    assert stripe_.a_session("k").status == "open"


@pytest.mark.parametrize(
    ("match", "right"),
    [
        ("GET /v1/events", "rak_event_read"),
        ("POST /v1/refunds", "rak_charge_write"),
        ("GET /v1/checkout/*", "rak_checkout_session_read"),
    ],
)
def test_a_missing_permission_forbids_one_call_with_stripes_error(
    stripe_: EmulatorServer, match: str, right: str
) -> None:
    stripe_.emulator.inject_fault("request", "forbidden", times=None, match=match)
    method, path = match.replace("*", "sessions").split(" ")

    status, _, body = stripe_.raw(method, path)

    error = json.loads(body)["error"]
    assert (status, error["type"], error.get("code")) == (403, "invalid_request_error", None)
    assert f"'{right}' permission would allow this request" in error["message"]
    assert KEY not in error["message"]
    assert stripe_.raw("GET", "/v1/balance")[0] == 200


@pytest.mark.parametrize("value", REFUSALS)
def test_a_refund_is_refused_so_often_and_its_key_keeps_that(
    stripe_: EmulatorServer, value: str
) -> None:
    intent = stripe_.a_payment()
    stripe_.emulator.inject_fault(
        "request", "refuse", times=2, match="POST /v1/refunds", value=value
    )

    def refund(key: str) -> stripe.Refund:
        options: stripe.RequestOptions = {"idempotency_key": key}
        return stripe_.client.v1.refunds.create({"payment_intent": intent.id}, options)

    for key in ("first", "second", "first"):
        with pytest.raises(stripe.InvalidRequestError) as refusal:
            refund(key)
        assert refusal.value.http_status == 400
        assert refusal.value.code == REFUSALS[value][1]

    assert refund("third").status == "succeeded"


@pytest.mark.parametrize("seconds", [-2100.0, 65.0, 86400.0])
def test_a_clock_that_is_off_shows_in_the_date_in_limits_and_signatures(
    stripe_: EmulatorServer, receiver: Receiver, seconds: float
) -> None:
    stripe_.control("POST", "clock", off=seconds)

    _, headers, _ = stripe_.raw("GET", "/v1/balance")
    session = stripe_.a_session()
    stripe_.client.v1.products.create({"name": "Signed"})
    (delivery,) = receiver.wait_for("product.created")

    off = parsedate_to_datetime(headers["Date"]).timestamp() - time.time()
    assert headers.get_all("Date") == [headers["Date"]]
    assert abs(off - seconds) < 5
    assert abs(session.created - time.time() - seconds) < 5
    signed = int(delivery.signature.split(",")[0].removeprefix("t="))
    assert abs(signed - time.time() - seconds) < 5
    stripe_.emulator.reset()
    assert abs(stripe_.emulator.now() - time.time()) < 5


def test_every_kind_of_fault_has_a_test_and_unknown_ones_are_refused(
    stripe_: EmulatorServer,
) -> None:
    source = Path(__file__).read_text()
    for kind in [*REQUEST_FAULTS, *DELIVERY_FAULTS]:
        assert f'"{kind}"' in source, kind
    for target, kinds in KINDS.items():
        assert kinds
        with pytest.raises(StripeError, match="Invalid kind"):
            stripe_.emulator.inject_fault(target, "nothing")  # type: ignore[arg-type]
    for nonsense in ({"times": 0}, {"chance": 0.0}, {"value": "soon"}):
        with pytest.raises(StripeError):
            stripe_.emulator.inject_fault("request", "slow", **nonsense)
    for kind in ("malformed", "refuse"):
        with pytest.raises(StripeError, match="Invalid value: must be one of"):
            stripe_.emulator.inject_fault("request", kind, value="nothing")
    assert stripe_.emulator.faults() == []


def test_the_controls_do_all_this_over_http(stripe_: EmulatorServer, receiver: Receiver) -> None:
    made = stripe_.control("POST", "troubles", target="request", kind="rate_limit", times=3)
    assert made["remaining"] == 3
    assert len(stripe_.control("GET", "troubles")) == 1
    stripe_.control("DELETE", f"troubles/{made['id']}")
    stripe_.control("DELETE", "troubles")
    before = stripe_.control("GET", "clock")["now"]
    assert stripe_.control("POST", "clock", seconds=100)["now"] >= before + 100
    session = stripe_.a_session()
    stripe_.control("POST", "snapshot", name="open")
    paid = stripe_.control("POST", f"sessions/{session.id}/pay")
    assert paid["outcome"] == "succeeded"
    stripe_.control("POST", "restore", name="open")
    assert stripe_.client.v1.checkout.sessions.retrieve(session.id).status == "open"
    later = stripe_.control("POST", f"sessions/{session.id}/pay_later", outcome="succeeds")
    assert later["outcome"] == "processing"
    intent = stripe_.intent_of(session.id)
    assert stripe_.control("POST", f"payments/{intent.id}/settle", succeeded=True)["status"]
    charge = stripe_.charge_of(intent)
    dispute = stripe_.control("POST", f"charges/{charge.id}/dispute", reason="duplicate")
    closed = stripe_.control("POST", f"disputes/{dispute['id']}/close", won=True)
    assert closed["status"] == "won"
    (completed,) = stripe_.client.v1.events.list({"type": "checkout.*.completed"}).data
    resent = stripe_.control("POST", f"events/{completed.id}/resend")
    assert resent == {"deliveries": 1}
    (endpoint,) = stripe_.client.v1.webhook_endpoints.list().data
    rolled = stripe_.control("POST", f"endpoints/{endpoint.id}/roll", seconds=60)
    assert rolled["secret"].startswith("whsec_")
    assert stripe_.control("GET", "deliveries")
    stripe_.control("POST", "reset")
    health = stripe_.control("GET", "health")
    assert health["counts"]["checkout.session"] == 0
    assert health["counts"]["webhook_endpoint"] == 1


def test_the_controls_are_not_for_other_sites(stripe_: EmulatorServer) -> None:
    status, _, _ = stripe_.raw(
        "POST", "/emulator/reset", b"", Sec_Fetch_Site="cross-site", Content_Type="text/plain"
    )
    unknown = stripe_.raw(
        "POST",
        "/emulator/clock",
        json.dumps({"minutes": 1}).encode(),
        Content_Type="application/json",
    )
    outside = stripe_.raw(
        "POST",
        "/emulator/restore",
        b'{"name": "../../etc/passwd"}',
        Content_Type="application/json",
    )

    rebound = stripe_.raw("GET", "/emulator/clock", Host="evil.example")

    assert (status, rebound[0], unknown[0], outside[0]) == (403, 403, 422, 400)


def test_a_fault_can_be_limited_to_one_endpoint(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    (ours,) = stripe_.client.v1.webhook_endpoints.list().data
    stripe_.client.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    stripe_.emulator.inject_fault("delivery", "drop", match=ours.id)

    stripe_.client.v1.products.create({"name": "Shirt"})

    assert stripe_.emulator.dispatcher.wait_until_idle()
    states = {one.endpoint_id == ours.id: one.state for one in stripe_.emulator.deliveries()}
    assert states == {True: "dropped", False: "succeeded"}

"""Signed bytes in, an event and the fact it carries out; what cannot be read becomes a doubt."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from store.core.errors import EventMalformed
from store.orders.stripe_facts import (
    CheckoutFact,
    DoubtFact,
    FailedAttemptFact,
    ReceiptFact,
    RefundFact,
)
from store.webhooks import parsing

NUMBER = "TEST-TEST-TEST-TEST"
OURS = {"order_number": NUMBER}
SESSION = {
    "id": "cs_test_1",
    "metadata": OURS,
    "status": "complete",
    "payment_status": "paid",
    "amount_total": 3998,
    "currency": "usd",
    "livemode": False,
    "payment_intent": "pi_1",
    "customer_details": {"email": "ada@example.com"},
}
REFUND = {
    "id": "re_1",
    "metadata": OURS | {"refund_key": "a-key"},
    "payment_intent": "pi_1",
    "amount": 1000,
    "currency": "usd",
    "status": "succeeded",
}
CHARGE = {
    "id": "ch_1",
    "metadata": OURS,
    "payment_intent": "pi_1",
    "amount": 3998,
    "currency": "usd",
    "livemode": False,
    "receipt_url": "https://pay.stripe.com/receipts/1",
}


def an_event(kind: str, thing: Any, **changes: Any) -> dict[str, Any]:
    event = {"object": "event", "id": "evt_1", "type": kind, "created": 1_800_000_000}
    return event | {"livemode": False, "data": {"object": thing}} | changes


# --- the body -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["event", "v2.core.event"])
def test_a_body_is_parsed_into_its_event(kind: str) -> None:
    event = {"object": kind, "id": "evt_1", "data": {"amount": 3998, "name": "é"}}

    assert parsing.decode_body(json.dumps(event).encode()) == event


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b'"event"', b"1", b"{}", b'{"object": "refund"}'),
        *(b'{"object": "event", "id": NaN}', b'{"object": "event"} {}', b'{"object": "event\xff"}'),
        b'{"object": "event", "id": "evt_1", "id": "evt_2"}',
        b'{"object": "event", "data": ' + b"[" * 100_000,
    ],
    ids=range(13),
)
def test_a_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(EventMalformed):
        parsing.decode_body(body)


# --- the event ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["id", "type"])
@pytest.mark.parametrize("value", [None, "", 1, "x" * 256, "a\x00b", ["evt_1"]])
def test_an_event_without_an_id_or_a_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(EventMalformed):
        parsing.parse_event(an_event("checkout.session.completed", SESSION, **{name: value}))


def test_an_event_of_another_type_concerns_no_order_and_may_name_one() -> None:
    other = parsing.parse_event(an_event("invoice.paid", {"id": "in_1", "metadata": OURS}))

    assert other.type not in parsing.HANDLERS
    assert (other.fact, other.order_number) == (None, NUMBER)


@pytest.mark.parametrize("number", ["", "x" * 65, "a\nb", 7, None, {"a": 1}])
def test_an_order_number_that_cannot_be_stored_is_left_out(number: Any) -> None:
    thing = {"id": "in_1", "metadata": {"order_number": number}}

    assert parsing.parse_event(an_event("invoice.paid", thing)).order_number is None


def test_an_event_in_live_mode_carries_no_fact() -> None:
    live = parsing.parse_event(an_event("checkout.session.completed", SESSION, livemode=True))

    assert (live.livemode, live.fact) == (True, None)


def test_the_time_of_an_event_is_read_in_utc() -> None:
    moment = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
    thin = an_event("x", {}, object="v2.core.event", created="2027-01-15T09:00:00+01:00")

    assert parsing.parse_event(an_event("x", {})).created_at == moment
    assert parsing.parse_event(thin).created_at == moment


@pytest.mark.parametrize(
    "created", [None, "yesterday", True, 1.5, -1, 10**12, "2027-01-15T08:00:00"]
)
def test_an_event_with_an_odd_time_is_doubted(created: Any) -> None:
    event = parsing.parse_event(an_event("checkout.session.completed", SESSION, created=created))

    assert event.odd == "the event does not say when it was made"
    assert isinstance(event.fact, DoubtFact)


# --- Checkout Sessions ----------------------------------------------------------------------


def test_a_completed_session_carries_what_its_order_is_compared_with() -> None:
    event = parsing.parse_event(an_event("checkout.session.completed", SESSION))

    assert event.fact == CheckoutFact(
        order_number=NUMBER,
        origin="evt_1",
        call='{"event_id":"evt_1"}',
        session_id="cs_test_1",
        status="complete",
        payment_status="paid",
        amount=3998,
        currency="usd",
        livemode=False,
        payment_intent_id="pi_1",
        email="ada@example.com",
    )


@pytest.mark.parametrize(
    ("kind", "status", "payment_status"),
    [
        ("checkout.session.completed", "unpaid", "unpaid"),
        ("checkout.session.async_payment_failed", "unpaid", "failed"),
        ("checkout.session.async_payment_succeeded", "paid", "paid"),
        ("checkout.session.async_payment_failed", "paid", "paid"),  # paid by another attempt
    ],
)
def test_a_delayed_payment_fails_only_by_its_own_event(
    kind: str, status: str, payment_status: str
) -> None:
    fact = parsing.parse_event(an_event(kind, SESSION | {"payment_status": status})).fact

    assert isinstance(fact, CheckoutFact)
    assert fact.payment_status == payment_status


@pytest.mark.parametrize("status", ["requires_payment_method", "canceled"])
def test_a_complete_session_whose_payment_gave_up_has_failed(status: str) -> None:
    payment = {"payment_status": "unpaid", "payment_intent": {"id": "pi_1", "status": status}}

    fact = parsing.parse_event(an_event("checkout.session.completed", SESSION | payment)).fact

    assert isinstance(fact, CheckoutFact)
    assert (fact.payment_status, fact.payment_intent_id) == ("failed", "pi_1")


def test_a_session_of_somebody_elses_carries_no_fact() -> None:
    event = parsing.parse_event(an_event("checkout.session.completed", SESSION | {"metadata": {}}))

    assert (event.fact, event.odd) == (None, "")
    assert event.type in parsing.HANDLERS


@pytest.mark.parametrize(
    "change",
    [
        {"amount_total": "3998"},
        {"amount_total": 39.98},
        {"livemode": "no"},
        {"payment_status": "failed"},  # our own word, which Stripe never uses here
        {"status": "refused"},
        {"payment_intent": ["pi_1"]},
        {"id": None},
        {"customer_details": {"email": "a\x00b"}},
    ],
    ids=str,
)
def test_a_session_that_cannot_be_read_is_a_doubt_about_its_order(change: dict[str, Any]) -> None:
    event = parsing.parse_event(an_event("checkout.session.completed", SESSION | change))

    assert event.odd == "the event's checkout cannot be read"
    assert isinstance(event.fact, DoubtFact)
    assert (event.fact.order_number, event.fact.about) == (NUMBER, "checkout")


def test_an_event_not_marked_as_test_mode_is_a_doubt() -> None:
    event = parsing.parse_event(an_event("checkout.session.completed", SESSION, livemode=None))

    assert event.odd == "the event is not marked as test mode"
    assert isinstance(event.fact, DoubtFact)


@pytest.mark.parametrize("data", [None, [], {}, {"object": None}, {"object": "cs_test_1"}])
def test_an_event_without_an_object_names_no_order(data: Any) -> None:
    event = parsing.parse_event(an_event("checkout.session.completed", None, data=data))

    assert (event.fact, event.odd) == (None, "the event has no object")


# --- money back, receipts, failed attempts --------------------------------------------------


def test_a_refund_carries_the_key_of_our_own_row() -> None:
    fact = parsing.parse_event(an_event("refund.updated", REFUND)).fact

    assert isinstance(fact, RefundFact)
    assert (fact.refund_id, fact.amount, fact.status) == ("re_1", 1000, "succeeded")
    assert fact.key == "a-key"


@pytest.mark.parametrize("status", [None, "thinking", ""])
def test_a_refund_without_a_known_status_is_pending(status: str | None) -> None:
    fact = parsing.parse_event(an_event("refund.updated", REFUND | {"status": status})).fact

    assert isinstance(fact, RefundFact)
    assert fact.status == "pending"


@pytest.mark.parametrize("amount", [0, -1, 2**31, "1000", None, 10.0])
def test_a_refund_of_no_amount_is_a_doubt(amount: Any) -> None:
    event = parsing.parse_event(an_event("refund.created", REFUND | {"amount": amount}))

    assert isinstance(event.fact, DoubtFact)
    assert event.fact.about == "money back"


@pytest.mark.parametrize("kind", ["charge.succeeded", "charge.updated"])
def test_a_charge_carries_its_receipt(kind: str) -> None:
    fact = parsing.parse_event(an_event(kind, CHARGE)).fact

    assert isinstance(fact, ReceiptFact)
    assert fact.receipt_url == "https://pay.stripe.com/receipts/1"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example", ""])
def test_a_receipt_that_is_no_web_address_is_left_out(url: str) -> None:
    event = parsing.parse_event(an_event("charge.succeeded", CHARGE | {"receipt_url": url}))

    assert event.fact is None
    assert event.odd == "the event's receipt cannot be read"


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("insufficient_funds", "insufficient_funds"),
        ("stolen_card", "generic_decline"),
        ("fraudulent", "generic_decline"),
        (None, None),
    ],
)
def test_a_failed_attempt_keeps_the_reasons_that_stripe_asks_to_hide(
    reason: str | None, shown: str | None
) -> None:
    charge = CHARGE | {"outcome": {"reason": reason}, "failure_message": "Your card was declined."}

    fact = parsing.parse_event(an_event("charge.failed", charge)).fact

    assert isinstance(fact, FailedAttemptFact)
    assert (fact.attempt, fact.message) == ("ch_1", "Your card was declined.")
    assert json.loads(fact.call)["decline_code"] == shown


def test_both_events_of_a_failed_attempt_name_the_same_attempt() -> None:
    error = {"charge": "ch_1", "message": "Your card was declined."}
    intent = CHARGE | {"id": "pi_1", "last_payment_error": error}

    by_payment = parsing.parse_event(an_event("payment_intent.payment_failed", intent)).fact
    by_charge = parsing.parse_event(an_event("charge.failed", CHARGE)).fact

    assert isinstance(by_payment, FailedAttemptFact)
    assert isinstance(by_charge, FailedAttemptFact)
    assert by_payment.attempt == by_charge.attempt


@pytest.mark.parametrize(
    ("kind", "asks"),
    [
        *(("refund.created", True), ("charge.dispute.closed", True)),
        *(("checkout.session.completed", False), ("charge.succeeded", False), (None, False)),
    ],
)
def test_only_refunds_and_disputes_may_need_a_look_up(kind: str | None, asks: bool) -> None:
    assert parsing.needs_lookup({"type": kind}) is asks

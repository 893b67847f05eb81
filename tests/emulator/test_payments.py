"""Paying: every test card does what its row in Stripe's table says."""

import json
import time
from typing import Any

import pytest
import stripe

from stripe_emulator.base.errors import StripeError
from stripe_emulator.base.test_cards import TEST_CARDS, TestCard, is_luhn
from tests.support.emulator import VISA, EmulatorServer
from tests.support.webhook_receiver import Receiver

SUCCEED = [card for card in TEST_CARDS if card.outcome == "succeeds"]
DECLINE = [card for card in TEST_CARDS if card.outcome == "declines"]
ASK = [card for card in TEST_CARDS if card.outcome.startswith("challenge")]
SUCCESS_EVENTS = [
    *("payment_intent.created", "charge.succeeded", "payment_intent.succeeded"),
    "checkout.session.completed",
]


def label(card: TestCard) -> str:
    return card.label


@pytest.mark.parametrize("card", SUCCEED, ids=label)
def test_a_card_that_succeeds_pays_the_session(stripe_: EmulatorServer, card: TestCard) -> None:
    session = stripe_.a_session()

    result = stripe_.pay(session.id, card.number)

    paid = stripe_.client.v1.checkout.sessions.retrieve(session.id)
    intent = stripe_.intent_of(session.id)
    assert result.outcome == "succeeded"
    assert (paid.status, paid.payment_status, paid.amount_total) == ("complete", "paid", 3998)
    assert paid.customer_details is not None
    assert paid.customer_details.email == "ada@example.com"
    assert (intent.status, intent.amount_received) == ("succeeded", 3998)
    assert isinstance(intent.latest_charge, stripe.Charge)
    details = intent.latest_charge.payment_method_details
    assert details is not None
    assert details.card is not None
    assert (details.card.brand, details.card.last4) == (card.brand, card.last4)
    assert stripe_.event_types() == SUCCESS_EVENTS


@pytest.mark.parametrize("card", DECLINE, ids=label)
def test_a_card_that_declines_says_why_and_leaves_the_session_open(
    stripe_: EmulatorServer, card: TestCard
) -> None:
    session = stripe_.a_session()

    result = stripe_.pay(session.id, card.number)

    intent = stripe_.intent_of(session.id)
    assert card.decline is not None
    assert (result.outcome, result.message) == ("declined", card.decline.message)
    assert stripe_.client.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == card.decline.code
    assert intent.last_payment_error.decline_code == card.decline.decline_code
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert (intent.latest_charge.status, intent.latest_charge.paid) == ("failed", False)
    assert stripe_.pay(session.id).outcome == "succeeded"


@pytest.mark.parametrize("card", ASK, ids=label)
@pytest.mark.parametrize("passed", [True, False])
def test_a_3d_secure_card_pays_only_after_the_challenge(
    stripe_: EmulatorServer, card: TestCard, passed: bool
) -> None:
    session = stripe_.a_session()
    asked = stripe_.pay(session.id, card.number)
    assert asked.challenge_id is not None
    question = stripe_.emulator.checkout.challenge(asked.challenge_id)
    assert question is not None
    assert (question.amount, question.last4) == (3998, card.last4)
    assert stripe_.intent_of(session.id).status == "requires_action"

    result = stripe_.emulator.checkout.answer_challenge(asked.challenge_id, passed)

    pays = passed and card.outcome == "challenge"
    assert result.outcome == ("succeeded" if pays else "declined")
    after = stripe_.client.v1.checkout.sessions.retrieve(session.id)
    assert after.status == ("complete" if pays else "open")
    assert stripe_.emulator.checkout.challenge(asked.challenge_id) is None
    with pytest.raises(StripeError):
        stripe_.emulator.checkout.answer_challenge(asked.challenge_id, True)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("number", "4242424242424241", "incorrect"),
        ("number", "4242", "incomplete"),
        ("number", "4111 1111 1111 1111", "test cards only"),
        ("number", "٤٢٤٢424242424242", "incomplete"),
        ("expiry", "01/20", "in the past"),
        ("expiry", "13/34", "invalid"),
        ("expiry", "1", "incomplete"),
        ("expiry", "12/99", "invalid"),
        ("cvc", "12", "incomplete"),
        ("cvc", "1234", "incomplete"),
        ("email", "", "missing"),
        ("email", "ada", "incomplete"),
    ],
)
def test_a_field_that_cannot_be_is_named_and_nothing_is_attempted(
    stripe_: EmulatorServer, field: str, value: str, words: str
) -> None:
    session = stripe_.a_session()
    form: dict[str, Any] = {"number": VISA, "expiry": "12/34", "cvc": "123"}
    form |= {"name": "A", "email": "a@b.example", field: value}

    result = stripe_.emulator.checkout.pay_with_card(session.id, **form)

    assert (result.outcome, result.field) == ("invalid", field)
    assert words in (result.message or "")
    assert stripe_.event_types() == []


def test_a_card_number_is_never_stored(stripe_: EmulatorServer) -> None:
    real_looking = "4111111111111111"
    assert is_luhn(real_looking)
    session = stripe_.a_session()
    stripe_.pay(session.id, real_looking)
    stripe_.pay(session.id, ASK[0].number)
    stripe_.pay(session.id, VISA)
    emulator = stripe_.emulator
    with emulator.account.reading() as tx:
        tx.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    stored = emulator.account.storage.path.read_bytes()

    assert b"ada@example.com" in stored
    assert real_looking.encode() not in stored
    for card in TEST_CARDS:
        assert card.number.encode() not in stored
    assert len({card.last4 for card in TEST_CARDS}) == len(TEST_CARDS)


@pytest.mark.parametrize(
    ("number", "reason", "status", "withdrawn"),
    [
        ("4000000000000259", "fraudulent", "needs_response", True),
        ("4000000000002685", "product_not_received", "needs_response", True),
        ("4000000000001976", "general", "warning_needs_response", False),
    ],
)
def test_cards_that_dispute_do_so_a_moment_later(
    stripe_: EmulatorServer, number: str, reason: str, status: str, withdrawn: bool
) -> None:
    intent = stripe_.a_payment(number)
    stripe_.emulator.move_clock(5)

    (dispute,) = stripe_.client.v1.disputes.list({"payment_intent": intent.id}).data

    assert (dispute.reason, dispute.status, dispute.amount) == (reason, status, 3998)
    assert ("charge.dispute.funds_withdrawn" in stripe_.event_types()) == withdrawn
    assert stripe_.charge_of(intent).disputed
    if not withdrawn:
        assert stripe_.client.v1.refunds.create({"payment_intent": intent.id}).status == "succeeded"


@pytest.mark.parametrize("won", [True, False])
def test_a_dispute_ends_won_or_lost_and_only_once(stripe_: EmulatorServer, won: bool) -> None:
    intent = stripe_.a_payment()
    emulator, before = stripe_.emulator, stripe_.client.v1.balance.retrieve()
    assert isinstance(intent.latest_charge, stripe.Charge)
    opened = emulator.dispute(intent.latest_charge.id, "unrecognized")

    closed = emulator.close_dispute(opened["id"], won)

    assert closed["status"] == ("won" if won else "lost")
    types = stripe_.event_types()
    assert types.index("charge.dispute.created") < types.index("charge.dispute.closed")
    assert ("charge.dispute.funds_reinstated" in types) == won
    assert before.object == "balance"
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        stripe_.client.v1.disputes.close(opened["id"])
    with pytest.raises(StripeError):
        emulator.dispute(intent.latest_charge.id)


@pytest.mark.parametrize(
    ("text", "status"), [("winning_evidence", "won"), ("losing_evidence", "lost")]
)
def test_stripes_two_test_sentences_decide_a_dispute(
    stripe_: EmulatorServer, text: str, status: str
) -> None:
    intent = stripe_.a_payment("4000000000000259")
    stripe_.emulator.move_clock(5)
    (dispute,) = stripe_.client.v1.disputes.list({"payment_intent": intent.id}).data

    stripe_.client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": text}})

    assert stripe_.client.v1.disputes.retrieve(dispute.id).status == status


def test_the_balance_is_what_the_transactions_say(stripe_: EmulatorServer) -> None:
    intent = stripe_.a_payment()
    stripe_.emulator.move_clock(2)
    stripe_.client.v1.refunds.create({"payment_intent": intent.id, "amount": 998})

    waiting = stripe_.client.v1.balance.retrieve()
    stripe_.emulator.move_clock(8 * 86400)
    ready = stripe_.client.v1.balance.retrieve()

    fee = round(3998 * 0.029) + 30
    assert (waiting.pending[0].amount, waiting.available[0].amount) == (3998 - fee, -998)
    assert (ready.pending[0].amount, ready.available[0].amount) == (0, 3998 - fee - 998)


def test_capture_is_announced_after_the_charge(stripe_: EmulatorServer) -> None:
    intent = stripe_.a_payment()
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.latest_charge.balance_transaction is None

    stripe_.emulator.move_clock(2)

    (updated,) = stripe_.client.v1.events.list({"type": "charge.updated"}).data
    assert updated.data.previous_attributes is not None
    assert updated.data.previous_attributes.to_dict() == {"balance_transaction": None}
    assert updated.data.object.to_dict()["balance_transaction"].startswith("txn_")


def test_checkout_waits_for_the_webhook_before_it_redirects(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    def slow(event: dict[str, Any]) -> tuple[int, float]:
        return 200, 0.4 if event["type"] == "checkout.session.completed" else 0

    receiver.answer = slow
    session = stripe_.a_session()
    stripe_.pay(session.id)
    (delivery,) = [
        delivery
        for delivery in stripe_.emulator.deliveries()
        if delivery.event_type == "checkout.session.completed"
    ]

    assert delivery.state == "succeeded", "the answer was in before the redirect was given"


def test_checkout_does_not_wait_for_an_endpoint_that_is_not_there(stripe_: EmulatorServer) -> None:
    (endpoint,) = stripe_.client.v1.webhook_endpoints.list().data
    stripe_.client.v1.webhook_endpoints.update(endpoint.id, {"url": "http://127.0.0.1:1/nobody"})
    session = stripe_.a_session()
    started = time.monotonic()

    assert stripe_.pay(session.id).outcome == "succeeded"

    assert time.monotonic() - started < 1
    stripe_.emulator.dispatcher.wait_until_idle()
    attempts = [d.attempts for d in stripe_.emulator.deliveries()]
    assert all("ConnectionRefused" in tries[0].body for tries in attempts)


def test_the_timeline_lists_every_request_event_and_delivery(stripe_: EmulatorServer) -> None:
    intent = stripe_.a_payment()
    stripe_.client.v1.refunds.create({"payment_intent": intent.id})
    stripe_.emulator.dispatcher.wait_until_idle()

    moments = stripe_.emulator.timeline(intent.id)

    titles = [moment.title for moment in moments]
    assert titles[0] == "POST /v1/checkout/sessions"
    assert "checkout.session.completed delivered" in titles
    assert "POST /v1/refunds" in titles
    assert "charge.refunded" in titles
    assert [moment.at for moment in moments] == sorted(moment.at for moment in moments)
    assert stripe_.emulator.counts()["refund"] == 1


def test_a_receipt_shows_what_was_paid(stripe_: EmulatorServer) -> None:
    intent = stripe_.a_payment()
    assert isinstance(intent.latest_charge, stripe.Charge)
    url = str(intent.latest_charge.receipt_url)

    status, _, page = stripe_.raw("GET", url.removeprefix(stripe_.config.address))

    assert status == 200
    assert "$39.98" in page.decode()
    assert stripe_.raw("GET", "/emulator/receipts/ch_nobody")[0] == 404


def test_the_request_log_keeps_no_signing_secret(stripe_: EmulatorServer) -> None:
    made = stripe_.client.v1.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/x", "enabled_events": ["charge.captured"]}
    )

    assert str(made.secret).startswith("whsec_")
    assert "secret" not in stripe_.client.v1.webhook_endpoints.retrieve(made.id)
    logged = "".join(request.response for request in stripe_.emulator.request_log())
    assert "whsec_****" in logged
    assert str(made.secret) not in logged


def test_the_request_log_masks_keys(stripe_: EmulatorServer) -> None:
    stripe_.a_session()

    (request,) = stripe_.emulator.request_log()

    assert request.key == "sk_test_**************6789"
    assert json.loads(request.parameters)["mode"] == "payment"
    assert (request.method, request.path, request.status) == ("POST", "/v1/checkout/sessions", 200)


def test_a_dispute_of_a_refunded_charge_takes_no_money(stripe_: EmulatorServer) -> None:
    """Money back before the bank's complaint: the timer finds nothing left, and time goes on."""
    intent = stripe_.a_payment("4000000000000259")
    stripe_.client.v1.refunds.create({"payment_intent": intent.id})

    stripe_.emulator.move_clock(60)

    assert stripe_.client.v1.disputes.list().data == []
    assert stripe_.charge_of(intent).balance_transaction is not None


def test_an_early_fraud_warning_follows_the_payment(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    intent = stripe_.a_payment("4000000000005423")

    stripe_.emulator.move_clock(5)

    (arrived,) = receiver.wait_for("radar.early_fraud_warning.created")
    warning = arrived.event["data"]["object"]
    assert (warning["payment_intent"], warning["actionable"]) == (intent.id, True)
    assert stripe_.charge_of(intent).disputed is False


def test_previous_attributes_of_metadata_hold_only_the_changed_keys(
    stripe_: EmulatorServer,
) -> None:
    client = stripe_.client.v1
    product = client.products.create({"name": "Shirt", "metadata": {"size": "L", "fit": "slim"}})

    client.products.update(product.id, {"metadata": {"size": "M", "fit": "", "cut": "V"}})

    (event,) = client.events.list({"type": "product.updated"}).data
    previous = json.loads(stripe_.raw("GET", f"/v1/events/{event.id}")[2])["data"]
    assert previous["previous_attributes"]["metadata"] == {
        "size": "L",
        "fit": "slim",
        "cut": None,
    }


def test_balance_transactions_are_listed_by_source(stripe_: EmulatorServer) -> None:
    intent = stripe_.a_payment()
    stripe_.a_payment()
    stripe_.emulator.move_clock(5)
    charge = stripe_.charge_of(intent)
    refund = stripe_.client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000})
    transactions = stripe_.client.v1.balance_transactions

    every = transactions.list()
    (of_charge,) = transactions.list({"source": charge.id, "expand": ["data.source"]}).data
    (of_refund,) = transactions.list({"type": "refund", "currency": "usd"}).data

    assert [one.type for one in every.data] == ["refund", "charge", "charge"]
    assert of_charge.id == charge.balance_transaction
    assert isinstance(of_charge.source, stripe.Charge)
    assert (of_refund.source, of_refund.amount) == (refund.id, -1000)
    assert transactions.list({"currency": "eur"}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such payout: 'po_1'"):
        transactions.list({"payout": "po_1"})

"""PaymentIntents that are created directly: confirmed, declined, authenticated, captured."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import stripe

from stripe_emulator.base.errors import StripeError
from tests.emulator import json_checker
from tests.support.emulator import EmulatorServer

BACK = "http://127.0.0.1:1/back?step=2"
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


def paid_with(method: str, **changes: Any) -> Any:
    """Parameters that create and confirm a payment of 20.00 at once."""
    return {
        "amount": 2000,
        "currency": "usd",
        "confirm": True,
        "payment_method": method,
        "return_url": BACK,
    } | changes


def test_a_payment_is_created_changed_confirmed_and_read(stripe_: EmulatorServer) -> None:
    intents = stripe_.client.v1.payment_intents
    customer = stripe_.client.v1.customers.create()
    made = intents.create({"amount": 1000, "currency": "eur", "metadata": {"order": "1"}})

    changed = intents.update(
        made.id,
        {"amount": 2000, "currency": "usd", "customer": customer.id, "metadata": {"more": "2"}},
    )
    ready = intents.update(made.id, {"payment_method": "pm_card_mastercard"})
    done = intents.confirm(made.id, {"return_url": BACK, "receipt_email": "ada@example.com"})

    assert (made.status, made.payment_method_types) == (
        "requires_payment_method",
        ["card", "sepa_debit"],
    )
    assert (changed.amount, changed.currency, changed.customer) == (2000, "usd", customer.id)
    assert changed.metadata.to_dict() == {"order": "1", "more": "2"}
    assert (ready.status, done.status, done.amount_received) == (
        "requires_confirmation",
        "succeeded",
        2000,
    )
    charge = stripe_.charge_of(done)
    assert (charge.paid, charge.captured, charge.receipt_email) == (True, True, "ada@example.com")
    assert charge.metadata.to_dict() == done.metadata.to_dict()
    assert [one.id for one in intents.list().data] == [made.id]
    read = intents.retrieve(made.id, {"expand": ["latest_charge", "payment_method", "customer"]})
    assert isinstance(read.payment_method, stripe.PaymentMethod)
    assert read.payment_method.card is not None
    assert read.payment_method.card.brand == "mastercard"
    assert stripe_.event_types() == [
        *("customer.created", "payment_intent.created", "charge.succeeded"),
        "payment_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_a_decline_is_a_402_whose_effects_stay(
    stripe_: EmulatorServer, method: str, code: str, decline_code: str
) -> None:
    intents = stripe_.client.v1.payment_intents
    answers = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as declined:
            intents.create(paid_with(method), {"idempotency_key": "once"})
        answers.append(declined.value)

    first, again = answers
    error = json.loads(first.http_body or "")["error"]
    assert (first.http_status, first.code, error["type"]) == (402, code, "card_error")
    assert (error["decline_code"], error["payment_method"]["object"]) == (
        decline_code,
        "payment_method",
    )
    assert json_checker.faults(error["payment_intent"]) == []
    assert error["payment_intent"]["last_payment_error"]["decline_code"] == decline_code
    assert (again.http_body, dict(again.headers or {})["idempotent-replayed"]) == (
        first.http_body,
        "true",
    )
    (intent,) = intents.list().data
    charge = stripe_.charge_of(intent)
    assert (intent.status, intent.latest_charge) == ("requires_payment_method", charge.id)
    assert (charge.id, charge.status, charge.failure_code) == (error["charge"], "failed", code)
    assert stripe_.event_types() == [
        *("payment_intent.created", "charge.failed", "payment_intent.payment_failed"),
    ]

    retried = intents.confirm(intent.id, {"payment_method": "pm_card_visa", "return_url": BACK})

    assert (retried.status, retried.last_payment_error) == ("succeeded", None)


@pytest.mark.parametrize(
    ("method", "answer", "status", "result"),
    [
        ("pm_card_authenticationRequired", "complete", "succeeded", "succeeded"),
        ("pm_card_authenticationRequired", "fail", "requires_payment_method", "failed"),
        (
            "pm_card_threeDSecureRequiredChargeDeclined",
            "complete",
            "requires_payment_method",
            "failed",
        ),
    ],
)
def test_3d_secure_redirects_to_the_bank_and_back_to_the_shop(
    stripe_: EmulatorServer, method: str, answer: str, status: str, result: str
) -> None:
    intents = stripe_.client.v1.payment_intents
    waiting = intents.create(paid_with(method))
    assert waiting.next_action is not None
    assert waiting.next_action.redirect_to_url is not None
    page = urlsplit(str(waiting.next_action.redirect_to_url.url)).path
    assert (waiting.status, waiting.next_action.redirect_to_url.return_url) == (
        "requires_action",
        BACK,
    )
    assert b"$20.00" in stripe_.raw("GET", page)[2]

    status_code, headers = stripe_.post_form(page, f"answer={answer}".encode())

    after = intents.retrieve(waiting.id)
    address = urlsplit(headers["Location"])
    assert (status_code, address.path) == (303, "/back")
    assert parse_qs(address.query) == {
        "step": ["2"],
        "payment_intent": [waiting.id],
        "payment_intent_client_secret": [waiting.client_secret],
        "redirect_status": [result],
    }
    assert (after.status, after.next_action) == (status, None)
    assert stripe_.raw("GET", page)[0] == 404
    assert "payment_intent.requires_action" in stripe_.event_types()


def test_without_a_return_url_the_banks_page_ends_the_question(stripe_: EmulatorServer) -> None:
    never: Any = {"automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    params = paid_with("pm_card_authenticationRequired", **never)
    del params["return_url"]
    waiting = stripe_.client.v1.payment_intents.create(params)
    assert waiting.next_action is not None
    assert waiting.next_action.type == "use_stripe_sdk"
    action: Any = waiting.next_action.use_stripe_sdk

    status, _ = stripe_.post_form(urlsplit(action.stripe_js).path, b"answer=complete")

    assert status == 200
    assert stripe_.client.v1.payment_intents.retrieve(waiting.id).status == "succeeded"


def test_who_is_not_there_cannot_authenticate(stripe_: EmulatorServer) -> None:
    for params in ({"off_session": True}, {"error_on_requires_action": True}):
        with pytest.raises(stripe.CardError) as refused:
            stripe_.client.v1.payment_intents.create(
                paid_with("pm_card_authenticationRequired", **params)
            )
        assert refused.value.code == "authentication_required"


def test_with_manual_confirmation_the_server_confirms_again(stripe_: EmulatorServer) -> None:
    intents = stripe_.client.v1.payment_intents
    params = paid_with("pm_card_authenticationRequired", confirmation_method="manual")
    waiting = intents.create(params)
    assert waiting.next_action is not None
    assert waiting.next_action.redirect_to_url is not None
    page = urlsplit(str(waiting.next_action.redirect_to_url.url)).path
    stripe_.post_form(page, b"answer=complete")

    assert intents.retrieve(waiting.id).status == "requires_confirmation"
    assert intents.confirm(waiting.id, {"return_url": BACK}).status == "succeeded"


def test_an_authorized_payment_is_captured_in_part(stripe_: EmulatorServer) -> None:
    intents = stripe_.client.v1.payment_intents
    held = intents.create(paid_with("pm_card_visa", capture_method="manual"))
    charge = stripe_.charge_of(held)
    assert (held.status, held.amount_capturable, held.amount_received) == (
        "requires_capture",
        2000,
        0,
    )
    assert (charge.paid, charge.captured, charge.amount_captured) == (True, False, 0)
    with pytest.raises(StripeError, match="cannot be disputed"):
        stripe_.emulator.dispute(charge.id)
    with pytest.raises(stripe.InvalidRequestError, match="greater than the amount you can"):
        intents.capture(held.id, {"amount_to_capture": 2001})

    taken = intents.capture(held.id, {"amount_to_capture": 1500})

    stripe_.emulator.move_clock(5)
    charge = stripe_.charge_of(held)
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 1500, 0)
    assert (charge.captured, charge.amount_captured, charge.amount_refunded) == (True, 1500, 500)
    (movement,) = stripe_.client.v1.balance_transactions.list({"source": charge.id}).data
    assert movement.amount == 1500
    refund = stripe_.client.v1.refunds.create({"payment_intent": held.id})
    assert refund.amount == 1500
    assert stripe_.event_types()[:5] == [
        *("payment_intent.created", "charge.succeeded"),
        *("payment_intent.amount_capturable_updated", "charge.captured"),
        "payment_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("in_time", "event"), [(True, "charge.refunded"), (False, "charge.expired")]
)
def test_an_uncaptured_amount_is_released(
    stripe_: EmulatorServer, in_time: bool, event: str
) -> None:
    intents = stripe_.client.v1.payment_intents
    held = intents.create(paid_with("pm_card_visa", capture_method="manual"))

    if in_time:
        intents.cancel(held.id, {"cancellation_reason": "requested_by_customer"})
    else:
        stripe_.emulator.move_clock(7 * 86400 + 1)

    after = intents.retrieve(held.id)
    reason = "requested_by_customer" if in_time else "automatic"
    assert (after.status, after.cancellation_reason, after.amount_capturable) == (
        "canceled",
        reason,
        0,
    )
    assert stripe_.event_types()[-2:] == [event, "payment_intent.canceled"]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        intents.capture(held.id)
    assert refused.value.code == "payment_intent_unexpected_state"


def test_a_state_that_does_not_fit_is_refused_and_named(stripe_: EmulatorServer) -> None:
    intents = stripe_.client.v1.payment_intents
    empty = intents.create({"amount": 2000, "currency": "usd"})
    paid = intents.create(paid_with("pm_card_visa"))
    refusals: tuple[tuple[str, Callable[[], object]], ...] = (
        ("missing a payment method", lambda: intents.confirm(empty.id, {"return_url": BACK})),
        ("has a status of requires_payment_method", lambda: intents.capture(empty.id)),
        ("has already succeeded", lambda: intents.confirm(paid.id)),
        ("has a status of succeeded", lambda: intents.cancel(paid.id)),
        ("amount could not be updated", lambda: intents.update(paid.id, {"amount": 1000})),
    )

    for words, call in refusals:
        with pytest.raises(stripe.InvalidRequestError, match=words) as refused:
            call()
        assert refused.value.code == "payment_intent_unexpected_state"
    assert intents.update(paid.id, {"description": "Late"}).description == "Late"


def test_payment_intents_of_checkout_cannot_be_changed_directly(stripe_: EmulatorServer) -> None:
    """Otherwise a payment could be taken or canceled behind the session's back."""
    intents = stripe_.client.v1.payment_intents
    session = stripe_.a_session()
    stripe_.pay(session.id, "4000000000000002")
    intent = stripe_.intent_of(session.id)
    calls: tuple[Callable[[], object], ...] = (
        lambda: intents.confirm(intent.id, {"payment_method": "pm_card_visa"}),
        lambda: intents.cancel(intent.id),
        lambda: intents.update(intent.id, {"amount": 100}),
    )

    for call in calls:
        with pytest.raises(stripe.InvalidRequestError, match="created by the Checkout Session"):
            call()
    assert intents.update(intent.id, {"metadata": {"note": "x"}}).metadata.to_dict()["note"] == "x"


@pytest.mark.parametrize(
    ("amount", "code"), [(49, "amount_too_small"), (1_000_000_000_000, "amount_too_large")]
)
def test_an_amount_that_cannot_be_charged_is_refused(
    stripe_: EmulatorServer, amount: int, code: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stripe_.client.v1.payment_intents.create({"amount": amount, "currency": "usd"})

    assert (refused.value.code, refused.value.param) == (code, "amount")


def test_a_payment_method_that_may_redirect_needs_a_return_url(stripe_: EmulatorServer) -> None:
    params = paid_with("pm_card_visa")
    del params["return_url"]

    with pytest.raises(stripe.InvalidRequestError, match="you must provide a `return_url`"):
        stripe_.client.v1.payment_intents.create(params)
    with pytest.raises(stripe.InvalidRequestError, match="unless `confirm` is set to true"):
        stripe_.client.v1.payment_intents.create(
            {"amount": 2000, "currency": "usd", "return_url": BACK}
        )


@pytest.mark.parametrize("version", ["2026-08-26.dahlia", "2023-08-16", "2022-11-15"])
def test_older_versions_name_and_choose_methods_as_they_did(
    stripe_: EmulatorServer, version: str
) -> None:
    body = b"amount=2000&currency=usd&payment_method_types[]=card&confirm=true&payment_method="
    created = []
    for method in (b"pm_card_visa", b"pm_card_chargeDeclined"):
        status, _, answer = stripe_.raw(
            "POST", "/v1/payment_intents", body + method, Stripe_Version=version, **FORM
        )
        created.append((status, json.loads(answer)))
    (ok, intent), (declined, error) = created

    assert (ok, intent["payment_method_types"], declined) == (200, ["card"], 402)
    assert "allowed_payment_method_types" not in intent
    assert "allowed_payment_method_types" not in error["error"]["payment_intent"]
    status, _, answer = stripe_.raw(
        "POST",
        "/v1/payment_intents",
        b"amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa",
        Stripe_Version=version,
        **FORM,
    )
    automatic = version >= "2023-08-16"
    assert status == (400 if automatic else 200), answer
    assert automatic or json.loads(answer)["automatic_payment_methods"] is None

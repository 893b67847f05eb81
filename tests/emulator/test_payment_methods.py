"""PaymentMethods and SetupIntents: made from test numbers, saved for customers, used again."""

import sqlite3
from contextlib import suppress
from typing import Any

import pytest
import stripe

from tests.emulator.test_payment_intents import BACK, paid_with
from tests.support.emulator import EmulatorServer

CARD: Any = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}
MANDATE: Any = {"customer_acceptance": {"type": "offline"}}


def a_card(running: EmulatorServer, **card: Any) -> stripe.PaymentMethod:
    return running.client.v1.payment_methods.create({"type": "card", "card": CARD | card})


def test_a_card_is_saved_used_again_changed_and_detached(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    customer = client.customers.create()
    method = a_card(stripe_)

    attached = client.payment_methods.attach(method.id, {"customer": customer.id})
    payments = [
        client.payment_intents.create(paid_with(method.id, customer=customer.id)) for _ in range(2)
    ]
    changed = client.payment_methods.update(
        method.id, {"billing_details": {"name": "Ada"}, "card": {"exp_year": 2041}}
    )

    assert (method.customer, attached.customer) == (None, customer.id)
    assert [payment.status for payment in payments] == ["succeeded"] * 2
    assert changed.card is not None
    assert (changed.billing_details.name, changed.card.exp_year) == ("Ada", 2041)
    for listed in (
        client.payment_methods.list({"customer": customer.id, "type": "card"}),
        client.customers.payment_methods.list(customer.id),
    ):
        assert [one.id for one in listed.data] == [method.id]
    with pytest.raises(stripe.InvalidRequestError, match="include the Customer"):
        client.payment_intents.create(paid_with(method.id))
    client.payment_methods.detach(method.id)
    assert client.customers.payment_methods.list(customer.id).data == []
    with pytest.raises(stripe.InvalidRequestError, match="It may not be used again"):
        client.payment_intents.create(paid_with(method.id))
    assert [name for name in stripe_.event_types() if name.startswith("payment_method.")] == [
        *("payment_method.attached", "payment_method.updated", "payment_method.detached"),
    ]


def test_a_payment_method_without_a_customer_pays_once(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    method, other = a_card(stripe_), a_card(stripe_)
    client.payment_intents.create(paid_with(method.id))

    with pytest.raises(stripe.InvalidRequestError, match="It may not be used again"):
        client.payment_intents.create(paid_with(method.id))

    customer = client.customers.create()
    saved = client.payment_intents.create(
        paid_with(other.id, customer=customer.id, setup_future_usage="off_session")
    )
    assert client.payment_methods.retrieve(other.id).customer == customer.id
    assert saved.setup_future_usage == "off_session"


@pytest.mark.parametrize(
    ("card", "code", "status"),
    [
        ({"number": "4242424242424241"}, "incorrect_number", 402),
        ({"number": "4111111111111111"}, "card_declined", 402),
        ({"exp_month": 13}, "invalid_expiry_month", 402),
        ({"exp_year": 2019}, "invalid_expiry_year", 402),
    ],
)
def test_only_test_cards_become_payment_methods(
    stripe_: EmulatorServer, card: Any, code: str, status: int
) -> None:
    with pytest.raises(stripe.CardError) as refused:
        a_card(stripe_, **card)

    assert (refused.value.code, refused.value.http_status) == (code, status)
    assert stripe_.client.v1.payment_methods.list().data == []


@pytest.mark.parametrize("number", ["4242424242424242", "4111111111111111", "4000056655665556"])
def test_only_the_last_four_digits_of_a_card_are_stored(
    stripe_: EmulatorServer, number: str
) -> None:
    """Neither the account's file, its request log nor its idempotency keys hold more."""
    with suppress(stripe.CardError):
        a_card(stripe_, number=number)

    file = stripe_.emulator.account.storage.path
    with sqlite3.connect(file) as database:
        dump = "\n".join(database.iterdump())
    assert number not in dump
    assert f"****{number[-4:]}" in dump


def test_declined_cards_cannot_be_saved_but_one_of_them(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    customer = client.customers.create().id

    with pytest.raises(stripe.CardError) as refused:
        client.payment_methods.attach("pm_card_chargeDeclined", {"customer": customer})
    saved = client.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer})

    assert refused.value.code == "card_declined"
    with pytest.raises(stripe.CardError):
        client.payment_intents.create(paid_with(saved.id, customer=customer))


@pytest.mark.parametrize(
    ("iban", "status"),
    [
        ("AT61 1904 3002 3457 3201", "succeeded"),
        ("AT861904300235473202", "requires_payment_method"),
    ],
)
def test_a_bank_debit_is_processing_until_the_bank_answers(
    stripe_: EmulatorServer, iban: str, status: str
) -> None:
    client = stripe_.client.v1
    method = client.payment_methods.create(
        {
            "type": "sepa_debit",
            "sepa_debit": {"iban": iban},
            "billing_details": {"name": "Ada", "email": "ada@example.com"},
        }
    )
    payment = client.payment_intents.create(
        paid_with(method.id, currency="eur", mandate_data=MANDATE)
    )
    assert payment.status == "processing"

    stripe_.emulator.move_clock(301)

    assert client.payment_intents.retrieve(payment.id).status == status


def test_a_customer_comes_with_a_card(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    customer = client.customers.create(
        {
            "payment_method": "pm_card_visa",
            "invoice_settings": {"default_payment_method": "pm_card_visa"},
        }
    )

    (method,) = client.customers.payment_methods.list(customer.id).data
    read = client.customers.retrieve(
        customer.id, {"expand": ["invoice_settings.default_payment_method"]}
    )
    assert read.invoice_settings is not None
    default = read.invoice_settings.default_payment_method
    assert isinstance(default, stripe.PaymentMethod)
    assert default.id == method.id
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        client.customers.update(
            customer.id, {"invoice_settings": {"default_payment_method": "pm_nothing"}}
        )


def test_checkout_saves_the_card_of_a_session_that_asks_for_it(stripe_: EmulatorServer) -> None:
    session = stripe_.a_session(payment_intent_data={"setup_future_usage": "off_session"})
    stripe_.pay(session.id)

    (customer,) = stripe_.client.v1.customers.list().data
    (method,) = stripe_.client.v1.customers.payment_methods.list(customer.id).data
    intent = stripe_.intent_of(session.id)
    assert (intent.customer, intent.payment_method) == (customer.id, method.id)
    assert intent.setup_future_usage == "off_session"


def test_a_setup_intent_saves_a_card_for_later(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    customer = client.customers.create().id
    intent = client.setup_intents.create({"customer": customer, "metadata": {"a": "1"}})

    client.setup_intents.update(intent.id, {"description": "Later"})
    done = client.setup_intents.confirm(
        intent.id, {"payment_method": "pm_card_authenticationRequiredOnSetup", "return_url": BACK}
    )
    assert done.next_action is not None
    assert done.next_action.redirect_to_url is not None
    challenge = str(done.next_action.redirect_to_url.url).rpartition("/")[2]
    result = stripe_.emulator.checkout.answer_challenge(challenge, passed=True)

    after = client.setup_intents.retrieve(
        intent.id, {"expand": ["latest_attempt", "payment_method"]}
    )
    assert isinstance(after.latest_attempt, stripe.SetupAttempt)
    assert isinstance(after.payment_method, stripe.PaymentMethod)
    assert (after.status, after.latest_attempt.status) == ("succeeded", "succeeded")
    assert after.payment_method.customer == customer
    assert f"setup_intent={intent.id}&" in str(result.redirect_url)
    payment = client.payment_intents.create(
        paid_with(after.payment_method.id, customer=customer, off_session=True)
    )
    assert payment.status == "succeeded"
    assert [name for name in stripe_.event_types() if name.startswith("setup_intent.")] == [
        *("setup_intent.created", "setup_intent.requires_action", "setup_intent.succeeded"),
    ]


def test_a_setup_intent_fails_and_is_canceled(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1.setup_intents
    with pytest.raises(stripe.CardError) as declined:
        client.create(
            {"payment_method": "pm_card_chargeDeclined", "confirm": True, "return_url": BACK}
        )
    (failed,) = client.list().data
    error = failed.last_setup_error
    (attempt,) = stripe_.client.v1.setup_attempts.list({"setup_intent": failed.id}).data

    assert (declined.value.code, failed.status) == ("card_declined", "requires_payment_method")
    assert error is not None
    assert (error.decline_code, attempt.status) == ("generic_decline", "failed")
    canceled = client.cancel(failed.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    with pytest.raises(stripe.InvalidRequestError, match="has a status of canceled") as refused:
        client.confirm(failed.id, {"payment_method": "pm_card_visa", "return_url": BACK})
    assert refused.value.code == "setup_intent_unexpected_state"
    assert stripe_.event_types() == [
        *("setup_intent.created", "setup_intent.setup_failed", "setup_intent.canceled"),
    ]


def test_metadata_of_sessions_and_charges_can_be_changed_later(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    session = stripe_.a_session()
    stripe_.pay(session.id)
    charge = stripe_.charge_of(stripe_.intent_of(session.id))

    changed = client.checkout.sessions.update(session.id, {"metadata": {"order": "", "new": "1"}})
    client.charges.update(
        charge.id, {"metadata": {"note": "x"}, "fraud_details": {"user_report": "safe"}}
    )

    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"new": "1"}
    after = client.charges.retrieve(charge.id)
    assert after.metadata.to_dict() == {"order": "1001", "note": "x"}
    assert after.fraud_details is not None
    assert after.fraud_details.user_report == "safe"
    assert stripe_.event_types()[-1] == "charge.updated"
    with pytest.raises(stripe.InvalidRequestError, match="beyond its metadata"):
        client.checkout.sessions.update(
            session.id,
            {
                "collected_information": {
                    "shipping_details": {"name": "A", "address": {"country": "DE", "line1": "x"}}
                }
            },
        )

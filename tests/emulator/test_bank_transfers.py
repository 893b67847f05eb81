"""PaymentIntents paid by bank transfer, through the cash balance of their customer."""

from typing import Any

import pytest
import stripe

from stripe_emulator.base.errors import StripeError
from stripe_emulator.resources.cash_balances import TRANSFER_TYPES
from tests.emulator import json_checker
from tests.support.emulator import EmulatorServer


def a_customer(running: EmulatorServer) -> str:
    return running.client.v1.customers.create({"email": "ada@example.com"}).id


def transfer_params(customer: str, amount: int = 2000, currency: str = "usd") -> Any:
    """Parameters of a confirmed payment that waits for a bank transfer."""
    transfer = {"type": TRANSFER_TYPES.get(currency, "us_bank_transfer")}
    return {
        "amount": amount,
        "currency": currency,
        "customer": customer,
        "allowed_payment_method_types": ["customer_balance"],
        "payment_method_data": {"type": "customer_balance"},
        "payment_method_options": {
            "customer_balance": {"funding_type": "bank_transfer", "bank_transfer": transfer}
        },
        "confirm": True,
    }


def waiting_payment(running: EmulatorServer, customer: str, amount: int = 2000) -> str:
    return running.client.v1.payment_intents.create(transfer_params(customer, amount)).id


def fund(
    running: EmulatorServer, customer: str, amount: int, currency: str = "usd", **more: Any
) -> None:
    funding: Any = {"amount": amount, "currency": currency, **more}
    running.client.v1.test_helpers.customers.fund_cash_balance(customer, funding)


def available(running: EmulatorServer, customer: str) -> dict[str, int]:
    balance = running.client.v1.customers.cash_balance.retrieve(customer)
    assert json_checker.faults(balance.to_dict()) == []
    return balance.available.to_dict() if balance.available else {}


def state(running: EmulatorServer, intent_id: str) -> tuple[str, int | None, int]:
    """Status, what remains to be transferred, what was received."""
    intent = running.client.v1.payment_intents.retrieve(intent_id)
    assert json_checker.faults(intent.to_dict()) == []
    action: Any = intent.next_action
    remaining = action.display_bank_transfer_instructions.amount_remaining if action else None
    return intent.status, remaining, intent.amount_received


@pytest.mark.parametrize("currency", TRANSFER_TYPES)
def test_a_payment_is_funded_in_parts_and_then_succeeds(
    stripe_: EmulatorServer, currency: str
) -> None:
    customer = a_customer(stripe_)
    params = transfer_params(customer, 20000, currency)
    intent = stripe_.client.v1.payment_intents.create(params)
    states = [state(stripe_, intent.id)]

    for _ in range(2):
        fund(stripe_, customer, 10000, currency)
        states.append(state(stripe_, intent.id))

    assert states == [
        ("requires_action", 20000, 0),
        ("requires_action", 10000, 0),
        ("succeeded", None, 20000),
    ]
    assert available(stripe_, customer) == {currency: 0}
    types = [name for name in stripe_.event_types() if not name.startswith("customer")]
    assert types == [
        "payment_intent.created",
        "payment_intent.requires_action",
        "payment_intent.partially_funded",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]
    charge = stripe_.charge_of(intent)
    assert (charge.amount_captured, charge.paid) == (20000, True)
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.type == "customer_balance"
    assert json_checker.faults(charge.to_dict()) == []


def test_surplus_money_stays_in_the_balance_and_pays_the_next_payment(
    stripe_: EmulatorServer,
) -> None:
    customer = a_customer(stripe_)
    first = waiting_payment(stripe_, customer)
    fund(stripe_, customer, 5000)
    assert state(stripe_, first) == ("succeeded", None, 2000)
    assert available(stripe_, customer) == {"usd": 3000}
    assert stripe_.event_types().count("cash_balance.funds_available") == 1

    second = waiting_payment(stripe_, customer)
    third = waiting_payment(stripe_, customer)

    assert state(stripe_, second) == ("succeeded", None, 2000)
    assert state(stripe_, third) == ("requires_action", 1000, 0)
    transactions = stripe_.client.v1.customers.cash_balance_transactions.list(
        customer, {"expand": ["data.applied_to_payment.payment_intent", "data.customer"]}
    )
    changes = [(each.type, each.net_amount, each.ending_balance) for each in transactions.data]
    assert changes[::-1] == [
        ("funded", 5000, 5000),
        ("applied_to_payment", -2000, 3000),
        ("applied_to_payment", -2000, 1000),
        ("applied_to_payment", -1000, 0),
    ]
    assert [json_checker.faults(each.to_dict()) for each in transactions.data] == [[]] * 4
    events = stripe_.client.v1.events.list({"limit": 100}).data
    assert [json_checker.faults(each.to_dict()) for each in events] == [[]] * len(events)
    for event in events:
        assert stripe_.raw("GET", f"/events/{event.id}")[0] == 200
    assert b"Bank transfer" in stripe_.raw("GET", "/")[2] + stripe_.raw("GET", "/payments")[2]


def test_a_transfer_pays_by_reference_or_exact_amount_before_age(stripe_: EmulatorServer) -> None:
    customer = a_customer(stripe_)
    oldest, exact, named = [waiting_payment(stripe_, customer, 100 * n) for n in (20, 10, 30)]
    action: Any = stripe_.client.v1.payment_intents.retrieve(named).next_action
    reference = action.display_bank_transfer_instructions.reference

    fund(stripe_, customer, 1000)
    fund(stripe_, customer, 1500, reference=reference)

    assert state(stripe_, exact) == ("succeeded", None, 1000)
    assert state(stripe_, named) == ("requires_action", 1500, 0)
    assert state(stripe_, oldest) == ("requires_action", 2000, 0)


def test_a_canceled_payment_gives_its_money_to_the_next(stripe_: EmulatorServer) -> None:
    customer = a_customer(stripe_)
    canceled, other = (waiting_payment(stripe_, customer) for _ in range(2))
    fund(stripe_, customer, 1500)

    stripe_.client.v1.payment_intents.cancel(canceled)

    assert state(stripe_, canceled) == ("canceled", None, 0)
    assert state(stripe_, other) == ("requires_action", 500, 0)


@pytest.mark.parametrize(
    ("changes", "param", "words"),
    [
        ({"customer": None}, "customer", "needs a `customer`"),
        ({"capture_method": "manual"}, "capture_method", "does not support manual capture"),
        (
            {"currency": "gbp"},
            "payment_method_options[customer_balance][bank_transfer][type]",
            "A us_bank_transfer cannot pay gbp; use gb_bank_transfer.",
        ),
        ({"currency": "chf"}, "currency", "Bank transfers are not available in chf"),
    ],
)
def test_a_payment_that_no_transfer_can_pay_is_refused(
    stripe_: EmulatorServer, changes: dict[str, Any], param: str, words: str
) -> None:
    params = transfer_params(a_customer(stripe_)) | changes
    given: Any = {name: value for name, value in params.items() if value is not None}

    with pytest.raises(stripe.InvalidRequestError, match=words) as refusal:
        stripe_.client.v1.payment_intents.create(given)

    assert refusal.value.param == param


def test_unsupported_bank_transfer_options_are_refused_by_name(stripe_: EmulatorServer) -> None:
    client = stripe_.client.v1
    customer = a_customer(stripe_)
    paid, waiting = (waiting_payment(stripe_, customer) for _ in range(2))
    fund(stripe_, customer, 2000)
    method: Any = {"type": "customer_balance"}
    balance: Any = {"customer_balance": {"funding_type": "bank_transfer"}}
    (charge,) = client.charges.list({"payment_intent": paid}).data

    with pytest.raises(stripe.InvalidRequestError, match="not imitate refunds of bank transfers"):
        client.refunds.create({"payment_intent": paid})
    with pytest.raises(stripe.InvalidRequestError, match="waits for a bank transfer"):
        client.payment_intents.update(waiting, {"amount": 1})
    with pytest.raises(stripe.InvalidRequestError, match="waits for a bank transfer"):
        client.payment_intents.confirm(waiting, {"payment_method": "pm_card_visa"})
    with pytest.raises(stripe.InvalidRequestError, match="cannot be attached"):
        made = client.payment_methods.create(method)
        client.payment_methods.attach(made.id, {"customer": customer})
    with pytest.raises(stripe.InvalidRequestError, match="not imitate bank transfers on the pay"):
        stripe_.a_session(payment_method_options=balance)
    with pytest.raises(stripe.InvalidRequestError, match="greater than or equal to 1"):
        fund(stripe_, customer, 0)
    with pytest.raises(StripeError, match="cannot be disputed"):
        stripe_.emulator.dispute(charge.id)

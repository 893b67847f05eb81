"""Cash balances of Customers: bank transfers fund them, and they pay `customer_balance` intents.

A transfer is applied to the customer's waiting PaymentIntents of its currency; what is left stays
in the cash balance (docs.stripe.com/payments/customer-balance/reconciliation). Only the automatic
reconciliation mode is imitated.
"""

import json
from typing import Any

from stripe_emulator.base import currencies
from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.ids import new_id, token
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.object_defaults import ADDRESS
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import balance, charges, payment_attempts, payment_methods
from stripe_emulator.resources.payment_method_object import payment_details_of
from stripe_emulator.storage.transaction import Transaction

KIND = "customer_cash_balance_transaction"
INSTRUCTIONS = "display_bank_transfer_instructions"
TRANSFER_TYPES = {
    "eur": "eu_bank_transfer",
    "gbp": "gb_bank_transfer",
    "jpy": "jp_bank_transfer",
    "mxn": "mx_bank_transfer",
    "usd": "us_bank_transfer",
}
"""Currency → the type of its bank transfers."""
_ACCOUNTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "eur": ("iban", "sepa", {"bic": "EMULDEFF", "country": "DE", "iban": "DE00000000000000000000"}),
    "gbp": ("sort_code", "bacs", {"account_number": "00000000", "sort_code": "000000"}),
    "jpy": (
        "zengin",
        "zengin",
        {
            **{"account_number": "0000000", "account_type": "futsu", "bank_code": "0000"},
            **{"bank_name": "EMULATOR BANK", "branch_code": "000", "branch_name": "EMULATOR"},
        },
    ),
    "mxn": (
        "spei",
        "spei",
        {"bank_code": "000", "bank_name": "EMULATOR BANK", "clabe": "000000000000000000"},
    ),
    "usd": (
        "aba",
        "ach",
        {
            **{"account_number": "000000000000", "account_type": "checking"},
            **{"bank_name": "EMULATOR BANK", "routing_number": "000000000"},
        },
    ),
}
"""Currency → type, network and details of the account that receives the transfers."""


def retrieve(tx: Transaction, customer_id: str) -> StripeObject:
    """Retrieve a customer's cash balance (GET /v1/customers/{id}/cash_balance)."""
    tx.get(customer_id, "customer", "customer")
    return {
        "object": "cash_balance",
        "available": _available(tx, customer_id) or None,
        "customer": customer_id,
        "customer_account": None,
        "livemode": False,
        "settings": {"reconciliation_mode": "automatic", "using_merchant_default": True},
    }


def _available(tx: Transaction, customer_id: str) -> dict[str, int]:
    """Return currency → amount, for every currency the customer ever had."""
    rows = tx.connection.execute(
        "SELECT json_extract(body, '$.currency') AS currency,"
        " sum(json_extract(body, '$.net_amount')) AS amount"
        " FROM objects WHERE kind = ? AND json_extract(body, '$.customer') = ? GROUP BY 1",
        (KIND, customer_id),
    )
    return {row["currency"]: row["amount"] for row in rows}


def fund(tx: Transaction, customer_id: str, params: Parameters) -> StripeObject:
    """Receive a bank transfer (POST /v1/test_helpers/customers/{id}/fund_cash_balance).

    Returns the cash balance transaction.

    Raises:
        InvalidRequest: the amount is not positive, or the currency has no bank transfers.
    """
    tx.get(customer_id, "customer", "customer")
    currency, amount = currencies.currency_of(params["currency"], "currency"), params["amount"]
    if amount < 1:
        raise InvalidRequest(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
        )
    check_currency(currency)
    reference = params.get("reference")
    transfer = {"reference": reference, "type": TRANSFER_TYPES[currency]}
    funded = _record(tx, customer_id, currency, amount, "funded", {"bank_transfer": transfer})
    _reconcile(tx, customer_id, currency, amount, reference)
    if _available(tx, customer_id)[currency]:
        tx.emit("cash_balance.funds_available", retrieve(tx, customer_id))
    return funded


def check_currency(currency: str) -> None:
    """Raise InvalidRequest for a currency without bank transfers."""
    if currency not in TRANSFER_TYPES:
        raise InvalidRequest(
            f"Bank transfers are not available in {currency}, only in {', '.join(TRANSFER_TYPES)}.",
            param="currency",
        )


def _record(
    tx: Transaction,
    customer_id: str,
    currency: str,
    net_amount: int,
    transaction_type: str,
    details: dict[str, Any],
) -> StripeObject:
    """Store a cash balance transaction; outgoing money has a negative amount."""
    before = _available(tx, customer_id).get(currency, 0)
    transaction = tx.add(
        {
            "id": new_id(KIND),
            "object": KIND,
            "created": tx.seconds,
            "currency": currency,
            "customer": customer_id,
            "customer_account": None,
            "ending_balance": before + net_amount,
            transaction_type: details,
            "livemode": False,
            "net_amount": net_amount,
            "type": transaction_type,
        }
    )
    tx.emit(f"{KIND}.created", transaction)
    return transaction


def _reconcile(
    tx: Transaction, customer_id: str, currency: str, amount: int, reference: str | None
) -> None:
    """Apply the balance to waiting intents: first the one with this reference or exactly this
    amount, then the oldest."""
    rows = tx.connection.execute(
        "SELECT body FROM objects WHERE kind = 'payment_intent' AND status = 'requires_action'"
        " AND json_extract(body, '$.customer') = ? AND json_extract(body, '$.currency') = ?"
        " ORDER BY seq",
        (customer_id, currency),
    ).fetchall()
    waiting = [
        intent for intent in (json.loads(row["body"]) for row in rows) if awaits_transfer(intent)
    ]
    waiting.sort(
        key=lambda intent: (
            _instructions(intent)["reference"] != reference,
            _instructions(intent)["amount_remaining"] != amount,
        )
    )
    for intent in waiting:
        _apply(tx, intent)


def awaits_transfer(intent: StripeObject) -> bool:
    """Return whether the intent waits for (the rest of) a bank transfer."""
    return bool(intent["next_action"]) and intent["next_action"]["type"] == INSTRUCTIONS


def _instructions(intent: StripeObject) -> dict[str, Any]:
    instructions: dict[str, Any] = intent["next_action"][INSTRUCTIONS]
    return instructions


def confirm(tx: Transaction, intent: StripeObject) -> StripeObject:
    """Pay an intent from the cash balance, or show where to transfer the missing amount.

    Raises:
        InvalidRequest: the intent has no customer, is captured manually, or its currency or
            options do not fit a bank transfer.
    """
    currency = intent["currency"]
    if intent["customer"] is None:
        raise InvalidRequest(
            "A PaymentIntent that is paid with `customer_balance` needs a `customer`.",
            code="parameter_missing",
            param="customer",
        )
    if intent["capture_method"] == "manual":
        raise InvalidRequest(
            "`customer_balance` does not support manual capture.", param="capture_method"
        )
    check_currency(currency)
    options = intent["payment_method_options"].get("customer_balance", {})
    transfer_type = (options.get("bank_transfer") or {}).get("type", TRANSFER_TYPES[currency])
    if transfer_type != TRANSFER_TYPES[currency]:
        raise InvalidRequest(
            f"A {transfer_type} cannot pay {currency}; use {TRANSFER_TYPES[currency]}.",
            param="payment_method_options[customer_balance][bank_transfer][type]",
        )
    payment_methods.mark_used(tx, tx.get(intent["payment_method"], "payment_method"))
    next_action = {INSTRUCTIONS: _new_instructions(intent), "type": INSTRUCTIONS}
    if _available(tx, intent["customer"]).get(currency, 0) < intent["amount"]:
        payment_attempts.require_action(tx, intent, next_action)
    else:
        intent["next_action"] = next_action
    _apply(tx, intent)
    return intent


def _new_instructions(intent: StripeObject) -> dict[str, Any]:
    address_type, network, details = _ACCOUNTS[intent["currency"]]
    account = {
        "account_holder_address": ADDRESS,
        "account_holder_name": "STRIPE EMULATOR",
        "bank_address": ADDRESS,
        **details,
    }
    return {
        "amount_remaining": intent["amount"],
        "currency": intent["currency"],
        "financial_addresses": [
            {address_type: account, "supported_networks": [network], "type": address_type}
        ],
        "hosted_instructions_url": None,
        "reference": token(12).upper(),
        "type": TRANSFER_TYPES[intent["currency"]],
    }


def _apply(tx: Transaction, intent: StripeObject) -> None:
    """Apply the available balance to a waiting intent, which succeeds once nothing remains."""
    customer_id, currency = intent["customer"], intent["currency"]
    instructions = _instructions(intent)
    available = _available(tx, customer_id).get(currency, 0)
    amount = min(available, instructions["amount_remaining"])
    if not amount:
        return
    instructions["amount_remaining"] -= amount
    details = {"payment_intent": intent["id"]}
    _record(tx, customer_id, currency, -amount, "applied_to_payment", details)
    if instructions["amount_remaining"]:
        tx.save(intent)
        tx.emit("payment_intent.partially_funded", intent)
    else:
        _succeed(tx, intent)


def _succeed(tx: Transaction, intent: StripeObject) -> None:
    payment_details = payment_details_of(tx.get(intent["payment_method"], "payment_method"))
    charge = charges.new_charge(tx, intent, payment_details, status="succeeded")
    transaction = balance.record(tx, "payment", charge, charge["amount"])
    charge["balance_transaction"] = transaction["id"]
    tx.save(charge)
    tx.emit("charge.succeeded", charge)
    payment_attempts.mark_succeeded(tx, intent, charge)


def release(tx: Transaction, intent: StripeObject) -> None:
    """Return the money of a canceled intent to the cash balance."""
    if not awaits_transfer(intent):
        return
    applied = intent["amount"] - _instructions(intent)["amount_remaining"]
    intent |= {"next_action": None, "status": "canceled"}
    tx.save(intent)
    if applied:
        customer_id, currency = intent["customer"], intent["currency"]
        details = {"payment_intent": intent["id"]}
        _record(tx, customer_id, currency, applied, "unapplied_from_payment", details)
        _reconcile(tx, customer_id, currency, applied, None)


def refuse_change(intent: StripeObject) -> None:
    """Raise InvalidRequest while the intent waits for a bank transfer."""
    if awaits_transfer(intent):
        raise InvalidRequest(
            "This emulator does not imitate changes of a PaymentIntent that waits for a bank "
            "transfer; cancel it and create another."
        )

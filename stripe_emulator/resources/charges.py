"""Charges: one attempt to take money, and the bank's response."""

from typing import Any

from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.object_defaults import with_defaults
from stripe_emulator.base.test_cards import DeclineReason
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import balance
from stripe_emulator.resources.customers import check_email
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.resources.payment_intent_object import SHIPPING
from stripe_emulator.resources.payment_method_object import (
    PaymentDetails,
    billing_details,
    charge_details,
)
from stripe_emulator.storage.transaction import Transaction

CAPTURE_SECONDS = 1.0
"""The delay until `charge.updated` sets the balance transaction
(`capture_method=automatic_async`)."""


def new_charge(
    tx: Transaction,
    intent: StripeObject,
    payment_details: PaymentDetails,
    *,
    status: str,
    decline: DeclineReason | None = None,
    authenticated: bool = False,
) -> StripeObject:
    """Store a Charge that succeeded, failed (with `decline`) or is pending.

    A successful one is only authorized if the intent is captured manually.
    """
    charge_id = new_id("charge")
    succeeded, failed = status == "succeeded", status == "failed"
    captured = not failed and not (succeeded and intent["capture_method"] == "manual")
    return tx.add(
        {
            "id": charge_id,
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"] if captured else 0,
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": None,
            "billing_details": billing_details(payment_details),
            "calculated_statement_descriptor": intent["statement_descriptor"] or "EMULATOR",
            "captured": captured,
            "created": tx.seconds,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": decline.code if decline else None,
            "failure_message": decline.message if decline else None,
            "fraud_details": {},
            "livemode": False,
            "metadata": dict(intent["metadata"]),
            "on_behalf_of": None,
            "outcome": outcome(decline, pending=status == "pending"),
            "paid": succeeded,
            "payment_intent": intent["id"],
            "payment_method": intent["payment_method"],
            "payment_method_details": charge_details(payment_details, authenticated=authenticated),
            "presentment_details": None,
            "radar_options": {},
            "receipt_email": intent["receipt_email"],
            "receipt_number": None,
            "receipt_url": receipt_url(tx, charge_id) if succeeded else None,
            "refunded": False,
            "review": None,
            "shipping": intent["shipping"],
            "source": None,
            "source_transfer": None,
            "statement_descriptor": intent["statement_descriptor"],
            "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
            "status": status,
            "transfer_data": None,
            "transfer_group": intent["transfer_group"],
        }
    )


def receipt_url(tx: Transaction, charge_id: str) -> str:
    """Return the address of the receipt page."""
    return f"{tx.address}/emulator/receipts/{charge_id}"


def outcome(decline: DeclineReason | None, *, pending: bool = False) -> dict[str, Any]:
    """Return the response of network and bank."""
    if decline is None:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "not_assessed" if pending else "normal",
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    return {
        "advice_code": "try_again_later",
        "network_advice_code": None,
        "network_decline_code": "01",
        "network_status": "declined_by_network",
        "reason": decline.decline_code,
        "risk_level": "normal",
        "seller_message": f"The bank returned the decline code `{decline.decline_code}`.",
        "type": "issuer_declined",
    }


def settle_balance(tx: Transaction, charge_id: str) -> None:
    """Set the balance transaction of a captured charge, and emit charge.updated."""
    charge = tx.get(charge_id, "charge")
    if charge["balance_transaction"] is None and charge["captured"] and charge["paid"]:
        transaction = balance.record(tx, "charge", charge, charge["amount_captured"])
        tx.update("charge.updated", charge, balance_transaction=transaction["id"])


def update(tx: Transaction, charge: StripeObject, params: Parameters) -> StripeObject:
    """Update a charge (POST /v1/charges/{id})."""
    check_email(params.get("receipt_email", ""), "receipt_email")
    changes: dict[str, Any] = {
        name: params[name]
        for name in ("description", "receipt_email", "transfer_group")
        if name in params
    }
    if "customer" in params:
        changes["customer"] = tx.get_referenced(params["customer"], "customer", "customer")["id"]
    if "fraud_details" in params:
        report = params["fraud_details"]["user_report"]
        changes["fraud_details"] = {"user_report": report} if report else {}
    if "shipping" in params:
        changes["shipping"] = with_defaults(SHIPPING, params["shipping"])
    if "metadata" in params:
        changes["metadata"] = merge_metadata(params["metadata"], charge["metadata"])
    return tx.update("charge.updated", charge, **changes)

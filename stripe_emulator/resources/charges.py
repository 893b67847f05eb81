"""Charges: one attempt to take money, and what a bank said to it."""

from typing import Any

from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.base.test_cards import TestCard
from stripe_emulator.resources import balance
from stripe_emulator.resources.payment_methods import Means, billing_details, charge_details
from stripe_emulator.storage.transaction import Books

CAPTURE_SECONDS = 1.0
"""Until `charge.updated` brings the balance transaction, which automatic_async leaves for later."""


def new_charge(
    books: Books,
    intent: StripeObject,
    means: Means,
    *,
    status: str,
    card: TestCard | None = None,
    authenticated: bool = False,
) -> StripeObject:
    """Store a Charge that succeeded, failed (as `card` says) or is pending."""
    charge_id = new_id("charge")
    succeeded, failed = status == "succeeded", status == "failed"
    return books.add(
        {
            "id": charge_id,
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": 0 if failed else intent["amount"],
            "amount_refunded": 0,
            "application": None,
            "application_fee": None,
            "application_fee_amount": None,
            "balance_transaction": None,
            "billing_details": billing_details(means),
            "calculated_statement_descriptor": intent["statement_descriptor"] or "EMULATOR",
            "captured": not failed,
            "created": books.seconds,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "failure_balance_transaction": None,
            "failure_code": card.code if card and failed else None,
            "failure_message": card.message if card and failed else None,
            "fraud_details": {},
            "livemode": False,
            "metadata": dict(intent["metadata"]),
            "on_behalf_of": None,
            "outcome": outcome(card if failed else None, pending=status == "pending"),
            "paid": succeeded,
            "payment_intent": intent["id"],
            "payment_method": intent["payment_method"],
            "payment_method_details": charge_details(means, authenticated=authenticated),
            "presentment_details": None,
            "radar_options": {},
            "receipt_email": intent["receipt_email"],
            "receipt_number": None,
            "receipt_url": f"{books.address}/emulator/receipts/{charge_id}" if succeeded else None,
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


def outcome(declined: TestCard | None, *, pending: bool = False) -> dict[str, Any]:
    """What network and bank said."""
    if declined is None:
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
        "reason": declined.decline_code,
        "risk_level": "normal",
        "seller_message": f"The bank returned the decline code `{declined.decline_code}`.",
        "type": "issuer_declined",
    }


def settle_balance(books: Books, charge_id: str) -> None:
    """The capture that follows an authorisation a moment later, announced by charge.updated."""
    charge = books.get(charge_id, "charge")
    if charge["balance_transaction"] is None and charge["status"] == "succeeded":
        transaction = balance.record(books, "charge", charge, charge["amount"])
        books.change("charge.updated", charge, balance_transaction=transaction["id"])

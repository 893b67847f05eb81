"""Refunds: never more than was charged; some test cards make them pending or fail later."""

from typing import Any

from stripe_emulator.base.currencies import format_amount
from stripe_emulator.base.errors import InvalidRequest, Refused
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import balance, disputes
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.storage.transaction import Transaction

LATER_SECONDS = 30.0
"""The delay until the refund of a test card made for it succeeds or fails."""


def create(tx: Transaction, params: Parameters) -> StripeObject:
    """Create a refund (POST /v1/refunds). Raises Refused if the charge does not allow it."""
    charge = _charge_of(tx, params)
    amount = _allowed(tx, charge, params.get("amount"))
    aftermath = tx.private(charge["id"]).get("aftermath")
    refund = _new_refund(tx, charge, amount, params, pending=aftermath == "refund_pending")
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    tx.save(charge)
    tx.emit("refund.created", refund)
    tx.emit("charge.refunded", charge)
    if aftermath == "refund_pending":
        tx.schedule(LATER_SECONDS, "refund_succeeds", refund["id"])
    if aftermath == "refund_fails":
        tx.schedule(LATER_SECONDS, "refund_fails", refund["id"])
    return refund


def _charge_of(tx: Transaction, params: Parameters) -> StripeObject:
    if ("charge" in params) == ("payment_intent" in params):
        if "charge" not in params:
            raise InvalidRequest(
                "One of the following params should be provided for this request: "
                "payment_intent or charge.",
                code="parameter_missing",
            )
        raise InvalidRequest(
            "You may only specify one of these parameters: charge, payment_intent.", param="charge"
        )
    if "charge" in params:
        charge = tx.get(params["charge"], "charge", "charge")
    else:
        intent = tx.get(params["payment_intent"], "payment_intent", "payment_intent")
        if intent["status"] != "succeeded":
            raise Refused(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                code="payment_intent_unexpected_state",
                param="payment_intent",
            )
        charge = tx.get(intent["latest_charge"], "charge")
    if charge["status"] != "succeeded":
        raise Refused(f"Charge {charge['id']} has not succeeded; cannot issue a refund.")
    return charge


def _allowed(tx: Transaction, charge: StripeObject, requested: int | None) -> int:
    """Return the amount of the refund: as requested, or all that is left."""
    if charge["payment_method_details"]["type"] == "customer_balance":
        raise Refused("This emulator does not imitate refunds of bank transfers.")
    if disputes.blocks_refund(tx, charge["id"]):
        raise Refused(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    left: int = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise Refused(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount = left if requested is None else requested
    if amount > left:
        currency = charge["currency"]
        raise Refused(
            f"Refund amount ({_plain(amount, currency)}) is greater than unrefunded amount on "
            f"charge ({_plain(left, currency)})",
            param="amount",
        )
    return amount


def _plain(amount: int, currency: str) -> str:
    """Return `$20.00`, or `20.00 chf` for a currency without a symbol here."""
    text = format_amount(amount, currency)
    return text if text[0].isdigit() else text.rsplit(" ", 1)[0]


def _new_refund(
    tx: Transaction, charge: StripeObject, amount: int, params: Parameters, *, pending: bool
) -> StripeObject:
    refund: dict[str, Any] = {
        "id": new_id("refund"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": tx.seconds,
        "currency": charge["currency"],
        "destination_details": {
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        "metadata": merge_metadata(params.get("metadata")),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if pending else "succeeded",
        "transfer_reversal": None,
    }
    if "instructions_email" in params:
        refund["instructions_email"] = params["instructions_email"]
    if pending:
        refund["pending_reason"] = "processing"
    if charge["payment_method_details"]["type"] != "card":
        refund.pop("destination_details")
    refund["balance_transaction"] = balance.record(tx, "refund", refund, -amount)["id"]
    return tx.add(refund)


def succeed(tx: Transaction, refund_id: str) -> None:
    """Complete a pending refund."""
    refund = tx.get(refund_id, "refund")
    refund.pop("pending_reason", None)
    _announce(tx, refund, "refund.updated", {"status": "succeeded"})


def fail(tx: Transaction, refund_id: str) -> None:
    """Fail a refund that had succeeded: the money returns to the account.

    That the charge's `amount_refunded` decreases again is unverified.
    """
    refund = tx.get(refund_id, "refund")
    charge = tx.get(refund["charge"], "charge")
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    tx.save(charge)
    back = balance.record(tx, "refund", refund, refund["amount"])
    changes = {
        "failure_balance_transaction": back["id"],
        "failure_reason": "expired_or_canceled_card",
        "status": "failed",
    }
    _announce(tx, refund, "refund.failed", changes)


def _announce(tx: Transaction, refund: StripeObject, event: str, changes: dict[str, Any]) -> None:
    previous = {name: refund.get(name) for name in changes}
    refund |= changes
    tx.save(refund)
    updated = event == "refund.updated"
    tx.emit(event, refund, previous if updated else None)
    if not updated:
        tx.emit("refund.updated", refund, previous)
    tx.emit("charge.refund.updated", refund, previous)


def update(tx: Transaction, refund: StripeObject, params: Parameters) -> StripeObject:
    """Update the metadata of a refund (POST /v1/refunds/{id})."""
    old = refund["metadata"]
    new = merge_metadata(params.get("metadata", {}), old)
    changed = {name: old.get(name) for name in old | new if old.get(name) != new.get(name)}
    tx.update("refund.updated", refund, metadata=new)
    tx.emit("charge.refund.updated", refund, {"metadata": changed} if changed else {})
    return refund

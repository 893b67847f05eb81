"""Disputes: a cardholder's bank takes the money back, and may return it later."""

from typing import Any

from stripe_emulator.base.errors import Refused
from stripe_emulator.base.ids import new_id
from stripe_emulator.base.models import StripeObject
from stripe_emulator.parameters.parameters import Parameters
from stripe_emulator.resources import balance
from stripe_emulator.resources.metadata import merge_metadata
from stripe_emulator.storage.transaction import Transaction

OPEN_SECONDS = 2.0
DUE_SECONDS = 9 * 86400
FEE = 1500
AFTERMATHS = {
    "dispute_fraudulent": "fraudulent",
    "dispute_product_not_received": "product_not_received",
    "inquiry": "general",
}
REASON_CODES = {"fraudulent": "10.4", "product_not_received": "13.1"}
REASONS = (
    *("bank_cannot_process", "check_returned", "credit_not_processed", "customer_initiated"),
    *("debit_not_authorized", "duplicate", "fraudulent", "general", "incorrect_account_details"),
    *("insufficient_funds", "noncompliant", "product_not_received", "product_unacceptable"),
    *("subscription_canceled", "unrecognized"),
)
EVIDENCE = (
    *("access_activity_log", "billing_address", "cancellation_policy"),
    *("cancellation_policy_disclosure", "cancellation_rebuttal", "customer_communication"),
    *("customer_email_address", "customer_name", "customer_purchase_ip", "customer_signature"),
    *("duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id"),
    *("product_description", "receipt", "refund_policy", "refund_policy_disclosure"),
    *("refund_refusal_explanation", "service_date", "service_documentation", "shipping_address"),
    *("shipping_carrier", "shipping_date", "shipping_documentation", "shipping_tracking_number"),
    *("uncategorized_file", "uncategorized_text"),
)
OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")


def blocks_refund(tx: Transaction, charge_id: str) -> bool:
    """Return whether a chargeback blocks refunds. An inquiry does not, nor one won (unverified)."""
    return any(
        not dispute["is_charge_refundable"] and dispute["status"] != "won"
        for dispute in tx.related("dispute", charge=charge_id)
    )


def open_for(tx: Transaction, charge_id: str) -> None:
    """Open the dispute of a test card for disputes, shortly after the payment."""
    aftermath = tx.private(charge_id).get("aftermath", "")
    if not tx.related("dispute", charge=charge_id):
        create(tx, charge_id, AFTERMATHS[aftermath], inquiry=aftermath == "inquiry")


def warn(tx: Transaction, charge_id: str) -> None:
    """Create an early fraud warning of the card's bank.

    It stays actionable after a refund here; what Stripe changes then is unverified.
    """
    charge = tx.get(charge_id, "charge")
    warning = tx.add(
        {
            "id": new_id("radar.early_fraud_warning"),
            "object": "radar.early_fraud_warning",
            "actionable": charge["amount_refunded"] < charge["amount"],
            "charge": charge_id,
            "created": tx.seconds,
            "fraud_type": "made_with_stolen_card",
            "livemode": False,
            "payment_intent": charge["payment_intent"],
        }
    )
    tx.emit("radar.early_fraud_warning.created", warning)


def create(
    tx: Transaction, charge_id: str, reason: str = "fraudulent", *, inquiry: bool = False
) -> StripeObject:
    """Dispute the unrefunded amount of a charge. Raises Refused if nothing is left to dispute."""
    charge = tx.get(charge_id, "charge", "charge")
    amount = charge["amount"] - charge["amount_refunded"]
    if reason not in REASONS:
        raise Refused(f"Invalid reason: must be one of {', '.join(REASONS)}", param="reason")
    is_card_or_debit = charge["payment_method_details"]["type"] != "customer_balance"
    is_captured = charge["paid"] and charge["captured"] and is_card_or_debit
    if not is_captured or charge["disputed"] or amount == 0:
        raise Refused(f"Charge {charge_id} cannot be disputed (again).", param="charge")
    dispute = tx.add(_blank(tx, charge, amount, reason, inquiry=inquiry))
    if not inquiry:
        _move_money(tx, dispute, -amount, FEE)
    tx.emit("charge.dispute.created", dispute)
    if not inquiry:
        tx.emit("charge.dispute.funds_withdrawn", dispute)
    tx.update("charge.updated", charge, disputed=True)
    return dispute


def _move_money(tx: Transaction, dispute: StripeObject, amount: int, fee: int) -> None:
    transaction = balance.record(tx, "adjustment", dispute, amount, fee=fee)
    dispute["balance_transactions"] = [*dispute["balance_transactions"], transaction]
    tx.save(dispute)


def _blank(
    tx: Transaction, charge: StripeObject, amount: int, reason: str, *, inquiry: bool
) -> StripeObject:
    dispute: dict[str, Any] = {
        "id": new_id("dispute"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": tx.seconds,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": tx.seconds + DUE_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    card = charge["payment_method_details"].get("card")
    if card:
        dispute["payment_method_details"] = {
            "card": {
                "brand": card["brand"],
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": card["network"],
                "network_reason_code": REASON_CODES.get(reason),
            },
            "type": "card",
        }
    return dispute


def update(tx: Transaction, dispute: StripeObject, params: Parameters) -> StripeObject:
    """Update evidence and metadata (POST /v1/disputes/{id}); Stripe's two test sentences decide
    it."""
    changes: dict[str, Any] = {}
    if "metadata" in params:
        changes["metadata"] = merge_metadata(params["metadata"], dispute["metadata"])
    if "intended_submission_method" in params:
        changes["intended_submission_method"] = params["intended_submission_method"]
    evidence = {
        name: value for name, value in params.get("evidence", {}).items() if name in EVIDENCE
    }
    if evidence:
        _still_open(dispute)
        details = dispute["evidence_details"]
        changes["evidence"] = dispute["evidence"] | {
            name: value or None for name, value in evidence.items()
        }
        changes["evidence_details"] = details | {"has_evidence": True}
        if params.get("submit", True):
            warning = dispute["status"].startswith("warning")
            changes["status"] = "warning_under_review" if warning else "under_review"
            changes["evidence_details"] |= {"submission_count": 1, "submission_method": "manual"}
    tx.update("charge.dispute.updated", dispute, **changes)
    verdict = evidence.get("uncategorized_text")
    if verdict in ("winning_evidence", "losing_evidence") and params.get("submit", True):
        close(tx, dispute, won=verdict == "winning_evidence")
    return dispute


def _still_open(dispute: StripeObject) -> None:
    if dispute["status"] not in OPEN:
        raise Refused(
            f"This dispute is already closed: it has a status of {dispute['status']}.",
            code="dispute_already_closed",
        )


def close(tx: Transaction, dispute: StripeObject, *, won: bool) -> StripeObject:
    """Close a dispute as won or lost; over the API it can only be lost, by accepting it."""
    _still_open(dispute)
    inquiry = dispute["status"].startswith("warning")
    dispute["status"] = "warning_closed" if inquiry else "won" if won else "lost"
    tx.save(dispute)
    if won and not inquiry:
        _move_money(tx, dispute, dispute["amount"], -FEE)
    tx.emit("charge.dispute.closed", dispute)
    if won and not inquiry:
        tx.emit("charge.dispute.funds_reinstated", dispute)
    return dispute

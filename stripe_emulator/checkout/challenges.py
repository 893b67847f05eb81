"""3-D Secure challenges of a session or an intent, and the buyer's response."""

import json
from urllib.parse import urlencode, urlsplit, urlunsplit

from stripe_emulator.base.models import Challenge, PaymentResult, StripeObject
from stripe_emulator.resources import payment_intents, setup_intents
from stripe_emulator.resources.payment_method_object import PaymentDetails
from stripe_emulator.storage.transaction import Transaction

SESSION = "checkout.session"


def open_challenge(tx: Transaction, challenge_id: str) -> Challenge | None:
    """Return an open challenge as its page shows it; None once it was answered."""
    row = tx.connection.execute(
        "SELECT * FROM challenges WHERE id = ? AND NOT answered", (challenge_id,)
    ).fetchone()
    subject = tx.find(row["session_id"]) if row else None
    if row is None or subject is None:
        return None
    payment_details = PaymentDetails(**json.loads(row["card"]))
    of_session = subject["object"] == SESSION
    return Challenge(
        id=challenge_id,
        session_id=subject["id"] if of_session else None,
        amount=subject["amount_total"] if of_session else subject.get("amount"),
        currency=subject.get("currency"),
        brand=payment_details.brand,
        last4=payment_details.last4,
    )


def take_challenge(
    tx: Transaction, challenge_id: str
) -> tuple[StripeObject, PaymentDetails] | None:
    """Mark a challenge as answered; returns its subject and card. None if it was answered
    before."""
    run, which = tx.connection.execute, "WHERE id = ? AND NOT answered"
    row = run(f"SELECT * FROM challenges {which}", (challenge_id,)).fetchone()  # noqa: S608
    run(f"UPDATE challenges SET answered = 1 {which}", (challenge_id,))  # noqa: S608
    subject = tx.find(row["session_id"]) if row else None
    return (subject, PaymentDetails(**json.loads(row["card"]))) if subject else None


def answer_intent(
    tx: Transaction, intent: StripeObject, payment_details: PaymentDetails, *, passed: bool
) -> PaymentResult:
    """Continue an intent that was confirmed over the API; returns where the browser goes."""
    action = intent["next_action"] or {}
    return_url = action.get("redirect_to_url", {}).get("return_url")
    if intent["object"] == "payment_intent":
        intent = payment_intents.answer_challenge(tx, intent, payment_details, passed=passed)
        error = intent["last_payment_error"]
    else:
        intent = setup_intents.answer_challenge(tx, intent, payment_details, passed=passed)
        error = intent["last_setup_error"]
    address = return_url and _with_result(return_url, intent, "failed" if error else "succeeded")
    return PaymentResult(
        "declined" if error else "succeeded",
        error["message"] if error else None,
        redirect_url=address,
    )


def _with_result(return_url: str, intent: StripeObject, status: str) -> str:
    """Return the `return_url` with the parameters that Stripe adds."""
    kind = intent["object"]
    query = urlencode(
        {
            kind: intent["id"],
            f"{kind}_client_secret": intent["client_secret"],
            "redirect_status": status,
        }
    )
    parts = urlsplit(return_url)
    joined = f"{parts.query}&{query}" if parts.query else query
    return urlunsplit(parts._replace(query=joined))

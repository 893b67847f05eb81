"""The control API for what people and banks do: pay, authenticate, settle, dispute, resend."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends
from pydantic import Field

from stripe_emulator.admin.control_api import ControlRequest, Running
from stripe_emulator.base.models import PaymentResult, StripeObject
from stripe_emulator.web.rendering import require_same_origin

router = APIRouter(prefix="/emulator", dependencies=[Depends(require_same_origin)])


class PaymentRequest(ControlRequest):
    """A payment by card as on the payment page, for scripts without a browser."""

    number: str = "4242424242424242"
    expiry: str = "12/34"
    cvc: str = "123"
    name: str = "Ada Buyer"
    email: str = "ada@example.com"
    answers: dict[str, str] = Field(default_factory=dict)


class RollRequest(ControlRequest):
    """For how long the old secret also signs."""

    seconds: float = Field(86400, ge=0, le=86400)
    secret: str = Field("", max_length=200)


@router.post("/sessions/{session_id}/pay")
def pay(emulator: Running, session_id: str, body: PaymentRequest) -> PaymentResult:
    """Pay a session with a test card."""
    return emulator.checkout.pay_with_card(session_id, **body.model_dump())


@router.post("/sessions/{session_id}/pay_later")
def pay_later(
    emulator: Running,
    session_id: str,
    outcome: Annotated[Literal["succeeds", "fails"], Body(embed=True)] = "succeeds",
    email: Annotated[str, Body(embed=True)] = "ada@example.com",
    answers: Annotated[dict[str, str] | None, Body(embed=True)] = None,
) -> PaymentResult:
    """Pay a session by bank debit."""
    return emulator.checkout.pay_later(session_id, outcome=outcome, email=email, answers=answers)


@router.post("/challenges/{challenge_id}")
def answer(
    emulator: Running, challenge_id: str, passed: Annotated[bool, Body(embed=True)]
) -> PaymentResult:
    """Pass or fail a 3-D Secure challenge."""
    return emulator.checkout.answer_challenge(challenge_id, passed)


@router.post("/payments/{payment_intent_id}/settle")
def settle(
    emulator: Running, payment_intent_id: str, succeeded: Annotated[bool, Body(embed=True)]
) -> StripeObject:
    """End a bank debit that is processing."""
    return emulator.settle_debit(payment_intent_id, succeeded)


@router.post("/charges/{charge_id}/dispute")
def dispute(
    emulator: Running,
    charge_id: str,
    reason: Annotated[str, Body(embed=True, max_length=60)] = "fraudulent",
) -> StripeObject:
    """Dispute a charge as the cardholder's bank would."""
    return emulator.dispute(charge_id, reason)


@router.post("/disputes/{dispute_id}/close")
def close_dispute(
    emulator: Running, dispute_id: str, won: Annotated[bool, Body(embed=True)]
) -> StripeObject:
    """Decide a dispute as the bank would."""
    return emulator.close_dispute(dispute_id, won)


@router.post("/events/{event_id}/resend")
def resend(
    emulator: Running, event_id: str, endpoint: Annotated[str | None, Body(embed=True)] = None
) -> dict[str, int]:
    """Deliver an event again under its own id."""
    return {"deliveries": emulator.resend(event_id, endpoint)}


@router.post("/endpoints/{endpoint_id}/roll")
def roll(emulator: Running, endpoint_id: str, body: RollRequest) -> dict[str, str]:
    """Replace a signing secret; for a while both sign."""
    return {"secret": emulator.roll_secret(endpoint_id, body.seconds, body.secret)}

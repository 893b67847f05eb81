"""The dashboard's buttons: forms that only its own pages may post.

A success redirects (303) to the page that shows it; an error is shown in Stripe's words.
"""

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict

from stripe_emulator.admin.control_api import Running
from stripe_emulator.base import currencies
from stripe_emulator.base.errors import InvalidRequest, NotFound, StripeError
from stripe_emulator.emulator import Emulator
from stripe_emulator.faults import DELIVERY_FAULTS, REQUEST_FAULTS
from stripe_emulator.web.rendering import SECURITY_HEADERS, page, require_same_origin

router = APIRouter(dependencies=[Depends(require_same_origin)])

Text = Annotated[str, Form()]
LONGEST_MOVE_SECONDS = 366 * 86400


class FaultForm(BaseModel):
    """The form of a fault; the value of each kind is posted as `value-KIND`."""

    model_config = ConfigDict(extra="allow")

    target: str = "request"
    kind: str = ""
    times: str = "1"
    match: str = "*"
    value: str = ""
    chance: str = "100"
    """In percent; the same seed selects the same requests."""
    seed: str = "0"


@router.post("/payments/{payment_id}/refund")
def refund(running: Running, payment_id: str, amount: Text = "", reason: Text = "") -> Response:
    """Refund the amount of the form, or all that is left."""

    def act(emulator: Emulator) -> None:
        payment = emulator.retrieve(payment_id)
        if payment is None:
            raise NotFound.resource("payment_intent", payment_id)
        minor = _minor_units(amount, payment["currency"]) if amount.strip() else None
        emulator.refund(payment_id, minor, reason or None)

    return _run(running, act, f"/payments/{payment_id}")


@router.post("/payments/{payment_id}/dispute")
def dispute(running: Running, payment_id: str, reason: Text = "fraudulent") -> Response:
    """Dispute the payment's charge as the cardholder's bank would."""

    def act(emulator: Emulator) -> None:
        payment = emulator.retrieve(payment_id)
        if payment is None or not payment.get("latest_charge"):
            raise NotFound.resource("charge", payment_id)
        emulator.dispute(payment["latest_charge"], reason)

    return _run(running, act, f"/payments/{payment_id}")


@router.post("/payments/{payment_id}/settle")
def settle(running: Running, payment_id: str, outcome: Text) -> Response:
    """End a bank debit that is processing."""
    return _run(
        running,
        lambda emulator: emulator.settle_debit(payment_id, outcome == "succeeds"),
        f"/payments/{payment_id}",
    )


@router.post("/sessions/{session_id}/expire")
def expire(running: Running, session_id: str) -> Response:
    """Expire an open session."""
    return _run(running, lambda emulator: emulator.expire(session_id), f"/sessions/{session_id}")


@router.post("/disputes/{dispute_id}/close")
def close_dispute(running: Running, dispute_id: str, outcome: Text) -> Response:
    """Decide a dispute for the shop (`won`) or for the cardholder."""
    return _run(
        running,
        lambda emulator: emulator.close_dispute(dispute_id, outcome == "won"),
        f"/disputes/{dispute_id}",
    )


@router.post("/events/{event_id}/resend")
def resend(running: Running, event_id: str) -> Response:
    """Deliver an event again under its own id, to every endpoint that listens to it."""
    return _run(running, lambda emulator: emulator.resend(event_id), f"/events/{event_id}")


@router.post("/trouble")
def inject_fault(running: Running, form: Annotated[FaultForm, Form()]) -> Response:
    """Arm a fault for the next requests or deliveries."""

    def act(emulator: Emulator) -> None:
        target: Literal["request", "delivery"] = (
            "delivery" if form.target == "delivery" else "request"
        )
        kinds = DELIVERY_FAULTS if target == "delivery" else REQUEST_FAULTS
        if form.kind not in kinds:
            raise InvalidRequest(f"There is no such fault: {form.kind[:40]}", param="kind")
        emulator.inject_fault(
            target,
            form.kind,
            times=_times(form.times),
            match=form.match.strip() or "*",
            value=str((form.model_extra or {}).get(f"value-{form.kind}", form.value)).strip(),
            chance=_whole_number(form.chance, "chance", 1, 100) / 100,
            seed=_whole_number(form.seed, "seed", 0, 2**31),
        )

    return _run(running, act, "/trouble")


@router.post("/trouble/calm")
def clear_faults(running: Running, trouble: Text = "") -> Response:
    """Clear one fault, or all of them."""
    one = int(trouble) if trouble.isascii() and trouble.isdigit() else None
    return _run(running, lambda emulator: emulator.clear_faults(one), "/trouble")


@router.post("/trouble/clock")
def move_clock(running: Running, seconds: Text) -> Response:
    """Move the clock forward and run what became due."""

    def act(emulator: Emulator) -> None:
        emulator.move_clock(_whole_number(seconds, "seconds", 1, LONGEST_MOVE_SECONDS))

    return _run(running, act, "/trouble")


@router.post("/trouble/reset")
def reset(running: Running, sure: Text = "") -> Response:
    """Delete everything, if the box is ticked."""

    def act(emulator: Emulator) -> None:
        if sure != "yes":
            raise InvalidRequest("Tick the box to forget everything.", param="sure")
        emulator.reset()

    return _run(running, act, "/")


def _run(emulator: Emulator, act: Callable[[Emulator], object], then: str) -> Response:
    try:
        act(emulator)
    except StripeError as refusal:
        context = {"message": refusal.message, "back": then}
        return page("error.html", context, status=refusal.status)
    return RedirectResponse(then, status_code=303, headers=SECURITY_HEADERS)


def _minor_units(written: str, currency: str) -> int:
    """Return `12.50` as 1250. Raises InvalidRequest for an amount the currency cannot express."""
    try:
        minor = Decimal(written.strip()).scaleb(currencies.exponent(currency))
    except InvalidOperation:
        minor = Decimal("NaN")
    if not minor.is_finite() or minor != math.floor(minor) or minor <= 0:
        raise InvalidRequest(
            f"{written[:40]} is not an amount of {currency.upper()} that can be paid back.",
            param="amount",
        )
    return int(minor)


def _times(written: str) -> int | None:
    """Return the number of times; None for `always`."""
    if written.strip().lower() == "always":
        return None
    return _whole_number(written, "times", 1, 1_000_000)


def _whole_number(written: str, name: str, lowest: int, highest: int) -> int:
    """Return the number in the field. Raises InvalidRequest if it is missing or out of bounds."""
    text = written.strip()
    if not (text.isascii() and text.isdigit() and lowest <= int(text[:12]) <= highest):
        raise InvalidRequest(
            f"{name} has to be a whole number from {lowest} to {highest}.", param=name
        )
    return int(text)

"""The control API under `/emulator/…`: faults, clock, reset, snapshots, deliveries.

It is separate from Stripe's API, speaks JSON and needs no key: it answers on loopback, and to the
names allowed at the start.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from stripe_emulator.base.config import API_VERSION
from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.models import Delivery, Fault
from stripe_emulator.emulator import Emulator
from stripe_emulator.web.rendering import require_same_origin

LONGEST_MOVE_SECONDS = 366 * 86400


router = APIRouter(prefix="/emulator", dependencies=[Depends(require_same_origin)])


def emulator_of(request: Request) -> Emulator:
    """Return the running emulator."""
    emulator: Emulator = request.app.state.emulator
    return emulator


Running = Annotated[Emulator, Depends(emulator_of)]


class ControlRequest(BaseModel):
    """A JSON body of the control API; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class FaultRequest(ControlRequest):
    """A fault for the next `times` matching requests or deliveries; `null`: all until it is
    cleared."""

    target: Literal["request", "delivery"]
    kind: str
    times: int | None = 1
    match: str = Field("*", max_length=200)
    value: str = Field("", max_length=40)
    seed: int = Field(0, ge=0, le=2**53)
    chance: float = 1.0


class ClockRequest(ControlRequest):
    """How far to move the clock, and how far it is off from this machine's."""

    seconds: float = Field(0, ge=0, le=LONGEST_MOVE_SECONDS)
    off: float | None = Field(None, ge=-LONGEST_MOVE_SECONDS, le=LONGEST_MOVE_SECONDS)


class DatesRequest(ControlRequest):
    """When Checkout Sessions were created: Unix times by session id."""

    sessions: dict[str, Annotated[int, Field(ge=0, le=2**40)]] = Field(max_length=1000)


class SnapshotRequest(ControlRequest):
    """The name of a snapshot."""

    name: str = Field("snapshot", max_length=60)


@router.get("/health")
def health(emulator: Running) -> dict[str, Any]:
    """Return 200 if the emulator can read its file."""
    return {"status": "ok", "api_version": API_VERSION, "counts": emulator.counts()}


@router.get("/troubles")
def faults(emulator: Running) -> list[Fault]:
    """Return the faults that are still armed."""
    return emulator.faults()


@router.post("/troubles")
def inject_fault(emulator: Running, body: FaultRequest) -> Fault:
    """Arm a fault."""
    return emulator.inject_fault(
        body.target,
        body.kind,
        times=body.times,
        match=body.match,
        value=body.value,
        seed=body.seed,
        chance=body.chance,
    )


@router.delete("/troubles")
def clear_faults(emulator: Running) -> dict[str, Any]:
    """Clear all faults."""
    emulator.clear_faults()
    return {"status": "ok"}


@router.delete("/troubles/{fault_id}")
def clear_fault(emulator: Running, fault_id: int) -> dict[str, Any]:
    """Clear one fault."""
    if fault_id.bit_length() < 64:
        emulator.clear_faults(fault_id)
    return {"status": "ok"}


@router.get("/clock")
def clock(emulator: Running) -> dict[str, float]:
    """Return the emulator's time."""
    return {"now": emulator.now()}


@router.post("/clock")
def move_clock(emulator: Running, body: ClockRequest) -> dict[str, float]:
    """Move the clock forward and run what becomes due; set how far it is off."""
    if body.off is not None:
        emulator.set_clock_off(body.off)
    return {"now": emulator.move_clock(body.seconds)}


@router.post("/date_back")
def date_back(emulator: Running, body: DatesRequest) -> dict[str, str]:
    """Date payments back to earlier times."""
    emulator.date_back(body.sessions)
    return {"status": "ok"}


@router.post("/reset")
def reset(emulator: Running) -> dict[str, str]:
    """Delete everything except the endpoint given at the start."""
    emulator.reset()
    return {"status": "ok"}


@router.post("/snapshot")
def snapshot(emulator: Running, body: SnapshotRequest) -> dict[str, str]:
    """Copy the account into a named snapshot."""
    emulator.snapshot(_snapshot_path(emulator, body.name))
    return {"status": "ok"}


@router.post("/restore")
def restore(emulator: Running, body: SnapshotRequest) -> dict[str, str]:
    """Replace the account by a named snapshot."""
    path = _snapshot_path(emulator, body.name)
    if not path.exists():
        raise InvalidRequest(f"No such snapshot: {body.name}", param="name")
    emulator.restore(path)
    return {"status": "ok"}


def _snapshot_path(emulator: Emulator, name: str) -> Path:
    """Return the snapshot's path beside the account's file. Raises InvalidRequest unless the name
    is letters, digits, `-` and `_`."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise InvalidRequest("A snapshot's name is letters, digits, - and _.", param="name")
    file = emulator.account.storage.path
    return file.with_name(f"{file.stem}.{name}.snapshot")


@router.get("/deliveries")
def deliveries(
    emulator: Running, event: str | None = None, limit: Annotated[int, Field(ge=1, le=1000)] = 50
) -> list[Delivery]:
    """Return deliveries with their attempts, newest first."""
    return emulator.deliveries(event_id=event, limit=limit)

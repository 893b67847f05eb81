"""Faults: requests and deliveries that fail on purpose, and which of them a fault applies to."""

import sqlite3
from fnmatch import fnmatchcase
from random import Random
from typing import Literal

from stripe_emulator.api.malformed import SHAPES
from stripe_emulator.api.request_faults import REFUSALS
from stripe_emulator.base.errors import InvalidRequest
from stripe_emulator.base.models import Fault

Target = Literal["request", "delivery"]

REQUEST_FAULTS: dict[str, str] = {
    "rate_limit": "Answer 429, too many requests, before acting",
    "lock_timeout": "Answer 429, another request holds the object, before acting",
    "error_before": "Answer 500 before acting",
    "error_after": "Act, then answer 500",
    "error_kept": "Undo the act, answer 500, and keep answering so to the same idempotency key",
    "hang": "Act, then keep silent for {value} seconds",
    "cut": "Act, then cut the connection",
    "slow": "Answer {value} milliseconds late",
    "malformed": "Act, then answer what is no Stripe object: {value}",
    "gone": "Answer 404, no such object, and leave it out of every list",
    "forbidden": "Answer 403, the key lacks the permission for this call",
    "refuse": "Answer 400, {value}, which the key keeps",
}

DELIVERY_FAULTS: dict[str, str] = {
    "drop": "Never deliver it",
    "duplicate": "Deliver it {value} times in all",
    "reorder": "Hold it back until a later event has been delivered",
    "delay": "Deliver it {value} seconds late",
    "forge": "Send an event that never happened before it, with a made-up signature",
    "tamper": "Change the body after signing it",
    "wrong_secret": "Sign it with another secret",
    "old_timestamp": "Sign it with a timestamp {value} seconds old",
    "livemode": "Say livemode: true, correctly signed",
    "amount": "Say another amount, correctly signed: {value}",
    "currency": "Say another currency, correctly signed: {value}",
}

DEFAULTS = {
    "hang": "90",
    "slow": "1000",
    "duplicate": "2",
    "delay": "60",
    "old_timestamp": "600",
    "amount": "",
    "currency": "eur",
    "malformed": "json",
    "refuse": "insufficient_funds",
}
CHOICES = {"malformed": tuple(SHAPES), "refuse": tuple(REFUSALS)}
"""Kinds whose value is one of a fixed list."""
TEXT_VALUES = ("currency", *CHOICES)
ONE_MORE = "one more"
"""The default value of `amount`."""
MOST = 1_000_000
FOR_EVER = 0  # the value of the column `remaining` of a fault that stays until it is cleared
KINDS = {"request": REQUEST_FAULTS, "delivery": DELIVERY_FAULTS}


def inject(connection: sqlite3.Connection, fault: Fault) -> Fault:
    """Arm a fault; returns it with its id. Raises InvalidRequest for an unknown kind or value."""
    if fault.kind not in KINDS[fault.target]:
        choices = ", ".join(KINDS[fault.target])
        raise InvalidRequest(f"Invalid kind: must be one of {choices}", param="kind")
    if fault.remaining is not None and not 1 <= fault.remaining <= MOST:
        raise InvalidRequest("times must be at least 1, or null: until it is taken back.")
    if not 0 < fault.chance <= 1:
        raise InvalidRequest("chance must be above 0 and at most 1.")
    value = fault.value or DEFAULTS.get(fault.kind, "")
    if value and fault.kind not in TEXT_VALUES and not _is_number(value):
        raise InvalidRequest(f"Invalid number: {value[:100]}", param="value")
    if value not in CHOICES.get(fault.kind, (value,)):
        choices = ", ".join(CHOICES[fault.kind])
        raise InvalidRequest(f"Invalid value: must be one of {choices}", param="value")
    made = connection.execute(
        "INSERT INTO troubles (target, kind, remaining, match, value, seed, chance, drawn)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
        (
            *(fault.target, fault.kind, fault.remaining or FOR_EVER),
            *(fault.match or "*", value),
            *(fault.seed, fault.chance),
        ),
    )
    row = connection.execute("SELECT * FROM troubles WHERE id = ?", (made.lastrowid,)).fetchone()
    return _fault_of_row(row)


def describe(fault: Fault) -> str:
    """Return a sentence that describes the fault, with its value."""
    return KINDS[fault.target][fault.kind].replace("{value}", fault.value or ONE_MORE)


def _is_number(text: str) -> bool:
    return text.isascii() and text.replace(".", "", 1).isdigit() and len(text) < 12


def armed_faults(connection: sqlite3.Connection) -> list[Fault]:
    """Return the faults that are still armed, oldest first."""
    return [_fault_of_row(row) for row in connection.execute("SELECT * FROM troubles ORDER BY id")]


def take(connection: sqlite3.Connection, target: Target, *names: str) -> Fault | None:
    """Return the fault that applies to this request or delivery, if any, and count it.

    `names` are what a fault's `match` is compared with: a call, its address and its ids; or the
    type of the event and the id of the endpoint. With a `chance` below 1, the same seed selects the
    same requests in the same order.
    """
    rows = connection.execute("SELECT * FROM troubles WHERE target = ? ORDER BY id", (target,))
    for row in rows.fetchall():
        if any(fnmatchcase(name, row["match"]) for name in names) and _fires(connection, row):
            return _fault_of_row(row)
    return None


def shape_of(connection: sqlite3.Connection, item_id: str) -> str | None:
    """Return how an item of a list is malformed, if it is, and count it. A fault for `*` malforms
    whole responses only."""
    rows = connection.execute("SELECT * FROM troubles WHERE kind = 'malformed' AND match <> '*'")
    for row in rows.fetchall():
        if fnmatchcase(item_id, row["match"]) and _fires(connection, row):
            return str(row["value"])
    return None


def _fires(connection: sqlite3.Connection, row: sqlite3.Row) -> bool:
    """Draw whether a matching fault fires this time; if so, decrement its count."""
    connection.execute("UPDATE troubles SET drawn = drawn + 1 WHERE id = ?", (row["id"],))
    if Random(f"{row['seed']}:{row['drawn']}").random() >= row["chance"]:  # noqa: S311
        return False
    if row["remaining"] == 1:
        connection.execute("DELETE FROM troubles WHERE id = ?", (row["id"],))
    elif row["remaining"] != FOR_EVER:
        connection.execute(
            "UPDATE troubles SET remaining = remaining - 1 WHERE id = ?", (row["id"],)
        )
    return True


def clear(connection: sqlite3.Connection, fault_id: int | None) -> None:
    """Clear one fault, or all of them."""
    if fault_id is None:
        connection.execute("DELETE FROM troubles")
    else:
        connection.execute("DELETE FROM troubles WHERE id = ?", (fault_id,))


def _fault_of_row(row: sqlite3.Row) -> Fault:
    return Fault(
        id=row["id"],
        target=row["target"],
        kind=row["kind"],
        remaining=row["remaining"] or None,
        match=row["match"],
        value=row["value"],
        seed=row["seed"],
        chance=row["chance"],
    )

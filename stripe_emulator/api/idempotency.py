"""Idempotency keys: the first response is stored, and repeated byte for byte.

The scope is the account, not the endpoint. A key expires after 24 hours on the emulator's clock and
then starts a new request (docs.stripe.com/api/idempotent_requests).
"""

import sqlite3
from dataclasses import dataclass

from stripe_emulator.base.errors import InvalidRequest, KeyInUse, KeyMismatch

KEPT_SECONDS = 86400
LONGEST = 255


@dataclass(frozen=True)
class SavedResponse:
    """The first response under a key."""

    status: int
    body: bytes
    request_id: str


def check(key: str) -> None:
    """Raise InvalidRequest for a key that is too long (the exact words are unverified)."""
    if len(key) > LONGEST:
        raise InvalidRequest(
            f"Idempotency keys can have up to {LONGEST} characters, but you passed in a key that "
            f"is {len(key)} characters."
        )


def in_use(key: str) -> KeyInUse:
    """Return the error of a second request while the first is in progress."""
    return KeyInUse(
        "There is currently another in-progress request using this Idempotent Key (that probably "
        "means you submitted twice, and the other request is still going through): "
        f"{key}. Please try again later.",
        code="idempotency_key_in_use",
    )


def recall(
    connection: sqlite3.Connection, key: str, endpoint: str, fingerprint: str, now: float
) -> SavedResponse | None:
    """Return the saved response, if there is one. Raises KeyMismatch if its request was another
    one."""
    row = connection.execute(
        "SELECT * FROM idempotency WHERE key = ? AND created > ?", (key, now - KEPT_SECONDS)
    ).fetchone()
    if row is None:
        return None
    if (row["endpoint"], row["fingerprint"]) != (endpoint, fingerprint):
        raise KeyMismatch(
            "Keys for idempotent requests can only be used with the same parameters they were "
            f"first used with. Try using a key other than '{key}' if you meant to execute a "
            "different request."
        )
    return SavedResponse(row["status"], row["body"], row["request_id"])


def save(
    connection: sqlite3.Connection,
    key: str,
    request: tuple[str, str],
    response: SavedResponse,
    now: float,
) -> None:
    """Store a response and delete those older than a day."""
    connection.execute("DELETE FROM idempotency WHERE created <= ?", (now - KEPT_SECONDS,))
    connection.execute(
        "INSERT OR REPLACE INTO idempotency (key, endpoint, fingerprint, status, body, request_id,"
        " created) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (key, *request, response.status, response.body, response.request_id, now),
    )

"""Actions that run at a set time, in one table."""

from collections.abc import Callable

from stripe_emulator.base.errors import StripeError
from stripe_emulator.resources import (
    charges,
    checkout_sessions,
    coupons,
    disputes,
    payment_attempts,
    payment_intents,
    refunds,
)
from stripe_emulator.storage.transaction import END_CLI_SESSION, NO_REQUEST, Transaction
from stripe_emulator.stripe_cli import sessions

ACTIONS: dict[str, Callable[[Transaction, str], object]] = {
    "expire_session": checkout_sessions.expire_in_time,
    "expire_code": coupons.expire_code,
    "expire_coupon": coupons.expire_coupon,
    "expire_authorization": payment_intents.expire_authorization,
    "settle_balance": charges.settle_balance,
    "open_dispute": disputes.open_for,
    "warn_of_fraud": disputes.warn,
    "refund_succeeds": refunds.succeed,
    "refund_fails": refunds.fail,
    END_CLI_SESSION: sessions.end,
    "debit_succeeds": lambda tx, intent: payment_attempts.settle_debit(tx, intent, succeeded=True),
    "debit_fails": lambda tx, intent: payment_attempts.settle_debit(tx, intent, succeeded=False),
}


def run_due(tx: Transaction) -> None:
    """Run every due action, each at its own time even if the clock was moved past it."""
    now, cause = tx.now, tx.request
    tx.request = NO_REQUEST
    while row := tx.connection.execute(
        "SELECT id, due_at, act, subject FROM timers WHERE due_at <= ? ORDER BY due_at, id LIMIT 1",
        (now,),
    ).fetchone():
        tx.connection.execute("DELETE FROM timers WHERE id = ?", (row["id"],))
        tx.now = row["due_at"]
        _run(tx, row["act"], row["subject"])
    tx.now, tx.request = now, cause


def _run(tx: Transaction, act: str, subject: str) -> None:
    """Run one action, completely or not at all.

    A StripeError means that the action is no longer possible, such as a dispute of a charge that
    was refunded in the meantime; it is dropped.
    """
    emitted = len(tx.emitted)
    tx.connection.execute("SAVEPOINT act")
    try:
        ACTIONS[act](tx, subject)
    except StripeError:
        tx.connection.execute("ROLLBACK TO act")
        del tx.emitted[emitted:]
    tx.connection.execute("RELEASE act")

"""What happens by itself when its time has come, in one table."""

from collections.abc import Callable

from stripe_emulator.base.errors import StripeError
from stripe_emulator.resources import (
    charges,
    checkout_sessions,
    coupons,
    disputes,
    payment_attempts,
    payment_intent_calls,
    refunds,
)
from stripe_emulator.storage.transaction import AUTOMATIC, END_CLI_SESSION, Books
from stripe_emulator.stripe_cli import sessions

ACTS: dict[str, Callable[[Books, str], object]] = {
    "expire_session": checkout_sessions.expire_in_time,
    "expire_code": coupons.expire_code,
    "expire_coupon": coupons.expire_coupon,
    "expire_authorization": payment_intent_calls.expire_authorization,
    "settle_balance": charges.settle_balance,
    "open_dispute": disputes.open_for,
    "warn_of_fraud": disputes.warn,
    "refund_succeeds": refunds.succeed,
    "refund_fails": refunds.fail,
    END_CLI_SESSION: sessions.end,
    "debit_succeeds": lambda books, intent: payment_attempts.settle_debit(
        books, intent, succeeded=True
    ),
    "debit_fails": lambda books, intent: payment_attempts.settle_debit(
        books, intent, succeeded=False
    ),
}


def run_due(books: Books) -> None:
    """Do everything that is due, each at its own time, also where the clock leapt over it."""
    now, cause = books.now, books.cause
    books.cause = AUTOMATIC
    while row := books.connection.execute(
        "SELECT id, due_at, act, subject FROM timers WHERE due_at <= ? ORDER BY due_at, id LIMIT 1",
        (now,),
    ).fetchone():
        books.connection.execute("DELETE FROM timers WHERE id = ?", (row["id"],))
        books.now = row["due_at"]
        _act(books, row["act"], row["subject"])
    books.now, books.cause = now, cause


def _act(books: Books, act: str, subject: str) -> None:
    """One act, whole or not at all.

    What Stripe would refuse by now, such as a dispute about a charge that was refunded in the
    meantime, has come to nothing.
    """
    emitted = len(books.emitted)
    books.connection.execute("SAVEPOINT act")
    try:
        ACTS[act](books, subject)
    except StripeError:
        books.connection.execute("ROLLBACK TO act")
        del books.emitted[emitted:]
    books.connection.execute("RELEASE act")

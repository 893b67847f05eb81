"""What happens by itself when its time has come, in one table."""

from collections.abc import Callable

from store.emulator import charges, disputes, payments, refunds, sessions
from store.emulator.books import AUTOMATIC, Books

ACTS: dict[str, Callable[[Books, str], object]] = {
    "expire_session": sessions.expire_in_time,
    "settle_balance": charges.settle_balance,
    "open_dispute": disputes.open_for,
    "refund_succeeds": refunds.succeed,
    "refund_fails": refunds.fail,
    "debit_succeeds": lambda books, intent: payments.settle(books, intent, succeeded=True),
    "debit_fails": lambda books, intent: payments.settle(books, intent, succeeded=False),
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
        ACTS[row["act"]](books, row["subject"])
    books.now, books.cause = now, cause

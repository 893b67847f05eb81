"""The account: its storage, its clock, and its transactions."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stripe_emulator.account import scheduler
from stripe_emulator.base.config import Config
from stripe_emulator.base.models import LoggedRequest
from stripe_emulator.storage.database import TABLES, Storage
from stripe_emulator.storage.transaction import (
    CLI_SESSION,
    END_CLI_SESSION,
    NO_REQUEST,
    RequestContext,
    Transaction,
)


class Account:
    """A Stripe account in one SQLite file, with a clock of its own."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.storage = Storage(config.data_path, config.address)
        self.on_commit: Callable[[], None] = lambda: None
        self.on_request: Callable[[LoggedRequest], None] = lambda _: None
        self._moved = self._off = 0.0
        self._clock_lock = threading.Lock()
        self.read_clock()

    def read_clock(self) -> None:
        """Load both clock settings from the file: how far it was moved and how far it is off."""
        with self.storage.reading() as connection:
            kept = dict(connection.execute("SELECT name, value FROM settings").fetchall())
        self._moved = float(kept.get("offset", 0.0))
        self._off = float(kept.get("off", self.config.clock_off_seconds))

    def now(self) -> float:
        """Return Stripe's time plus all moves of the clock."""
        return self.wall_clock() + self._moved

    def wall_clock(self) -> float:
        """Return Stripe's time: this machine's plus the configured difference.

        Signatures and the Date header use it, because receivers compare them with their own clock,
        which nobody moved.
        """
        return self.config.clock() + self._off

    def set_clock_off(self, seconds: float) -> float:
        """Store how far Stripe's clock is ahead of this machine's; returns its time."""
        with self._clock_lock:
            self._off = seconds
            self._keep("off", seconds)
        self.catch_up()
        return self.now()

    def _keep(self, name: str, seconds: float) -> None:
        with self.storage.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, str(seconds))
            )

    def _transaction(
        self, connection: sqlite3.Connection, cause: RequestContext = NO_REQUEST
    ) -> Transaction:
        return Transaction(
            connection, self.now(), cause, self.config.address, api_version=self.config.api_version
        )

    @contextmanager
    def writing(self, cause: RequestContext = NO_REQUEST) -> Iterator[Transaction]:
        """Open one read-write transaction. Due actions run first, in a transaction of their own."""
        self.catch_up()
        with self.storage.writing() as connection:
            tx = self._transaction(connection, cause)
            yield tx
        if tx.emitted or tx.deliveries:
            self.on_commit()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Open a read-only transaction on the latest state."""
        self.catch_up()
        with self.storage.reading() as connection:
            yield self._transaction(connection)

    def catch_up(self) -> None:
        """Run the due actions: expired sessions, debits, refunds, disputes."""
        with self.storage.reading() as connection:
            due = connection.execute(
                "SELECT 1 FROM timers WHERE due_at <= ? LIMIT 1", (self.now(),)
            ).fetchone()
        if due is None:
            return
        with self.storage.writing() as connection:
            scheduler.run_due(self._transaction(connection))
        self.on_commit()

    def move_clock(self, seconds: float) -> float:
        """Move the clock forward, permanently; returns the new time."""
        with self._clock_lock:
            self._moved += seconds
            self._keep("offset", self._moved)
        self.catch_up()
        self.on_commit()
        return self.now()

    def clear(self) -> None:
        """Empty every table and reset the clock. Sessions of the Stripe CLI stay, and the secret
        that people copied from it."""
        with self.storage.writing() as connection:
            for table in TABLES:
                kept = {"objects": "kind", "secrets": "endpoint_id", "timers": "act"}.get(table)
                where = f" WHERE {kept} NOT IN (?, ?)" if kept else ""
                values = (CLI_SESSION, END_CLI_SESSION) if kept else ()
                connection.execute(f"DELETE FROM {table}{where}", values)  # noqa: S608
        self._moved, self._off = 0.0, self.config.clock_off_seconds

    def snapshot(self, path: Path) -> None:
        """Copy the account into another file."""
        self.storage.snapshot(path)

    def restore(self, path: Path) -> None:
        """Replace the account, including its clock, by a snapshot."""
        self.storage.restore(path)
        self.read_clock()
        self.on_commit()

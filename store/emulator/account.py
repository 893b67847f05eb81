"""The account: its storage and its clock, and the one way to open its books."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from store.emulator import timers
from store.emulator.books import AUTOMATIC, Books, Cause
from store.emulator.config import Config
from store.emulator.storage import TABLES, Storage


class Account:
    """A Stripe account in one SQLite file, with a clock of its own."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.storage = Storage(config.data_path)
        self.on_commit: Callable[[], None] = lambda: None
        self._offset = 0.0
        self._clock_lock = threading.Lock()
        self.read_clock()

    def read_clock(self) -> None:
        """Take over how far the clock was moved, as the file says."""
        with self.storage.reading() as connection:
            row = connection.execute("SELECT value FROM settings WHERE name = 'offset'").fetchone()
        self._offset = float(row["value"]) if row else 0.0

    def now(self) -> float:
        """The machine's time, plus what the clock was moved by."""
        return self.config.clock() + self._offset

    @contextmanager
    def writing(self, cause: Cause = AUTOMATIC) -> Iterator[Books]:
        """One transaction. What became due in the meantime is done first, in one of its own."""
        self.catch_up()
        with self.storage.writing() as connection:
            books = Books(connection, self.now(), cause, self.config.address)
            yield books
        if books.emitted:
            self.on_commit()

    @contextmanager
    def reading(self) -> Iterator[Books]:
        """The books as they are now; nothing may be written."""
        self.catch_up()
        with self.storage.reading() as connection:
            yield Books(connection, self.now(), address=self.config.address)

    def catch_up(self) -> None:
        """Do what is due: sessions whose time is over, debits, refunds, disputes."""
        with self.storage.reading() as connection:
            due = connection.execute(
                "SELECT 1 FROM timers WHERE due_at <= ? LIMIT 1", (self.now(),)
            ).fetchone()
        if due is None:
            return
        with self.storage.writing() as connection:
            timers.run_due(Books(connection, self.now(), address=self.config.address))
        self.on_commit()

    def move_clock(self, seconds: float) -> float:
        """Move the clock forward, for good; returns the new time."""
        with self._clock_lock:
            self._offset += seconds
            with self.storage.writing() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO settings (name, value) VALUES ('offset', ?)",
                    (str(self._offset),),
                )
        self.catch_up()
        self.on_commit()
        return self.now()

    def forget(self) -> None:
        """Empty every table and put the clock right."""
        with self.storage.writing() as connection:
            for table in TABLES:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608
        self._offset = 0.0

    def snapshot(self, path: Path) -> None:
        """Keep the account as it is now in another file."""
        self.storage.snapshot(path)

    def restore(self, path: Path) -> None:
        """Become what a snapshot holds, its clock included."""
        self.storage.restore(path)
        self.read_clock()
        self.on_commit()

"""One SQLite file: the account's objects, events, deliveries, timers and logs.

There is one connection and one lock: a transaction takes a few hundred microseconds, and readers
never see half of one. WAL with `synchronous=NORMAL` is deliberate: `kill -9` loses nothing, because
the operating system has the data at COMMIT. Only a power cut could lose the last transactions, and
an fsync per request would cost more than everything else.
"""

import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stripe_emulator.storage.file_lock import FileLock

LEAST_SQLITE = (3, 31, 0)
VERSION = 1
"""The version of the tables below; raise it with every change to them."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
    status TEXT, payment_intent TEXT, charge TEXT, parent TEXT,
    body TEXT NOT NULL, hidden TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS objects_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_payment ON objects (payment_intent)
    WHERE payment_intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_charge ON objects (charge) WHERE charge IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_parent ON objects (parent) WHERE parent IS NOT NULL;
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, created INTEGER NOT NULL,
    at REAL NOT NULL, about TEXT, payment_intent TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_about ON events (about);
CREATE INDEX IF NOT EXISTS events_payment ON events (payment_intent)
    WHERE payment_intent IS NOT NULL;
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL, event_type TEXT NOT NULL,
    endpoint_id TEXT NOT NULL, state TEXT NOT NULL, created_at REAL NOT NULL,
    next_attempt_at REAL, tries INTEGER NOT NULL DEFAULT 0, trouble TEXT);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event_id);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (next_attempt_at)
    WHERE next_attempt_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, delivery_id INTEGER NOT NULL, at REAL NOT NULL,
    status INTEGER, body TEXT NOT NULL, seconds REAL NOT NULL, signature TEXT NOT NULL,
    trouble TEXT);
CREATE INDEX IF NOT EXISTS attempts_delivery ON attempts (delivery_id);
CREATE TABLE IF NOT EXISTS secrets (
    endpoint_id TEXT NOT NULL, secret TEXT NOT NULL, expires_at REAL,
    PRIMARY KEY (endpoint_id, secret));
CREATE TABLE IF NOT EXISTS idempotency (
    key TEXT PRIMARY KEY, endpoint TEXT NOT NULL, fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL, body BLOB NOT NULL, request_id TEXT NOT NULL, created REAL NOT NULL
    ) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS idempotency_created ON idempotency (created);
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, at REAL NOT NULL,
    method TEXT NOT NULL, path TEXT NOT NULL, status INTEGER NOT NULL, seconds REAL NOT NULL,
    key TEXT NOT NULL, idempotency_key TEXT, replayed INTEGER NOT NULL,
    parameters TEXT NOT NULL, answer TEXT NOT NULL, trouble TEXT);
CREATE TABLE IF NOT EXISTS timers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, due_at REAL NOT NULL, act TEXT NOT NULL,
    subject TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS timers_due ON timers (due_at);
CREATE INDEX IF NOT EXISTS timers_subject ON timers (subject);
CREATE TABLE IF NOT EXISTS challenges (
    id TEXT PRIMARY KEY, session_id TEXT NOT NULL, card TEXT NOT NULL, answered INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS troubles (
    id INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, kind TEXT NOT NULL,
    remaining INTEGER NOT NULL, match TEXT NOT NULL, value TEXT NOT NULL, seed INTEGER NOT NULL,
    chance REAL NOT NULL, drawn INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

TABLES = (
    *("objects", "events", "deliveries", "attempts", "secrets", "idempotency", "requests"),
    *("timers", "challenges", "troubles", "settings"),
)


class Storage:
    """The open file. `writing()` and `reading()` may be called from any thread."""

    def __init__(self, path: Path | None, address: str = "") -> None:
        """Open the file or create it; `address` tells another emulator who uses it.

        Raises:
            ValueError: the file is in use, another program's, or of another version.
            OSError: its folder cannot be created.
        """
        if sqlite3.sqlite_version_info < LEAST_SQLITE:
            least = ".".join(map(str, LEAST_SQLITE))
            raise ValueError(
                f"this Python comes with SQLite {sqlite3.sqlite_version}, and {least} or later is "
                "needed; use a newer Python."
            )
        self._folder = None if path else tempfile.TemporaryDirectory(prefix="emulator-")
        self.path = path or Path(self._folder.name if self._folder else "") / "emulator.db"
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.RLock()
        self._own: FileLock | None = None
        try:
            self._private()
            self._own = FileLock(self.path, address)
            self._connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=10
            )
            self._connection.row_factory = sqlite3.Row
            self._check_file()
            self._make_tables()
        except sqlite3.Error as error:
            self._give_up()
            raise ValueError(
                f"{self.path} cannot be used as an emulator's file ({error}); name another one "
                "with --data."
            ) from None
        except ValueError:
            self._give_up()
            raise

    def _private(self) -> None:
        """Create the file readable by its owner only; the files SQLite adds inherit that."""
        with suppress(OSError):  # SQLite reports why it cannot be created
            os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        if self.path.is_file():
            with suppress(OSError):
                self.path.chmod(0o600)

    def _give_up(self) -> None:
        if self._own:
            self._own.release()
        if self._folder:
            self._folder.cleanup()

    def _check_file(self) -> None:
        """Check before the first write that the file is empty or an emulator's of this version."""
        rows = self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {row["name"] for row in rows}
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        fault = ""
        if tables and version != VERSION and "objects" in tables:
            fault = "is of another version of the emulator, or of another program"
        elif tables and not tables >= set(TABLES):
            fault = "is another program's database"
        if fault:
            self._connection.close()
            raise ValueError(f"{self.path} {fault}: move it, or name another file with --data.")

    def _make_tables(self) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(SCHEMA)
        self._connection.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Open one transaction; an exception rolls it back."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read the latest committed state, which does not change inside the block."""
        with self._lock:
            yield self._connection

    def snapshot(self, path: Path) -> None:
        """Copy the whole account into another file."""
        with self._lock:
            copy = sqlite3.connect(path)
            try:
                self._connection.backup(copy)
            finally:
                copy.close()

    def restore(self, path: Path) -> None:
        """Replace the account by the contents of a `snapshot` file."""
        with self._lock:
            copy = sqlite3.connect(path)
            try:
                copy.backup(self._connection)
            finally:
                copy.close()
            self._connection.execute("PRAGMA journal_mode=WAL")

    def close(self) -> None:
        """Close the file, and delete it if it is temporary."""
        with self._lock:
            self._connection.close()
        self._give_up()

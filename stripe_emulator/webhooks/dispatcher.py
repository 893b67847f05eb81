"""The dispatcher: delivers events in parallel, retries failures, and runs scheduled actions.

It has no state of its own: pending deliveries are in the database, so they continue after a `kill
-9`. An attempt whose result was not written is repeated, which is why deliveries are "at least
once", as Stripe's are.
"""

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from stripe_emulator.account.account import Account
from stripe_emulator.webhooks import deliveries, tampering
from stripe_emulator.webhooks.http_client import HttpResult, not_allowed, post

WORKERS = 8
LONGEST_SLEEP_SECONDS = 1.0
log = logging.getLogger(__name__)


class WebhookDispatcher:
    """One thread that finds due deliveries, and a pool that sends them."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="delivery")
        self._changed = threading.Condition()
        self._woken = False
        self._stopping = False
        self._busy: set[int] = set()
        self._thread = threading.Thread(target=self._run, name="webhook-dispatcher", daemon=True)
        self.cli_connected: Callable[[str], bool] = lambda _: False
        self.send_by_cli: Callable[[deliveries.PreparedDelivery, bytes, str], None] = lambda *_: (
            None
        )
        """Set by `stripe_cli/sockets.py`, like `cli_connected`."""
        account.on_commit = self.wake

    def start(self) -> None:
        """Start to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the deliveries in progress; all others stay in the database."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def wake(self) -> None:
        """Check for due deliveries now: something was committed, or the clock was moved."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def wait_for(self, event_ids: list[str], seconds: float) -> None:
        """Wait until every endpoint has answered these events once, at most `seconds`.

        A refused connection counts as an answer; deliveries delayed by a fault are not waited for.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while (left := deadline - time.monotonic()) > 0 and self._outstanding(event_ids):
                self._changed.wait(min(left, LONGEST_SLEEP_SECONDS))

    def _outstanding(self, event_ids: list[str]) -> bool:
        with self.account.storage.reading() as connection:
            return deliveries.unanswered(connection, event_ids, self.account.now())

    def wait_until_idle(self, seconds: float = 10.0) -> bool:
        """Wait until nothing is due or in progress; returns False if that takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with self._changed:
                busy = bool(self._busy)
            with self.account.storage.reading() as connection:
                if not busy and not deliveries.due(connection, self.account.now(), 1):
                    return True
            self.wake()
            time.sleep(0.01)
        return False

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._woken and not self._stopping:
                    self._changed.wait(self._sleep_seconds())
                self._woken = False
                if self._stopping:
                    return
            try:
                self.account.catch_up()
                self._send_due()
            except sqlite3.Error:  # a full disk, for example: the deliveries stay due
                log.exception(
                    "The webhook dispatcher could not read the due deliveries and retries."
                )
                time.sleep(LONGEST_SLEEP_SECONDS)

    def _sleep_seconds(self) -> float:
        with self.account.storage.reading() as connection:
            moment = deliveries.next_due(connection)
        if moment is None or self._busy:
            return LONGEST_SLEEP_SECONDS
        return min(max(moment - self.account.now(), 0.0), LONGEST_SLEEP_SECONDS)

    def _send_due(self) -> None:
        with self.account.storage.reading() as connection:
            waiting = deliveries.due(connection, self.account.now(), 500)
        for delivery_id in waiting:
            with self._changed:
                if delivery_id in self._busy:
                    continue
                self._busy.add(delivery_id)
            with contextlib.suppress(RuntimeError):  # the pool is shutting down: the row stays due
                self._pool.submit(self._carry, delivery_id)

    def _carry(self, delivery_id: int) -> None:
        try:
            self._attempt(delivery_id)
        finally:
            with self._changed:
                self._busy.discard(delivery_id)
                self._woken = True
                self._changed.notify_all()

    def _attempt(self, delivery_id: int) -> None:
        """Prepare, send and record one attempt; no transaction is open during the HTTP request."""
        config = self.account.config
        with self.account.writing() as tx:
            prepared = deliveries.prepare(tx, delivery_id, self.cli_connected)
        if prepared is None:
            return
        if prepared.by_cli:
            self._attempt_by_cli(prepared)
            return
        # Receivers compare the signature's time with their own clock, which nobody moved.
        now = int(self.account.wall_clock())
        if prepared.fault and prepared.fault.kind == "forge":
            self._post(prepared.url, *tampering.forge_event(prepared, now))
        payload, signature = tampering.body_and_signature(prepared, now)
        result = self._post(prepared.url, payload, signature)
        with self.account.writing() as tx:
            deliveries.record(tx, prepared, result, signature, config.retries)

    def _post(self, url: str, payload: bytes, signature: str) -> HttpResult:
        config = self.account.config
        if not config.is_allowed(urlsplit(url).hostname):
            return not_allowed(url)
        return post(url, payload, signature, config.delivery_timeout_seconds)

    def _attempt_by_cli(self, prepared: deliveries.PreparedDelivery) -> None:
        """Record the attempt before sending it, because its result arrives in another thread."""
        now = int(self.account.wall_clock())
        if prepared.fault and prepared.fault.kind == "forge":
            self.send_by_cli(prepared, *tampering.forge_event(prepared, now))
        payload, signature = tampering.body_and_signature(prepared, now)
        with self.account.writing() as tx:
            deliveries.record_cli_attempt(tx, prepared, signature)
        self.send_by_cli(prepared, payload, signature)

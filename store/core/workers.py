"""Threads that are meant to run for ever: started again when they end, and reported when not."""

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

RESTART_SECONDS = 5.0
SHOWN_SECONDS = 60.0  # how long it is told that the work had ended


class Worker:
    """Runs `work(stop)` in a thread until `stop` is set, again where it returns or raises."""

    def __init__(self, name: str, work: Callable[[threading.Event], None]) -> None:
        self.name, self.work = name, work
        self.started_at = self._failed_at = 0.0
        self._failed = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self.started_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def running_seconds(self) -> float | None:
        """How long ago it was started; None where it was not, or is to stop."""
        running = self._thread is not None and not self._stop.is_set()
        return time.monotonic() - self.started_at if running else None

    def trouble(self) -> str | None:
        """Why the work is not being done; None while it is, or is not meant to be done here."""
        if self._thread is None or self._stop.is_set():
            return None
        if not self._thread.is_alive():
            return f"The thread of the {self.name} has ended. Restart this process."
        if self._failed and time.monotonic() - self._failed_at < SHOWN_SECONDS:
            return f"The {self.name} ended ({self._failed}) and was started again."
        return None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.work(self._stop)
                ended = "without an error"
            except BaseException as error:
                ended = type(error).__name__
                log.error("The %s ended", self.name, exc_info=error)
            if self._stop.is_set():
                return
            self._failed, self._failed_at = ended, time.monotonic()
            self._stop.wait(RESTART_SECONDS)

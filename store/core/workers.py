"""Daemon threads, which do not delay the end of the process: for one call, or running for ever."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")

log = logging.getLogger(__name__)

RESTART_SECONDS = 5.0
REPORTED_SECONDS = 60.0  # how long after a restart it is reported


def in_thread(work: Callable[..., Result], *args: Any) -> Future[Result]:
    """The future result of `work(*args)`, which runs in a thread of its own."""
    result: Future[Result] = Future()

    def run() -> None:
        try:
            result.set_result(work(*args))
        except BaseException as error:  # noqa: BLE001 - raised where the result is read
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return result


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
        """Seconds since the start; None if it was not started or was stopped."""
        running = self._thread is not None and not self._stop.is_set()
        return time.monotonic() - self.started_at if running else None

    def trouble(self) -> str | None:
        """Why the work is not running as it should; None if it is, or was never started."""
        if self._thread is None or self._stop.is_set():
            return None
        if not self._thread.is_alive():
            return f"The thread of the {self.name} has ended. Restart this process."
        if self._failed and time.monotonic() - self._failed_at < REPORTED_SECONDS:
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

"""Supervisor: keeps several programs running, restarts them, prefixes their logs, stops all."""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

from store.cli.child_process import GENTLE_END, Process, child_command, kill_group, release, start
from store.core.errors import StoreError
from store.core.workers import in_thread

MAX_DEATHS, WITHIN_SECONDS = 5, 60.0  # so many deaths of a program within this time end everything
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 8.0  # before a restart; doubles with each recent death
INTENDED_STOP_SECONDS = 3.0  # the pause after an intended end: long enough to be seen
GRACE_SECONDS = 8.0  # how long a program may take to end before it is killed
COLOURS = cycle((36, 33, 32, 35, 34))  # ANSI: cyan, yellow, green, magenta, blue


class RestartLimitReached(StoreError):
    """A program died too often; everything was stopped."""


@dataclass(frozen=True)
class Program:
    """A program to keep running.

    `pid_file` holds the process id while it runs. Deleting the file before ending the process, as
    the rehearsal does, marks that end as intended: it does not count as a death.
    The first run uses the process `preloaded`, if any, and waits for `start_after`.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    pid_file: Path | None = None
    preloaded: Process | None = None
    start_after: Callable[[], Awaitable[None]] | None = None


class Log:
    """Prints lines with the time and the name of the program that wrote them.

    With `as_json` each line is an object; a program's own JSON object gets its name added.
    """

    def __init__(self, names: Sequence[str], *, as_json: bool = False) -> None:
        self.colours = dict(zip(names, COLOURS, strict=False))
        self.width = max(len(name) for name in [*names, "store"])
        self.as_json = as_json
        self.lock = threading.Lock()
        self.coloured = "NO_COLOR" not in os.environ and sys.stdout.isatty()

    def line(self, name: str, text: bytes | str) -> None:
        message = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        formatted = self.json_line if self.as_json else self.text_line
        # The shop goes on when the terminal or the reading program is gone.
        with self.lock, suppress(OSError):
            for line in message.splitlines():
                print(formatted(name, line), flush=True)

    def text_line(self, name: str, line: str) -> str:
        prefix = f"{datetime.now().astimezone():%H:%M:%S} {name.ljust(self.width)} | "
        colour = self.colours.get(name)
        return f"\033[{colour}m{prefix}\033[0m{line}" if self.coloured and colour else prefix + line

    def json_line(self, name: str, line: str) -> str:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            entry = {"time": now, "level": "INFO", "logger": name, "message": line}
        return json.dumps({**entry, "program": name}, ensure_ascii=False)

    def notice(self, text: str) -> None:
        """Print a text for people, which no program wrote."""
        if self.as_json:
            self.line("store", "\n".join(filter(None, map(str.strip, text.splitlines()))))
            return
        with suppress(OSError):
            print(text, flush=True)


def supervise(
    programs: Sequence[Program],
    when_started: Callable[[Log], Coroutine[Any, Any, None]],
    *,
    as_json: bool = False,
) -> None:
    """Run the `programs` until a signal stops them all.

    Raises:
        RestartLimitReached: one of them died too often.
    """
    log = Log([program.name for program in programs], as_json=as_json)

    async def run_all() -> None:
        stop_on_signals(log)
        try:
            async with asyncio.TaskGroup() as group:
                for program in programs:
                    group.create_task(keep_running(program, log))
                group.create_task(when_started(log))
        except asyncio.CancelledError:
            log.line("store", "Everything is stopped.")
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    asyncio.run(run_all())


def stop_on_signals(log: Log) -> None:
    """The first signal asks every program to end, a second one kills them."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def stop(number: int) -> None:
        log.line("store", f"{signal.Signals(number).name}: stopping …")
        for each in asyncio.all_tasks() if task.cancelling() else [task]:
            each.cancel()

    def on_signal(number: int, _frame: Any) -> None:
        loop.call_soon_threadsafe(stop, number)  # a handler itself must not print

    for name in ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP"):
        number = getattr(signal, name, None)
        ignored = number and signal.getsignal(number) == signal.SIG_IGN  # as nohup asks for
        if number and not (ignored and name == "SIGHUP"):
            signal.signal(number, on_signal)


async def keep_running(program: Program, log: Log) -> None:
    """Start the program, and restart it whenever it ends, until it has died too often."""
    deaths: deque[float] = deque(maxlen=MAX_DEATHS)
    if program.start_after:
        await program.start_after()
    while True:
        code, was_intended = await run_once(program, log)
        if was_intended:
            pause, how = INTENDED_STOP_SECONDS, "was stopped"
        else:
            now = time.monotonic()
            deaths.append(now)
            recent = sum(now - death < WITHIN_SECONDS for death in deaths)
            if recent == MAX_DEATHS:
                raise RestartLimitReached(
                    f"The {program.name} died {recent} times within {WITHIN_SECONDS:g} "
                    f"seconds, the last time with {exit_reason(code)}; the lines above that begin "
                    f"with {program.name} say why. Everything was stopped."
                )
            pause = min(PAUSE_SECONDS * 2 ** (recent - 1), LONGEST_PAUSE_SECONDS)
            how = f"died ({exit_reason(code)})"
        log.line("store", f"The {program.name} {how}. Starting it again in {pause:g} s.")
        await asyncio.sleep(pause)


async def run_once(program: Program, log: Log) -> tuple[int, bool]:
    """The exit code of one run, and whether its end was intended (see `Program`)."""
    process = start_or_release(program)
    ended = asyncio.wrap_future(in_thread(process.wait))
    log.line("store", f"The {program.name} is process {process.pid}.")
    printing = asyncio.wrap_future(in_thread(print_lines, program.name, process, log))
    pid_file = write_pid(program.pid_file, process.pid)
    try:
        code = await asyncio.shield(ended)
        return code, pid_file is not None and not pid_file.exists()
    finally:
        if pid_file:
            pid_file.unlink(missing_ok=True)
        await end(process, ended)
        if process.stdin:
            process.stdin.close()
        await asyncio.wait([printing], timeout=1)


def start_or_release(program: Program) -> Process:
    environment = {**os.environ, **program.environment}
    if program.preloaded and program.preloaded.poll() is None:
        release(program.preloaded, program.command[len(child_command()) :], environment)
        return program.preloaded
    return start(program.command, environment)


def write_pid(pid_file: Path | None, pid: int) -> Path | None:
    """The file, once it holds the process id; None if there is none or it cannot be written."""
    if pid_file:
        with suppress(OSError):
            pid_file.write_text(str(pid), encoding="ascii")
            return pid_file
    return None


def print_lines(name: str, process: Process, log: Log) -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            log.line(name, line.removesuffix(b"\n"))


async def end(process: Process, ended: asyncio.Future[int]) -> None:
    """Ask the process to end; kill it after `GRACE_SECONDS`, or when this wait is cancelled.

    Also kills everything it has started, even if it died by itself: an orphan would keep the port.
    """
    try:
        if not ended.done():
            process.send_signal(GENTLE_END)
            await asyncio.wait([ended], timeout=GRACE_SECONDS)
    finally:
        kill_group(process)
        if not ended.done():
            await asyncio.shield(ended)


def exit_reason(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

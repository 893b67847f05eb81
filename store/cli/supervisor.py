"""Keep several programs running side by side: prefixed logs, restarts, and one common end."""

import asyncio
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from store.cli.child_process import GENTLE_END, Process, go, kill_group, start
from store.cli.process_log import Log
from store.core.errors import StoreError

LONGEST_PAUSE_SECONDS = 8.0
Result = TypeVar("Result")


class GaveUp(StoreError):
    """A program died again and again; everything was stopped."""


@dataclass(frozen=True)
class Program:
    """`pid_file` names the process while it runs. Whoever ends it takes the file away first, as
    the rehearsal does: such an end was asked for, and no death that counts.

    The first run is that of the process `standing_by`, if any, and waits for its `turn`.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    pid_file: Path | None = None
    standing_by: Process | None = None
    turn: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Patience:
    """How often a program may die, within how long, before it is given up; how long it may end."""

    deaths: int = 5
    within_seconds: float = 60
    pause_seconds: float = 0.5
    grace_seconds: float = 8
    asked_seconds: float = 3  # long enough to be seen


def supervise(
    programs: Sequence[Program],
    when_started: Callable[[Log], Coroutine[Any, Any, None]],
    patience: Patience = Patience(),
    *,
    as_json: bool = False,
) -> None:
    """Run the `programs` until a signal asks to stop; none of them is left behind.

    Raises:
        GaveUp: one of them died too often.
    """
    asyncio.run(_supervise(programs, when_started, patience, as_json))


async def _supervise(
    programs: Sequence[Program],
    when_started: Callable[[Log], Coroutine[Any, Any, None]],
    patience: Patience,
    as_json: bool,
) -> None:
    log = Log([program.name for program in programs], as_json=as_json)
    stop_on_signals(asyncio.current_task(), log)
    try:
        async with asyncio.TaskGroup() as group:
            for program in programs:
                group.create_task(keep_running(program, patience, log))
            group.create_task(when_started(log))
    except asyncio.CancelledError:
        log.line("store", "Everything is stopped.")
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def stop_on_signals(task: asyncio.Task[Any] | None, log: Log) -> None:
    """The first signal lets every program end in its own way, a second one kills them."""
    loop = asyncio.get_running_loop()
    assert task is not None

    def stop(number: int) -> None:
        log.line("store", f"{signal.Signals(number).name}: stopping …")
        for each in asyncio.all_tasks() if task.cancelling() else [task]:
            each.cancel()

    def tell(number: int, _frame: Any) -> None:
        loop.call_soon_threadsafe(stop, number)  # a handler itself must not print

    for name in ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP"):
        number = getattr(signal, name, None)
        ignored = number and signal.getsignal(number) == signal.SIG_IGN  # as nohup asks for
        if number and not (ignored and name == "SIGHUP"):
            signal.signal(number, tell)


async def keep_running(program: Program, patience: Patience, log: Log) -> None:
    """Start the program, and start it again whenever it ends, until that happens too often."""
    deaths: deque[float] = deque(maxlen=patience.deaths)
    if program.turn:
        await program.turn()
    while True:
        code, asked_for = await run_once(program, patience, log)
        if asked_for:
            seconds = patience.asked_seconds
            log.line(
                "store", f"The {program.name} was stopped. Starting it again in {seconds:g} s."
            )
            await asyncio.sleep(seconds)
            continue
        reason, now = in_words(code), time.monotonic()
        deaths.append(now)
        recent = sum(now - death < patience.within_seconds for death in deaths)
        if recent == patience.deaths:
            raise GaveUp(
                f"The {program.name} died {recent} times within {patience.within_seconds:g} "
                f"seconds, the last time with {reason}; the lines above that begin with "
                f"{program.name} say why. Everything was stopped."
            )
        pause = min(patience.pause_seconds * 2 ** (recent - 1), LONGEST_PAUSE_SECONDS)
        log.line("store", f"The {program.name} died ({reason}). Starting it again in {pause:g} s.")
        await asyncio.sleep(pause)


async def run_once(program: Program, patience: Patience, log: Log) -> tuple[int, bool]:
    """The exit code of one run, and whether its end was asked for."""
    process = begin(program)
    ended = in_thread(process.wait)
    log.line("store", f"The {program.name} is process {process.pid}.")
    printing = in_thread(print_lines, program.name, process, log)
    named = name_process(program.pid_file, process.pid)
    try:
        code = await asyncio.shield(ended)
        return code, named is not None and not named.exists()
    finally:
        if named:
            named.unlink(missing_ok=True)
        await end(process, ended, patience.grace_seconds)
        if process.stdin:
            process.stdin.close()
        await asyncio.wait([printing], timeout=1)


def begin(program: Program) -> Process:
    environment = {**os.environ, **program.environment}
    if program.standing_by and program.standing_by.poll() is None:
        go(program.standing_by, environment)
        return program.standing_by
    return start(program.command, environment)


def in_thread(work: Callable[..., Result], *given: Any) -> asyncio.Future[Result]:
    """Unlike `asyncio.to_thread`, no end of the launcher waits for this one."""
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(work(*given))
        except BaseException as error:  # noqa: BLE001 - whoever waits for it must know
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return asyncio.wrap_future(done)


def name_process(pid_file: Path | None, pid: int) -> Path | None:
    """Write down which process it is; None where that is not wanted, or not possible."""
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


async def end(process: Process, ended: asyncio.Future[int], grace_seconds: float) -> None:
    """Ask the process to end; kill it after a while, or where even that wait is cancelled.

    Whatever it has started ends with it, also where it died by itself: an orphan would keep the
    port.
    """
    try:
        if not ended.done():
            process.send_signal(GENTLE_END)
            await asyncio.wait_for(asyncio.shield(ended), grace_seconds)
    except TimeoutError:
        pass
    finally:
        kill_group(process)
        if not ended.done():
            await asyncio.shield(ended)


def in_words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return f"signal {signal.Signals(-code).name}"

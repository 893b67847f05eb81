"""The launcher, as the person at the keyboard meets it: real processes, real signals."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from store.cli import launch as launched
from store.cli import supervisor
from store.cli.child_process import Process, child_command, kill_group, release, start
from store.cli.launch import ShopProcesses
from store.cli.main import parse
from store.core import settings
from store.core.local_http import is_up
from tests.support import event_loops
from tests.support.command_line import ROOT, clean, is_alive, processes_in
from tests.support.ports import free_port, port_flags
from tests.support.waiting import wait_until

TICKER = """
import os, pathlib, signal, sys, time
name, manner = sys.argv[1:]
pathlib.Path(os.environ["PIDS"], f"{name}.{os.getpid()}").touch()
if manner == "dies":
    print("out of paper")
    sys.exit(3)
if manner == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.close(0)  # nor does it see the launcher end
if manner == "chatty":
    sys.stdout.buffer.write(b"x" * 300_000 + b"\\n\\xff broken\\nno line end")
    sys.stdout.flush()
print(f"{name} is up")
time.sleep(60)
"""

LAUNCHER = """
import os, pathlib, sys
from store.cli import supervisor
from store.cli.supervisor import RestartLimitReached, Program, supervise

async def started(log):
    log.line("store", "started")

tether = [sys.executable, "-m", "store.cli.child_process", "ticker"]
pairs = [words.split("-") for words in sys.argv[1:]]
folder = pathlib.Path(os.environ["PIDS"])
programs = [
    Program(name, [*tether, name, manner], pid_file=folder / f"{name}.pid")
    for name, manner in pairs
]
supervisor.MAX_DEATHS, supervisor.GRACE_SECONDS = 3, 0.5
supervisor.PAUSE_SECONDS = supervisor.INTENDED_STOP_SECONDS = 0.05
try:
    supervise(programs, started)
except RestartLimitReached as error:
    sys.exit(str(error))
"""


class Supervised:
    """A launcher over tiny programs, each of which leaves a file that names its process."""

    def __init__(self, folder: Path, names: Sequence[str], pipe: int | None) -> None:
        self.folder, self.output = folder, folder / "output"
        (folder / "ticker.py").write_text(TICKER)
        path = os.pathsep.join([str(ROOT), str(folder)])
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", LAUNCHER, *names],
                env=clean(PIDS=str(folder), PYTHONPATH=path),
                stdout=pipe or output,
                stderr=output,
            )
        wait_until(lambda: {pid.stem for pid in self.pids()} >= {n.split("-")[0] for n in names})

    def pids(self, name: str = "*") -> list[Path]:
        return sorted(self.folder.glob(f"{name}.[0-9]*"))

    def alive(self) -> list[int]:
        return [pid for file in self.pids() if is_alive(pid := int(file.suffix[1:]))]

    def log(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pid in self.alive():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Callable[..., Supervised]]:
    started: list[Supervised] = []

    def start(*names: str, output: int | None = None) -> Supervised:
        started.append(Supervised(tmp_path, names, output))
        return started[-1]

    yield start
    for one in started:
        one.end()


def has_started(launcher: Supervised, starts: int) -> bool:
    return launcher.log().count("webhooks is up") == starts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_every_program(
    supervised: Callable[..., Supervised], number: signal.Signals
) -> None:
    launcher = supervised("webhooks-calm", "storefront-calm", "emulator-stubborn")

    launcher.process.send_signal(number)

    assert launcher.process.wait(timeout=60) == 0
    assert launcher.alive() == []
    assert f"{number.name}: stopping" in launcher.log()


def test_a_killed_launcher_leaves_no_program_behind(
    supervised: Callable[..., Supervised],
) -> None:
    launcher = supervised("webhooks-calm", "storefront-calm")
    assert len(launcher.alive()) == 2

    launcher.process.kill()

    wait_until(lambda: launcher.alive() == [])


def test_a_killed_program_is_started_again_and_the_others_go_on(
    supervised: Callable[..., Supervised],
) -> None:
    launcher = supervised("webhooks-calm", "storefront-calm")
    wait_until(lambda: launcher.log().count("is up") == 2)

    os.kill(int(launcher.pids("webhooks")[0].suffix[1:]), signal.SIGKILL)

    wait_until(lambda: launcher.log().count("webhooks is up") == 2)
    assert "The webhooks died (signal SIGKILL). Starting it again" in launcher.log()
    assert len(launcher.pids("storefront")) == 1
    assert len(launcher.alive()) == 2


def test_a_program_may_be_stopped_on_request_as_often_as_one_likes(
    supervised: Callable[..., Supervised],
) -> None:
    launcher = supervised("webhooks-calm", "storefront-calm")
    named = launcher.folder / "webhooks.pid"

    for starts in range(1, 6):
        wait_until(partial(has_started, launcher, starts))
        pid = int(named.read_text())
        named.unlink()
        os.kill(pid, signal.SIGKILL)

    wait_until(partial(has_started, launcher, 6))
    assert launcher.log().count("The webhooks was stopped. Starting it again") == 5
    assert launcher.process.poll() is None


def test_a_program_that_dies_again_and_again_is_given_up_with_a_reason(
    supervised: Callable[..., Supervised],
) -> None:
    launcher = supervised("webhooks-dies", "storefront-calm")

    assert launcher.process.wait(timeout=60) == 1
    assert launcher.alive() == []
    assert len(launcher.pids("webhooks")) == 3
    assert "webhooks died 3 times within 60 seconds, the last time with exit code 3" in (
        launcher.log()
    )
    assert launcher.log().count("out of paper") == 3


def test_every_line_names_its_program_however_long_or_broken_it_is(
    supervised: Callable[..., Supervised],
) -> None:
    launcher = supervised("webhooks-chatty")
    wait_until(lambda: "no line end" in launcher.log())

    lines = launcher.log().splitlines()

    assert all("webhooks | " in line or "store    | " in line for line in lines)
    assert any(line.endswith("| " + "x" * 300_000) for line in lines)
    assert any("� broken" in line for line in lines)


def test_the_shop_keeps_running_when_the_log_pipe_is_closed(
    supervised: Callable[..., Supervised],
) -> None:
    reader, writer = os.pipe()
    launcher = supervised("webhooks-calm", "storefront-calm", output=writer)
    os.close(writer)
    os.close(reader)

    os.kill(int(launcher.pids("webhooks")[0].suffix[1:]), signal.SIGKILL)

    wait_until(lambda: len(launcher.pids("webhooks")) == 2)
    assert len(launcher.alive()) == 2
    launcher.process.terminate()
    wait_until(lambda: launcher.alive() == [])


@pytest.fixture
def preloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """A process that waits; released as the program `ticker`, it leaves a file in `tmp_path`."""
    (tmp_path / "ticker.py").write_text(TICKER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path)]))
    with start(child_command("--preload", "colorsys"), os.environ) as process:
        yield process
        kill_group(process)


def test_a_preloaded_process_runs_in_the_environment_given_at_its_release(
    preloaded: Process, tmp_path: Path
) -> None:
    assert preloaded.stdout is not None

    given = {"PIDS": str(tmp_path), "WORD": "\udcff line\nend"}
    release(preloaded, ["ticker", "storefront", "dies"], given)

    assert preloaded.stdout.read() == b"out of paper\n"
    assert preloaded.wait() == 3
    assert [file.stem for file in tmp_path.glob("*.[0-9]*")] == ["storefront"]


def test_a_preloaded_process_ends_unstarted_when_its_launcher_is_gone(
    preloaded: Process, tmp_path: Path
) -> None:
    assert preloaded.stdin is not None

    preloaded.stdin.close()  # as the system does when a launcher is killed

    assert preloaded.wait() == 0
    assert list(tmp_path.glob("*.[0-9]*")) == []


def test_a_preloaded_process_that_died_is_replaced(preloaded: Process) -> None:
    preloaded.kill()
    preloaded.wait()

    begun = supervisor.start_or_release(
        supervisor.Program("storefront", [sys.executable, "-V"], preloaded=preloaded)
    )

    with begun:
        assert begun is not preloaded


def test_the_emulator_does_not_wait_for_a_page_that_never_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launched, "MAX_PAGE_WAIT_SECONDS", 0.1)
    arguments = parse(["run", "--port", str(free_port())])

    shop = ShopProcesses(settings.current(), arguments, has_emulator=True)
    event_loops.run(asyncio.wait_for(shop.wait_for_page(), 10))  # else it ends in TimeoutError


# The real processes.


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path, list[int]]]:
    """`python -m store` with an empty data folder, its log, and the ports it was given."""
    words, log = port_flags(), tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "store", "--data-dir", str(tmp_path / "data"), *words],
            cwd=ROOT,
            env=clean(),
            stdout=output,
            stderr=output,
        )
    yield process, log, [int(word.split("=")[1]) for word in words]
    process.terminate()
    process.wait(timeout=60)


def test_the_shop_opens_survives_kill_9_and_closes_at_ctrl_c(
    shop: tuple[subprocess.Popen[bytes], Path, list[int]],
) -> None:
    process, log, ports = shop
    paths = ("_stcore/health", "readyz", "emulator/health")
    addresses = [f"http://127.0.0.1:{port}/{path}" for port, path in zip(ports, paths, strict=True)]
    wait_until(lambda: "Ctrl-C stops everything" in log.read_text("utf-8"), seconds=120)
    assert f"Shop         http://localhost:{ports[0]}\n" in log.read_text("utf-8")
    assert all(map(is_up, addresses))
    first = processes_in(log)

    for pid in first:
        os.kill(pid, signal.SIGKILL)

    wait_until(lambda: len(processes_in(log)) == 6 and all(map(is_up, addresses)), seconds=120)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    assert not any(map(is_alive, processes_in(log)))
    assert "whsec_" not in log.read_text("utf-8")

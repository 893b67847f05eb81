"""The launcher, as the person at the keyboard meets it: real processes, real signals."""

import ast
import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from store.cli import shop as launched
from store.cli import supervisor
from store.cli.child_process import Process, go, standing_by
from store.cli.main import read
from store.cli.shop import Shop, answers
from store.core import settings
from tests.support import event_loops
from tests.support.ports import free_port, port_flags
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
BASE_PYTHON = Path(sys.base_prefix, "bin/python3" if os.name != "nt" else "python.exe")
PACKAGES = next(path for path in sys.path if path.endswith("site-packages"))
KEPT = ("PATH", "HOME", "SYSTEMROOT", "TEMP", "LANG")

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
from store.cli.supervisor import GaveUp, Patience, Program, supervise

async def started(log):
    log.line("store", "started")

tether = [sys.executable, "-m", "store.cli.child_main", "ticker"]
pairs = [words.split("-") for words in sys.argv[1:]]
folder = pathlib.Path(os.environ["PIDS"])
programs = [
    Program(name, [*tether, name, manner], pid_file=folder / f"{name}.pid")
    for name, manner in pairs
]
patience = Patience(3, 60, pause_seconds=0.05, grace_seconds=0.5, asked_seconds=0.05)
try:
    supervise(programs, started, patience)
except GaveUp as error:
    sys.exit(str(error))
"""


def clean(**more: str) -> dict[str, str]:
    """An environment without a single setting of the shop."""
    return {name: os.environ[name] for name in KEPT if name in os.environ} | more


def store(
    *words: str, python: str | Path = sys.executable, cwd: Path = ROOT, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "store", *words],
        cwd=cwd,
        env=clean(**environment),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    """What an expected failure says: exit code 2, and a single line on standard error."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    return result.stderr


def running_with(word: str) -> list[str]:
    """The programs of this computer that were started with the word; as far as it tells."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            found.append(file.read_text("utf-8", errors="replace"))
    return [words for words in found if word in words.split("\0")]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return not Path("/proc/self").exists()


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


def is_up(launcher: Supervised, starts: int) -> bool:
    return launcher.log().count("sidecar is up") == starts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_every_program(
    supervised: Callable[..., Supervised], number: signal.Signals
) -> None:
    launcher = supervised("sidecar-calm", "storefront-calm", "emulator-stubborn")

    launcher.process.send_signal(number)

    assert launcher.process.wait(timeout=60) == 0
    assert launcher.alive() == []
    assert f"{number.name}: stopping" in launcher.log()


def test_a_killed_launcher_leaves_no_program_behind(
    supervised: Callable[..., Supervised],
) -> None:
    launcher = supervised("sidecar-calm", "storefront-calm")
    assert len(launcher.alive()) == 2

    launcher.process.kill()

    wait_until(lambda: launcher.alive() == [])


def test_a_killed_program_is_started_again_and_the_others_go_on(
    supervised: Callable[..., Supervised],
) -> None:
    launcher = supervised("sidecar-calm", "storefront-calm")
    wait_until(lambda: launcher.log().count("is up") == 2)

    os.kill(int(launcher.pids("sidecar")[0].suffix[1:]), signal.SIGKILL)

    wait_until(lambda: launcher.log().count("sidecar is up") == 2)
    assert "The sidecar died (signal SIGKILL). Starting it again" in launcher.log()
    assert len(launcher.pids("storefront")) == 1
    assert len(launcher.alive()) == 2


def test_a_program_may_be_stopped_on_request_as_often_as_one_likes(
    supervised: Callable[..., Supervised],
) -> None:
    launcher = supervised("sidecar-calm", "storefront-calm")
    named = launcher.folder / "sidecar.pid"

    for starts in range(1, 6):
        wait_until(partial(is_up, launcher, starts))
        pid = int(named.read_text())
        named.unlink()
        os.kill(pid, signal.SIGKILL)

    wait_until(partial(is_up, launcher, 6))
    assert launcher.log().count("The sidecar was stopped. Starting it again") == 5
    assert launcher.process.poll() is None


def test_a_program_that_dies_again_and_again_is_given_up_with_a_reason(
    supervised: Callable[..., Supervised],
) -> None:
    launcher = supervised("sidecar-dies", "storefront-calm")

    assert launcher.process.wait(timeout=60) == 1
    assert launcher.alive() == []
    assert len(launcher.pids("sidecar")) == 3
    assert "sidecar died 3 times within 60 seconds, the last time with exit code 3" in (
        launcher.log()
    )
    assert launcher.log().count("out of paper") == 3


def test_every_line_names_its_program_however_long_or_broken_it_is(
    supervised: Callable[..., Supervised],
) -> None:
    launcher = supervised("sidecar-chatty")
    wait_until(lambda: "no line end" in launcher.log())

    lines = launcher.log().splitlines()

    assert all("sidecar | " in line or "store   | " in line for line in lines)
    assert any(line.endswith("| " + "x" * 300_000) for line in lines)
    assert any("� broken" in line for line in lines)


def test_the_shop_keeps_running_when_the_log_pipe_is_closed(
    supervised: Callable[..., Supervised],
) -> None:
    reader, writer = os.pipe()
    launcher = supervised("sidecar-calm", "storefront-calm", output=writer)
    os.close(writer)
    os.close(reader)

    os.kill(int(launcher.pids("sidecar")[0].suffix[1:]), signal.SIGKILL)

    wait_until(lambda: len(launcher.pids("sidecar")) == 2)
    assert len(launcher.alive()) == 2
    launcher.process.terminate()
    wait_until(lambda: launcher.alive() == [])


@pytest.fixture
def ticker(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """A tiny program that stands by; what it is called, and the folder for the file it leaves."""
    (tmp_path / "ticker.py").write_text(TICKER)
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path)]))
        yield lambda *words: stack.enter_context(standing_by(["colorsys"], ["ticker", *words]))


def test_a_preloaded_process_runs_in_the_environment_given_at_its_release(
    ticker: Callable[..., Process], tmp_path: Path
) -> None:
    waiting = ticker("storefront", "dies")
    assert waiting.stdout is not None

    go(waiting, {"PIDS": str(tmp_path), "WORD": "\udcff line\nend"})

    assert waiting.stdout.read() == b"out of paper\n"
    assert waiting.wait() == 3
    assert [file.stem for file in tmp_path.glob("*.[0-9]*")] == ["storefront"]


def test_a_preloaded_process_ends_unstarted_when_its_launcher_is_gone(
    ticker: Callable[..., Process], tmp_path: Path
) -> None:
    waiting = ticker("storefront", "dies")
    assert waiting.stdin is not None

    waiting.stdin.close()  # as the system does when a launcher is killed

    assert waiting.wait() == 0
    assert list(tmp_path.glob("*.[0-9]*")) == []


def test_a_preloaded_process_that_died_is_replaced(
    ticker: Callable[..., Process],
) -> None:
    waiting = ticker("storefront", "calm")
    waiting.kill()
    waiting.wait()

    begun = supervisor.begin(
        supervisor.Program("storefront", [sys.executable, "-V"], standing_by=waiting)
    )

    with begun:
        assert begun is not waiting


def test_the_emulator_does_not_wait_for_a_page_that_never_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launched, "LONGEST_TURN_SECONDS", 0.1)
    arguments = read(["run", "--port", str(free_port())])

    shop = Shop(settings.current(), arguments, has_emulator=True)
    event_loops.run(asyncio.wait_for(shop.page_is_there(), 10))  # else it ends in TimeoutError


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
    assert all(map(answers, addresses))
    first = processes_in(log)

    for pid in first:
        os.kill(pid, signal.SIGKILL)

    wait_until(lambda: len(processes_in(log)) == 6 and all(map(answers, addresses)), seconds=120)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    assert not any(map(is_alive, processes_in(log)))
    assert "whsec_" not in log.read_text("utf-8")


def processes_in(log: Path) -> list[int]:
    return [int(pid) for pid in re.findall(r" is process (\d+)\.", log.read_text("utf-8"))]


# What is refused before anything starts.


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.mark.parametrize("flag", ["--port", "--webhook-port", "--emulator-port"])
def test_a_port_in_use_is_named_with_the_flag_that_changes_it(
    taken_port: int, flag: str, tmp_path: Path
) -> None:
    said = one_sentence(store(flag, str(taken_port), DATA_DIR=str(tmp_path)))

    assert f"Port {taken_port} is in use" in said
    assert said.endswith(f"{flag}.\n")


def test_two_processes_cannot_have_the_same_port(tmp_path: Path) -> None:
    port = str(free_port())

    said = one_sentence(store("--port", port, "--webhook-port", port, DATA_DIR=str(tmp_path)))

    assert f"--port and --webhook-port are both {port}" in said
    assert running_with(port) == []  # the storefront stood by, and never began


def test_a_live_key_is_refused_and_never_printed(tmp_path: Path) -> None:
    result = store(DATA_DIR=str(tmp_path), STRIPE_SECRET_KEY="sk_live_51abcdefghijklmnop")

    assert "STRIPE_SECRET_KEY is a live key" in one_sentence(result)
    assert "51abcdef" not in result.stdout + result.stderr


def test_an_unreachable_database_is_one_sentence_without_its_password(tmp_path: Path) -> None:
    result = store(
        "migrate",
        DATA_DIR=str(tmp_path),
        DATABASE_URL="postgresql://clerk:tops3cret@127.0.0.1:1/shop?sslpassword=tops3cret",
    )

    assert "The database shop at 127.0.0.1:1 cannot be used" in one_sentence(result)
    assert "tops3cret" not in result.stdout + result.stderr


def test_a_data_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    said = one_sentence(store("--data-dir", str(tmp_path / "file" / "data"), *port_flags()))

    assert "DATA_DIR names a file" in said


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder where nobody may write")
def test_a_data_folder_that_cannot_be_written_is_one_sentence() -> None:
    said = one_sentence(store("--data-dir", "/proc/shop", *port_flags()))

    assert "Cannot write to the data folder" in said


def test_a_second_shop_in_the_same_data_folder_is_refused(tmp_path: Path) -> None:
    store("migrate", "--data-dir", str(tmp_path))
    holder = "from store.cli.preflight import alone; from pathlib import Path; import sys\n"
    holder += "with alone(Path(sys.argv[1])): print('held', flush=True); input()"
    command = [sys.executable, "-c", holder, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"

        refused = one_sentence(store("--data-dir", str(tmp_path), *port_flags()))

        first.kill()
    assert "A shop is already running in" in refused
    assert store("reset", "--yes", "--data-dir", str(tmp_path)).returncode == 0


# The environment that it makes for itself.


def a_project(folder: Path) -> Path:
    """A copy of the shop whose only requirement is a package that borrows ours."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "store", folder / "store", ignore=ignore)
    shutil.copytree(ROOT / "data", folder / "data", ignore=shutil.ignore_patterns("*.db*"))
    borrowed = a_wheel(folder, "borrowed", {"borrowed.pth": f"{PACKAGES}\n"})
    (folder / "requirements.txt").write_text(borrowed)
    return folder


def start(
    project: Path, python: Path = BASE_PYTHON, **environment: str
) -> subprocess.CompletedProcess[str]:
    log = {"PIP_LOG": str(project / "pip.log")}
    return store("migrate", python=python, cwd=project, **{**log, **environment})


def a_wheel(folder: Path, name: str = "tiny", files: Mapping[str, str] | None = None) -> str:
    """A package, of one file if nothing else is said; the line that requires it."""
    files = files or {f"{name}.py": "SIZE = 1\n"}
    info = f"{name}-1.0.dist-info"
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
    }
    record = {f"{info}/RECORD": "".join(f"{file},,\n" for file in [*files, *about])}
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, content in {**files, **about, **record}.items():
            archive.writestr(file, content)
    return f"{name} @ {wheel.as_uri()}\n"


@pytest.fixture(scope="module")
def first_starts(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[subprocess.CompletedProcess[str]]]:
    """A project, and what its first two starts, made at the same moment, said."""
    project = a_project(tmp_path_factory.mktemp("made"))
    with ThreadPoolExecutor() as pool:
        return project, list(pool.map(start, [project, project]))


@pytest.fixture
def project(
    first_starts: tuple[Path, list[subprocess.CompletedProcess[str]]], tmp_path: Path
) -> Path:
    """A copy of a project that has been started before."""
    return shutil.copytree(first_starts[0], tmp_path / "project", symlinks=True)


def test_two_first_starts_at_once_make_one_environment_and_one_shop(
    first_starts: tuple[Path, list[subprocess.CompletedProcess[str]]],
) -> None:
    project, results = first_starts

    assert [result.returncode for result in results] == [0, 0], results
    assert sorted("Making" in result.stdout for result in results) == [False, True]
    assert sorted("Installing" in result.stdout for result in results) == [False, True]
    assert (project / "data" / "store.db").exists()


def test_a_second_start_asks_neither_pip_nor_the_network(project: Path) -> None:
    (project / "pip.log").unlink()

    second = start(project)

    assert second.returncode == 0
    assert "Making" not in second.stdout
    assert "Installing" not in second.stdout
    assert not (project / "pip.log").exists()


def test_changed_requirements_are_installed_at_the_next_start(project: Path) -> None:
    (project / "requirements.txt").write_text(a_wheel(project))

    start(project)

    assert next((project / ".venv").rglob("tiny.py")).exists()


def test_an_install_killed_in_the_middle_is_repaired(project: Path) -> None:
    (project / "requirements.txt").write_text(a_wheel(project))
    start(project)
    package = next((project / ".venv").rglob("tiny.py"))
    package.unlink()
    (project / ".venv" / "store-install-unfinished").touch()
    (project / ".venv" / "store-requirements.installed").unlink()

    start(project)

    assert package.exists()


def test_a_half_made_environment_is_made_anew(project: Path) -> None:
    pip = next((project / ".venv").rglob("site-packages/pip"))
    shutil.rmtree(pip)
    (pip.parent / "borrowed.pth").unlink()  # else ours is found

    result = start(project)

    assert result.returncode == 0, result.stderr
    assert "Making a virtual environment" in result.stdout


def test_pip_without_a_network_ends_in_one_sentence(project: Path) -> None:
    (project / "requirements.txt").write_text("nowhere-to-be-found==1\n")

    result = start(project, PIP_INDEX_URL="http://127.0.0.1:1/", PIP_RETRIES="0")

    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("pip could not install requirements.txt")
    assert "Traceback" not in result.stderr


def test_a_python_without_venv_gets_the_name_of_the_missing_package(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project")
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['ensurepip'] = None")

    said = one_sentence(start(project, PYTHONPATH=str(tmp_path)))

    assert "apt install python3-venv" in said
    assert not (project / ".venv").exists()


def pip_file(folder: Path, section: str, option: str) -> str:
    file = folder / "pip.conf"
    file.write_text(f"[{section}]\n{option}\n")
    return str(file)


ELSEWHERE = {
    "PIP_USER": "1",
    "PIP_TARGET": "elsewhere",
    "PIP_PREFIX": "elsewhere",
    "PIP_ROOT": "elsewhere",
    "PIP_DRY_RUN": "1",
    "PIP_NO_DEPS": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_REQUIRE_HASHES": "1",
    "PIP_ONLY_BINARY": ":none:",
    "PIP_NO_BINARY": ":all:",
    "PIP_CONSTRAINT": "nowhere.txt",
    "PIP_REQUIREMENT": "nowhere.txt",
    "PIP_PYTHON": "/nowhere",
    "PIP_EDITABLE": "/nowhere",
    "PIP_PROGRESS_BAR": "nonsense",
    "PIP_USE_FEATURE": "nonsense",
}


@pytest.mark.scenario("L4")
def test_variables_that_lead_pip_elsewhere_have_no_effect(project: Path) -> None:
    (project / "requirements.txt").write_text(a_wheel(project))

    result = start(project, BASE_PYTHON, **ELSEWHERE)

    assert result.returncode == 0, result.stderr
    assert next((project / ".venv").rglob("tiny.py")).exists()
    assert not (project / "elsewhere").exists()


@pytest.mark.scenario("L4")
@pytest.mark.parametrize(
    ("section", "option"),
    [("install", "user = true"), ("global", "target = elsewhere"), ("install", "dry-run = true")],
)
def test_a_configuration_file_that_leads_pip_elsewhere_has_no_effect(
    project: Path, section: str, option: str
) -> None:
    (project / "requirements.txt").write_text(a_wheel(project))

    result = start(project, PIP_CONFIG_FILE=pip_file(project, section, option))

    assert result.returncode == 0, result.stderr
    assert next((project / ".venv").rglob("tiny.py")).exists()


@pytest.mark.scenario("L4")
def test_an_installation_that_put_nothing_there_is_not_remembered_as_done(project: Path) -> None:
    (project / "requirements.txt").write_text(a_wheel(project))
    pip = next((project / ".venv").rglob("site-packages/pip/__main__.py"))
    honest = pip.read_text()
    pip.write_text("raise SystemExit(0)\n")

    result = start(project)

    assert result.returncode == 2
    assert "pip reports that requirements.txt is installed" in result.stderr
    assert "but tiny is not installed" in result.stderr
    pip.write_text(honest)
    assert start(project).returncode == 0
    assert next((project / ".venv").rglob("tiny.py")).exists()


def test_a_package_that_does_not_load_is_named(project: Path) -> None:
    broken = a_wheel(project, "broken", {"broken.py": "raise ImportError('no such library')\n"})
    (project / "requirements.txt").write_text(broken)

    result = start(project)

    assert result.returncode == 2
    assert "broken cannot be imported (no such library)" in result.stderr


@pytest.mark.scenario("N7")
def test_a_complete_environment_that_cannot_be_written_is_used_as_it_is(project: Path) -> None:
    """Folders stand where files would be written; the tests may run as a user who writes anywhere.

    `scripts/foreign_environments.py` starts it from a read-only mount.
    """
    (project / ".venv" / "store-requirements.installed").unlink()
    for name in (".venv/store-requirements.installed", ".venv/store-install.lock"):
        (project / name).mkdir()
    (project / "data" / "store-install.lock").unlink()
    (project / "data" / "store-install.lock").mkdir()

    outside = start(project, DATA_DIR=str(project / "elsewhere"))
    inside = start(
        project, project / ".venv" / "bin" / "python", DATA_DIR=str(project / "elsewhere")
    )

    for result in (outside, inside):
        assert result.returncode == 0, result.stderr
        assert "Installing" not in result.stdout


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    project = a_project(tmp_path / "project")
    (project / ".venv").write_text("in the way, as a read-only folder would be")

    assert "Cannot write to" in one_sentence(start(project))


# Before anything is installed.


def test_help_needs_nothing_but_python() -> None:
    command = [str(BASE_PYTHON), "-S", "-m", "store", "--help"]

    said = subprocess.run(
        command, cwd=ROOT, env=clean(), capture_output=True, text=True, check=True
    )

    assert "python -m store" in said.stdout


def test_an_old_python_can_read_the_sentence_meant_for_it() -> None:
    source = (ROOT / "store" / "__main__.py").read_text(encoding="ascii")

    ast.parse(source, feature_version=(3, 4))

"""The virtual environment that the shop runs in: the active one, else a `.venv` of its own.

Standard library only: this runs before anything is installed. An environment is complete when every
package was found and imported. A file there then stores a fingerprint of the requirements, so that
later starts need not check again; in a read-only folder, each start checks.
"""

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from store.cli.clean_environment import cleaned, pip_environment, run
from store.core.errors import StoreError
from store.core.file_lock import Lock, acquire

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / ".venv"
OWN_PYTHON = OWN / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
UNFINISHED_MARK = "store-install-unfinished"
CHECK = ROOT / "store" / "cli" / "check_installed.py"
STEP_SECONDS = 0.5  # between two updates of the line that shows pip's progress
LOG_STEP_SECONDS = 15.0  # between two lines, where the output is no terminal
WIDTH = 78
STAMP_VERSION = b"imported"  # older stamps relied on pip's exit code only


class NotReady(StoreError):
    """The environment cannot be prepared; the sentence says what to do."""


def ensure_ready(requirements: Sequence[str], words: Sequence[str]) -> None:
    """Make sure that this process runs in an environment with the `requirements`.

    Installs what is missing, and restarts the command in the other environment if needed. Removes
    variables of other programs, restarting if the interpreter has already read one. If the
    environment cannot be prepared, `NotReady` says why.
    """
    inside = sys.prefix != sys.base_prefix
    home = Path(sys.prefix) if inside else OWN
    python = Path(sys.executable) if inside else OWN_PYTHON
    complete = (inside or works(python)) and not missing(home, python, requirements)
    if not complete:
        with install_lock(home if inside else ROOT / "data"):
            if not inside and not works(python):
                create()
            if stale := missing(home, python, requirements):
                install(home, python, stale)
    foreign = os.environ.keys() - cleaned(os.environ).keys()
    for name in foreign:
        del os.environ[name]
    # A running interpreter has read its own variables: it must be restarted without them.
    has_python_variables = any(name.startswith("PYTHON") for name in foreign)
    if has_python_variables or not (inside and complete):
        start_over(python, words)


def install_lock(folder: Path) -> Lock:
    """The lock on an installation in `folder`; a second start waits for the first."""
    lock = folder / "store-install.lock"
    try:
        return acquire(lock, wait_seconds=0)
    except TimeoutError:
        print("Another start is installing; waiting for it …", flush=True)
        return acquire(lock, wait_seconds=1800)
    except OSError as error:
        raise NotReady(f"Cannot write to {folder} ({error.strerror}).") from None


def works(python: Path) -> bool:
    """False after a first start was killed, or after an update of the system's Python."""
    check = "import sys, pip._internal.cli.main; sys.exit(sys.version_info < (3, 11))"
    try:
        return run(python, "-I", "-c", check).returncode == 0
    except OSError:
        return False


def create() -> None:
    if not (importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip")):
        raise NotReady(
            "This Python cannot make a virtual environment: install its venv module "
            "(on Debian and Ubuntu: apt install python3-venv), then run the same command again."
        )
    print(f"Making a virtual environment in {OWN} …", flush=True)
    try:
        OWN.mkdir(exist_ok=True)
        (OWN / "store-write-test").touch()
    except OSError as error:
        raise NotReady(
            f"Cannot write to {OWN} ({error.strerror}): give this user the right to, or activate "
            "a virtual environment somewhere else, then run the same command again."
        ) from None
    made = run(sys.executable, "-m", "venv", "--clear", OWN)
    if made.returncode:
        lines = (made.stderr or made.stdout).strip().splitlines()
        reason = lines[-1] if lines else f"exit code {made.returncode}"
        raise NotReady(f"Python could not make a virtual environment in {OWN}: {reason}")


def fingerprint(home: Path, name: str) -> bytes:
    """A hash of the requirements and the Python they were installed for."""
    files = [home / "pyvenv.cfg", ROOT / "requirements.txt", ROOT / name]
    parts = [STAMP_VERSION, *(file.read_bytes() for file in files)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest().encode()


def missing(home: Path, python: Path, requirements: Sequence[str]) -> list[str]:
    """The requirements files that are not, or no longer, installed."""
    return [name for name in requirements if fault_of(home, python, name)]


def fault_of(home: Path, python: Path, name: str) -> str | None:
    """What is wrong with the packages of a requirements file; None if nothing is, which is kept."""
    stamp = home / f"store-{Path(name).stem}.installed"
    with suppress(OSError):
        if stamp.read_bytes() == fingerprint(home, name):
            return None
    if (home / UNFINISHED_MARK).exists():
        return "an earlier installation was interrupted"
    checked = run(python, "-I", CHECK, ROOT / name)
    if checked.returncode:
        return (checked.stdout.splitlines() or ["the packages could not be examined"])[0]
    with suppress(OSError):  # read-only: then each start checks
        stamp.write_bytes(fingerprint(home, name))
    return None


def install(home: Path, python: Path, names: Sequence[str]) -> None:
    """Install the requirements files `names` by pip, showing its progress."""
    what = " and ".join(names)
    usually = "the first time usually two minutes, and 600 MB on the disk"
    print(f"Installing {what} into {home} … ({usually})", flush=True)
    if run(python, "-I", "-m", "pip", "--version").returncode:
        run(python, "-I", "-m", "ensurepip")
    environment, unfinished = pip_environment(python), home / UNFINISHED_MARK
    # Killed in the middle: packages may only look complete.
    again = ["--ignore-installed"] if unfinished.exists() else []
    command = [str(python), "-I", "-m", "pip", "install", "--disable-pip-version-check"]
    try:
        unfinished.touch()
        command += [*again, *(f"-r{name}" for name in names)]
        failed = run_pip(command, environment, ROOT)
        unfinished.unlink()
    except OSError as error:
        raise NotReady(f"Cannot write to {home} ({error.strerror}).") from None
    if failed:
        raise NotReady(
            f"pip could not install {what}, for the reason it gives above: check the network "
            "(behind a proxy or mirror: HTTPS_PROXY, PIP_INDEX_URL), then run the same command "
            "again."
        )
    for fault in filter(None, (fault_of(home, python, name) for name in names)):
        raise NotReady(
            f"pip reports that {what} is installed in {home}, but {fault}: remove that "
            "environment (or choose another one), then run the same command again."
        )


def run_pip(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> int:
    """Run pip and return its exit code; its errors are printed as they come."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as pip:
        assert pip.stdout
        progress = Progress()
        reader = threading.Thread(target=progress.follow, args=(pip.stdout,), daemon=True)
        reader.start()
        try:
            while reader.is_alive():
                progress.draw()
                reader.join(STEP_SECONDS)
        finally:
            if sys.stdout.isatty():
                print(f"\r{'':<{WIDTH}}\r", end="", flush=True)
        return pip.wait()


class Progress:
    """What pip is doing, and for how long. It may print nothing for minutes."""

    def __init__(self) -> None:
        self.doing = "Looking for packages"
        self.began = self.next_line_at = time.monotonic()

    def follow(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.doing = doing(line) or self.doing

    def draw(self) -> None:
        now = time.monotonic()
        line = f"  {self.doing} … {now - self.began:.0f} s"
        if sys.stdout.isatty():
            print(f"\r{line[:WIDTH]:<{WIDTH}}", end="", flush=True)
        elif now >= self.next_line_at:
            print(line, flush=True)
            self.next_line_at = now + LOG_STEP_SECONDS


def doing(line: str) -> str:
    """What pip is doing according to a line of its output; "" if the line does not say."""
    word, _, rest = line.strip().partition(" ")
    if word == "Collecting" and rest:
        return f"Looking for {rest.split()[0]}"
    if word == "Downloading":
        return f"Downloading {rest}"
    if line.startswith("Installing collected packages:"):
        return f"Unpacking {line.count(',') + 1} packages"
    return ""


def start_over(python: Path, words: Sequence[str]) -> NoReturn:
    """Run the same command by the environment's Python, replacing this process if possible."""
    command = [str(python), "-m", "store", *words]
    with suppress(OSError):  # nothing reads it any more
        sys.stdout.flush()
    if os.name == "nt":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the console signals the inner one, too
        raise SystemExit(subprocess.call(command))
    os.execv(python, command)  # noqa: S606 - no shell is meant

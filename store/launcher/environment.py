"""The virtual environment that the shop runs in: the active one, else a `.venv` of its own.

Standard library only: this runs before anything is installed. What is installed is remembered
as a fingerprint of the requirements inside the environment, so that a second start asks
neither pip nor the network.
"""

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

from store.errors import StoreError
from store.launcher.lock import Held, exclusive

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / ".venv"
UNFINISHED = "store-install-unfinished"


class NotReady(StoreError):
    """The environment cannot be made ready; the sentence says what to do."""


def ready(requirements: Sequence[str], words: Sequence[str]) -> None:
    """Return inside an environment that has the `requirements`, which may mean: start over there.

    Raises:
        NotReady: nothing was started.
    """
    inside = sys.prefix != sys.base_prefix
    home = Path(sys.prefix) if inside else OWN
    python = Path(sys.executable) if inside else python_of(OWN)
    if inside and not missing(home, requirements):
        return
    with alone(home if inside else ROOT / "data"):
        if not inside and not works(python):
            make()
        if stale := missing(home, requirements):
            install(home, python, stale)
    start_over(python, words)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Two first starts at once must not build over each other; the second one waits."""
    lock = folder / "store-install.lock"
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive(lock, wait_seconds=0))
        except Held:
            print("Another start is installing; waiting for it …", flush=True)
            stack.enter_context(exclusive(lock, wait_seconds=1800))
        except OSError as error:
            raise NotReady(f"Cannot write to {folder} ({error.strerror}).") from None
        yield


def python_of(home: Path) -> Path:
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def works(python: Path) -> bool:
    """False for what a killed first start leaves behind, or an update of the system's Python."""
    check = "import sys, pip._internal.cli.main; sys.exit(sys.version_info < (3, 11))"
    try:
        return (
            subprocess.run([python, "-I", "-c", check], capture_output=True, check=False).returncode
            == 0
        )
    except OSError:
        return False


def make() -> None:
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
    command = [sys.executable, "-m", "venv", "--clear", str(OWN)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        said = (made.stderr or made.stdout).strip().splitlines() or [f"exit code {made.returncode}"]
        raise NotReady(f"Python could not make a virtual environment in {OWN}: {said[-1]}")


def stamp(home: Path, name: str) -> Path:
    return home / f"store-{Path(name).stem}.installed"


def fingerprint(home: Path, name: str) -> str:
    """Changes with the requirements, and with the Python they were installed for."""
    files = [home / "pyvenv.cfg", ROOT / "requirements.txt", ROOT / name]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def missing(home: Path, requirements: Sequence[str]) -> list[str]:
    """The files whose packages are not, or no longer, what is installed."""
    return [
        name
        for name in requirements
        if not (file := stamp(home, name)).exists()
        or file.read_text(encoding="ascii") != fingerprint(home, name)
    ]


def install(home: Path, python: Path, names: Sequence[str]) -> None:
    """Let pip install what is listed in the files `names`; its own progress is what people see."""
    pip = [str(python), "-I", "-m", "pip"]
    print(f"Installing {' and '.join(names)} into {home} …", flush=True)
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        subprocess.run([python, "-I", "-m", "ensurepip"], capture_output=True, check=False)
    command = [*pip, "install", "--disable-pip-version-check"]
    unfinished = home / UNFINISHED
    if unfinished.exists():  # killed in the middle: packages may look complete and not be
        command.append("--ignore-installed")
    try:
        unfinished.touch()
        failed = subprocess.call([*command, *(f"-r{name}" for name in names)], cwd=ROOT)
        unfinished.unlink()
        if not failed:
            for name in names:
                stamp(home, name).write_text(fingerprint(home, name), encoding="ascii")
    except OSError as error:
        raise NotReady(f"Cannot write to {home} ({error.strerror}).") from None
    if failed:
        raise NotReady(
            f"pip could not install {' and '.join(names)}, for the reason it gives above: look at "
            "the network (behind a proxy or mirror: HTTPS_PROXY, PIP_INDEX_URL), then run the "
            "same command again."
        )


def start_over(python: Path, words: Sequence[str]) -> NoReturn:
    """Run the same command with the environment's Python, in place of this process if possible."""
    command = [str(python), "-m", "store", *words]
    sys.stdout.flush()
    if os.name == "nt":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the console tells the inner one as well
        raise SystemExit(subprocess.call(command))
    os.execv(python, command)  # noqa: S606 - no shell is meant

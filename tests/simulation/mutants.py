"""Copies of the project in which something is missing, and what their tests say.

Each copy is judged in a process of its own. Where the system can, these begin as copies of one
that has loaded the libraries already, which is most of what a short run of tests does.
"""

import multiprocessing
import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = ("store", "stripe_emulator", "tests", "bench", "webhook_server", "streamlit_app")
NEEDED = (
    *OURS[:4],
    *("data", ".streamlit", "pyproject.toml", "webhook_server.py", "streamlit_app.py"),
)
LEFT_BEHIND = shutil.ignore_patterns("*.db*", "*_secret", "*_password", "*_token", ".env")
LIBRARIES = (
    "alembic babel.numbers fastapi hypothesis httpx jinja2 PIL.Image playwright.sync_api "
    "prometheus_client pydantic_settings pytest sqlmodel streamlit.testing.v1 stripe uvicorn"
)


@dataclass(frozen=True)
class Mutation:
    """In each file, what goes and what comes in its place; then the tests, one of which fails."""

    changes: tuple[tuple[str, str, str], ...]
    tests: tuple[str, ...]


def nursery() -> ProcessPoolExecutor:
    """Gives each copy a new process."""
    forks = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if forks else "spawn")
    context.set_forkserver_preload(LIBRARIES.split())
    return ProcessPoolExecutor(os.cpu_count(), mp_context=context, max_tasks_per_child=1)


def judge(copy: Path, mutation: Mutation) -> str:
    """What pytest says about a copy of the project that was changed so."""
    make(copy, mutation)
    said = copy / "said"
    with said.open("wb") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]  # what comes from the project has to come from its copy
    os.chdir(copy)
    sys.path[:] = [str(copy), *(path for path in sys.path if path not in ("", str(ROOT)))]
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ.pop("PYTEST_XDIST_WORKER", None)

    import pytest  # noqa: PLC0415 - by now in the copy's folder

    words = ["-x", "--tb=line", "-k", "not postgresql or waits", "-p", "no:cacheprovider"]
    pytest.main([*words, f"--basetemp={copy / 'temporary'}", *mutation.tests])
    sys.stdout.flush()
    return said.read_text("utf-8")


def make(copy: Path, mutation: Mutation) -> None:
    """Write the copy. The changes have to fit exactly, or their list is out of date."""
    for name in NEEDED:
        source, target = ROOT / name, copy / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=LEFT_BEHIND)
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    for name, old, new in mutation.changes:
        file = copy / name
        text = file.read_text("utf-8")
        assert text.count(old) == 1, f"{name} no longer says {old!r} once; adjust the list"
        file.write_text(text.replace(old, new), "utf-8")

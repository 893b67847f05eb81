"""The commands for developers: `test` and `bench`, and the names of the benchmarks.

Standard library only: `bench --list` imports no benchmark and works before anything is installed.
"""

import ast
import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from store.cli.virtualenv import ROOT
from store.core.errors import StoreError

BENCHMARKS = ROOT / "bench"
# One more than processors, at most 4: tests often wait for processes that they start, and each
# worker has a PostgreSQL and a browser of its own.
WORKERS = min((os.cpu_count() or 1) + 1, 4)
QUICK = (("ruff", "format", "--check"), ("ruff", "check"))
BESIDE = (("mypy",), ("scripts.audit_dependencies",))
TESTS = ("pytest", "-n", str(WORKERS), "--dist", "loadfile", "--no-loadscope-reorder")


def test(arguments: Namespace) -> int:
    """Run formatter, linter, types, audits and every test; with arguments, only pytest."""
    if arguments.rest:
        return in_turn([("pytest", *arguments.rest)])
    worst = in_turn(QUICK)
    with ThreadPoolExecutor() as pool:
        beside = [pool.submit(run, step, quietly=True) for step in BESIDE]
        return max(worst, run(TESTS), *(each.result() for each in beside))


def bench(arguments: Namespace) -> int:
    """Every benchmark, or the named one with the arguments that follow it."""
    if arguments.name is None:
        return in_turn([(f"bench.{name}",) for name in benchmarks()])
    return in_turn([(f"bench.{arguments.name}", *arguments.rest)])


def in_turn(steps: Sequence[Sequence[str]]) -> int:
    """Run Python modules one after the other, all of them, and return the worst exit code."""
    return max((run(step) for step in steps), default=0)


def run(step: Sequence[str], *, quietly: bool = False) -> int:
    """Run a Python module and print how it ended; `quietly` prints its output only then."""
    name, started = " ".join(step), time.monotonic()
    if not quietly:
        print(f"\n── {name}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", *step],
        cwd=ROOT,
        stdout=subprocess.PIPE if quietly else None,
        stderr=subprocess.STDOUT if quietly else None,
        text=True,
        encoding="utf-8",
        check=False,
    )
    code = abs(done.returncode)
    outcome = f"failed with exit code {code}" if code else "passed"
    output = f"\n{done.stdout}" if quietly else ""
    print(f"{output}── {name}: {outcome} in {time.monotonic() - started:.1f} s", flush=True)
    return code


def benchmarks() -> dict[str, Path]:
    """The files of the benchmarks by name: modules in `bench/`, and its folders that can be run."""
    files = {file.stem: file for file in BENCHMARKS.glob("[!_]*.py")}
    files |= {file.parent.name: file for file in BENCHMARKS.glob("*/__main__.py")}
    return dict(sorted(files.items()))


def module(text: str) -> str:
    """The module of the benchmark of this name, written with hyphens or underscores."""
    name = text.replace("-", "_")
    if name not in benchmarks():
        existing = ", ".join(benchmarks()).replace("_", "-")
        raise StoreError(f"There is no benchmark {text}; there are: {existing}.")
    return name


def listing() -> str:
    """A line for each benchmark: its name, and the first paragraph of its docstring."""
    lines = []
    for name, file in benchmarks().items():
        about = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").split("\n\n")[0]
        lines.append(f"{name.replace('_', '-'):<18} {' '.join(about.split())}")
    return "\n".join(lines)

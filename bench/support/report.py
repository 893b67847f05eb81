"""A benchmark's command line, its results as JSON in `bench/results/`, and its table in the README.

Each benchmark parses its arguments with `parser`, describes the machine with `machine_now` before
it measures, and hands a Report to `publish`.
"""

import argparse
import dataclasses
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.support import machine
from bench.support.statistics import say

BENCH = Path(__file__).resolve().parents[1]
README = BENCH / "README.md"
RESULTS = BENCH / "results"


@dataclass(frozen=True)
class Report:
    """What a benchmark measured: a table for people, and `figures` for programs.

    `name` is the benchmark's module; `verdicts` say for each limit whether it was reached.
    """

    name: str
    machine: dict[str, object]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    verdicts: Sequence[str] = ()
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The command that repeats the run."""
        return " ".join(["python -m store bench", self.name.replace("_", "-"), *sys.argv[1:]])

    def table(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def section(self) -> str:
        """The text between this benchmark's two marks in the README."""
        run = f"`{self.command}`, {self.machine['measured_at']}: {machine.sentence(self.machine)}."
        verdicts = "\n".join(f"- {verdict}" for verdict in self.verdicts)
        return "\n\n".join(filter(None, [run, self.table(), verdicts]))


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """The command line of `python -m store bench NAME`."""
    made = argparse.ArgumentParser(prog=f"python -m store bench {name}", description=description)
    made.add_argument("--dry", action="store_true", help="do not replace the kept results")
    return made


def machine_now(folder: Path | None = None) -> dict[str, object]:
    """Describe and print the machine, with the disk under `folder` (default: temporary files)."""
    found = machine.describe(folder or Path(tempfile.gettempdir()))
    say(machine.sentence(found))
    return found


def verdict(sentence: str, reached: bool) -> str:
    """The sentence about a limit, and whether the limit was reached."""
    return f"{sentence}: {'reached' if reached else 'NOT reached'}"


def publish(report: Report, *, dry: bool) -> None:
    """Print a report; unless `dry`, it also replaces the last one."""
    say(f"\n{report.section()}\n")
    if dry:
        return
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{report.name}.json"
    kept = dataclasses.asdict(report) | {"command": report.command}
    file.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    first, last = f"<!-- {report.name}: made by its run -->", f"<!-- end of {report.name} -->"
    marked = re.compile(f"{first}.*?{last}", re.DOTALL)
    text = README.read_text("utf-8")
    assert marked.search(text), f"bench/README.md has no place for {report.name}"
    section = f"{first}\n{report.section()}\n{last}"
    README.write_text(marked.sub(lambda _: section, text), "utf-8")
    say(f"Written to {file.relative_to(BENCH.parent)} and bench/README.md.")

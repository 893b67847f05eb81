"""Where results are kept: as JSON in `bench/results/`, and as a table in `bench/README.md`."""

import dataclasses
import json
import re
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
    """What a benchmark found, for people (`columns`, `rows`, `verdicts`) and programs (`figures`).

    `command` repeats the run; `verdicts` say for each thing that must be reached whether it was.
    """

    name: str
    command: str
    machine: dict[str, object]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    verdicts: Sequence[str] = ()
    figures: dict[str, Any] = field(default_factory=dict)

    def table(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def section(self) -> str:
        """What stands in the README between the two marks of this benchmark."""
        run = f"`{self.command}`, {self.machine['measured_at']}: {machine.sentence(self.machine)}."
        verdicts = "\n".join(f"- {verdict}" for verdict in self.verdicts)
        return "\n\n".join(filter(None, [run, self.table(), verdicts]))


def publish(report: Report, *, keep: bool) -> None:
    """Print a report; with `keep` it also takes the place of the last one."""
    say(f"\n{report.section()}\n")
    if not keep:
        return
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{report.name}.json"
    file.write_text(json.dumps(dataclasses.asdict(report), indent=1) + "\n", "utf-8")
    first, last = f"<!-- {report.name}: made by its run -->", f"<!-- end of {report.name} -->"
    marked = re.compile(f"{first}.*?{last}", re.DOTALL)
    text = README.read_text("utf-8")
    assert marked.search(text), f"bench/README.md has no place for {report.name}"
    section = f"{first}\n{report.section()}\n{last}"
    README.write_text(marked.sub(lambda _: section, text), "utf-8")
    say(f"Written to {file.relative_to(BENCH.parent)} and bench/README.md.")

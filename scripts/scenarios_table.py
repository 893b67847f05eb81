"""The named scenarios, the tests that prove them, and the table of both in `docs/scenarios.md`.

Each family of scenarios is a file in `tests/scenarios/`. Tests carry a scenario's name:
`@pytest.mark.scenario("A1")`.

python -m scripts.scenarios_table        writes the table anew
"""

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
TABLE = ROOT / "docs" / "scenarios.md"
HEAD = """# What a payment shop meets, and what comes out here

Made by `python -m scripts.scenarios_table` from `tests/scenarios/` and from the tests that carry a
scenario's name. Each test runs on SQLite and on PostgreSQL where the database matters.
*The original* is the Django shop that this one replaces: what it does in that case, as measured
or as read in its source; "–" where the question does not arise there.
"""


def scenarios() -> dict[str, dict[str, str]]:
    """Every scenario by its name: `scenario`, `here` and `original`, each a sentence."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted((TESTS / "scenarios").glob("*.toml")):
        found |= tomllib.loads(file.read_text("utf-8"))
    return found


def proofs() -> dict[str, list[str]]:
    """The tests that carry each scenario's name, in the order of the files."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for file in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for name in _marks(node):
                    found[name].append(f"{file.relative_to(TESTS).as_posix()}::{node.name}")
    return found


def _marks(test: ast.FunctionDef) -> Iterator[str]:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.scenario":
            yield from (ast.literal_eval(argument) for argument in mark.args)


def table() -> str:
    """The table, one row a scenario."""
    tests = proofs()
    rows = ["| # | scenario | here | the original | proven by |", "|---|---|---|---|---|"]
    for name, told in scenarios().items():
        links = "<br>".join(_link(test) for test in tests[name])
        cells = (told["scenario"], told["here"], told["original"])
        rows.append(
            f"| {name} | {' | '.join(cell.replace('|', '¦') for cell in cells)} | {links} |"
        )
    return "\n".join(rows)


def _link(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../tests/{file})"


def document() -> str:
    """The text of `docs/scenarios.md` as it should be today."""
    return f"{HEAD}\n{table()}\n"


if __name__ == "__main__":
    TABLE.write_text(document(), "utf-8")

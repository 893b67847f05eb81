"""The named scenarios, the tests that prove them, and the table of both in the README.

python -m tests.scenarios        writes the table anew
"""

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
README = TESTS.parent / "README.md"
BEGIN, END = "<!-- scenarios: made by python -m tests.scenarios -->", "<!-- end of scenarios -->"


def scenarios() -> dict[str, dict[str, str]]:
    """Every scenario by its name: `scenario`, `here` and `original`, each a sentence."""
    return tomllib.loads((TESTS / "scenarios.toml").read_text("utf-8"))


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
    """The README's table, one row a scenario."""
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
    return f"[{name.removeprefix('test_').replace('_', ' ')}](tests/{file})"


def readme() -> str:
    """The README with today's table."""
    text = README.read_text("utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(readme(), "utf-8")

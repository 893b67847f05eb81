"""The emulator is a house of its own."""

import ast
import sys
from pathlib import Path

import store
from store import emulator

HOUSE = Path(emulator.__file__).parent
ALLOWED = {"fastapi", "starlette", "uvicorn", "pydantic", "jinja2", "babel", "markupsafe"}


def imported(file: Path) -> set[str]:
    """The modules a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_it_imports_nothing_else_of_the_store_and_no_stripe() -> None:
    for file in HOUSE.rglob("*.py"):
        for name in imported(file):
            top = name.split(".")[0]
            if top == "store":
                assert name in ("store", "store.emulator") or name.startswith("store.emulator.")
            else:
                assert top in ALLOWED | sys.stdlib_module_names, f"{file.name} imports {name}"


def test_nothing_of_the_store_imports_it() -> None:
    for file in Path(next(iter(store.__path__))).rglob("*.py"):
        if HOUSE not in file.parents:
            assert not [name for name in imported(file) if name.startswith("store.emulator")], file

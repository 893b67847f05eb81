"""Copies of the project in which something is missing, and what their tests say.

What is missing is named by the module's and the function's name and by the code in it, however
that is formatted: a module may move to another package, and a function within its module.
Each copy is judged in a process of its own. Where the system can, these begin as copies of one
that has loaded the libraries already, which is most of what a short run of tests does.
"""

import ast
import gc
import multiprocessing
import os
import re
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).resolve().parents[2]
OURS = ("store", "stripe_emulator", "tests", "bench", "scripts", "webhook_server", "streamlit_app")
NEEDED = (
    *OURS[:5],
    *("data", ".streamlit", "pyproject.toml", "webhook_server.py", "streamlit_app.py"),
)
SOURCES = ("*.py", "store/**/*.py", "stripe_emulator/**/*.py")
WILDCARD = re.compile(r"_\d")
LEFT_BEHIND = shutil.ignore_patterns(
    *("*.pyc.*", "*.db*", "*_secret", "*_password", "*_token", ".env")
)
LIBRARIES = (
    "alembic babel.numbers fastapi hypothesis httpx jinja2 PIL.Image playwright.sync_api "
    "prometheus_client pydantic pytest sqlmodel streamlit.testing.v1 stripe uvicorn"
)


@dataclass(frozen=True)
class Edit:
    """In `module.Class.method` (or `module`): an expression or statement, and what replaces it.

    Where two modules have the name, their packages stand before it.

    A name like `_1` stands for any expression, also in `new`. Without `new`, a statement, an
    argument or an item of a list is left out. It must be found `times` times.
    """

    where: str
    old: str
    new: str = ""
    times: int = 1


@dataclass(frozen=True)
class Mutation:
    """What is changed; then the tests, one of which fails."""

    edits: tuple[Edit, ...]
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
    os.environ["CRASH_EVERY"] = "1"

    import pytest  # noqa: PLC0415 - by now in the copy's folder

    gc.freeze()  # pytest ends with ten full collections, and the libraries are no garbage

    words = ["-x", "--tb=line", "-k", "not postgresql or waits", "-p", "no:cacheprovider"]
    pytest.main([*words, f"--basetemp={copy / 'temporary'}", *mutation.tests])
    sys.stdout.flush()
    return said.read_text("utf-8")


def make(copy: Path, mutation: Mutation) -> None:
    """Write the copy. The edits have to fit exactly, or their list is out of date."""
    for name in NEEDED:
        source, target = ROOT / name, copy / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=LEFT_BEHIND)
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
    for edit in mutation.edits:
        apply(copy, edit)


def apply(copy: Path, edit: Edit) -> None:
    """Change the one module that has the place."""
    found = []
    for file in (file for name in SOURCES for file in copy.glob(name)):
        place = place_in(file.relative_to(copy), edit.where)
        if place is None:
            continue
        tree = ast.parse(file.read_text("utf-8"))
        if scope := scope_of(tree, place):
            found.append((file, tree, scope))
    assert len(found) == 1, f"{edit.where} is in {len(found)} modules; adjust the list"
    ((file, tree, scope),) = found
    replacer = Replacer(edit)
    replacer.generic_visit(scope)
    assert replacer.count == edit.times, (
        f"{edit.where} says {edit.old!r} {replacer.count} times; adjust the list"
    )
    file.write_text(ast.unparse(ast.fix_missing_locations(tree)), "utf-8")


def place_in(file: Path, where: str) -> str | None:
    """What `where` names in this file: "f" for `service.f` and `orders.service.f`; else None."""
    parts, words = file.with_suffix("").parts, tuple(where.split("."))
    for count in range(1, len(parts) + 1):
        if words[:count] == parts[-count:]:
            return ".".join(words[count:])
    return None


def scope_of(tree: ast.AST, place: str) -> ast.AST | None:
    """The function or class that is called so, where there is one; the tree itself for ""."""
    if not place:
        return tree
    name, _, rest = place.partition(".")
    named = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    inside = (node for node in ast.walk(tree) if isinstance(node, named) and node.name == name)
    return next((scope for node in inside if (scope := scope_of(node, rest))), None)


def parsed(code: str) -> ast.AST | None:
    """An expression, or else a statement; nothing for no code."""
    if not code:
        return None
    statement = ast.parse(code).body[0]
    return statement.value if isinstance(statement, ast.Expr) else statement


class Replacer(ast.NodeTransformer):
    """Puts one thing in the place of another, and counts how often."""

    def __init__(self, edit: Edit) -> None:
        self.old, self.new = parsed(edit.old), parsed(edit.new)
        self.count = 0

    def visit(self, node: ast.AST) -> ast.AST | None:
        wildcards: dict[str, ast.AST] = {}
        assert self.old is not None
        target = node.value if is_removed(node, self.new) else node
        if not alike(self.old, target, wildcards):
            self.generic_visit(node)
            return node
        self.count += 1
        if self.new is None:
            return ast.Pass() if isinstance(node, ast.stmt) else None
        filled: ast.AST = Filler(wildcards).visit(deepcopy(self.new))
        return filled


def is_removed(node: ast.AST, new: ast.AST | None) -> TypeGuard[ast.Expr]:
    """True for an expression that is a statement and that a statement, or nothing, replaces."""
    return isinstance(node, ast.Expr) and (new is None or isinstance(new, ast.stmt))


def alike(old: object, node: object, wildcards: dict[str, ast.AST]) -> bool:
    """Whether code fits the pattern; what its wildcards stand for is kept."""
    if isinstance(old, ast.Name) and WILDCARD.fullmatch(old.id) and isinstance(node, ast.expr):
        wildcards[old.id] = node
        return True
    if isinstance(old, list) and isinstance(node, list):
        pairs = zip(old, node, strict=False)
        return len(old) == len(node) and all(alike(*pair, wildcards) for pair in pairs)
    if isinstance(old, ast.AST) and type(old) is type(node):
        names = [name for name in old._fields if name != "ctx"]
        return all(alike(getattr(old, n), getattr(node, n), wildcards) for n in names)
    return old == node


class Filler(ast.NodeTransformer):
    """Puts what the wildcards stand for in their places."""

    def __init__(self, wildcards: dict[str, ast.AST]) -> None:
        self.wildcards = wildcards

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.wildcards.get(node.id, node)

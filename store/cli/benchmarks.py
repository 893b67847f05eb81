"""The names of the benchmarks and what each measures; imports none of them."""

import ast

from store.cli.virtualenv import ROOT
from store.core.errors import StoreError

FOLDER = ROOT / "bench"


def names() -> list[str]:
    """Modules in `bench/`, and its folders that can be run."""
    modules = {file.stem for file in FOLDER.glob("[!_]*.py")}
    return sorted(modules | {file.parent.name for file in FOLDER.glob("*/__main__.py")})


class UnknownBenchmark(StoreError):
    """The sentence lists the names that exist."""


def module(text: str) -> str:
    """The module of the benchmark of this name, written with hyphens or underscores.

    Raises:
        UnknownBenchmark
    """
    name = text.replace("-", "_")
    if name not in names():
        names_text = ", ".join(map(display_name, names()))
        raise UnknownBenchmark(f"There is no benchmark {text}; there are: {names_text}.")
    return name


def display_name(name: str) -> str:
    """A benchmark's name as people write it."""
    return name.replace("_", "-")


def about(name: str) -> str:
    """The first paragraph of a benchmark's docstring."""
    module, package = FOLDER / f"{name}.py", FOLDER / name / "__main__.py"
    file = module if module.exists() else package
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def listing() -> str:
    return "\n".join(f"{display_name(name):<18} {about(name)}" for name in names())

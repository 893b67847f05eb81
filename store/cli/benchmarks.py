"""The benchmarks by name, and what each is about; standard library only, nothing is imported."""

import ast

from store.cli.virtualenv import ROOT
from store.core.errors import StoreError

FOLDER = ROOT / "bench"


def names() -> list[str]:
    """Modules in `bench/`, and folders there that can be run; `support` is what they share."""
    modules = {file.stem for file in FOLDER.glob("[!_]*.py")}
    return sorted(modules | {file.parent.name for file in FOLDER.glob("*/__main__.py")})


class UnknownBenchmark(StoreError):
    """The sentence names those that there are."""


def module(text: str) -> str:
    """The module of a benchmark that is named with hyphens or underscores.

    Raises:
        UnknownBenchmark
    """
    name = text.replace("-", "_")
    if name not in names():
        known = ", ".join(map(shown, names()))
        raise UnknownBenchmark(f"There is no benchmark {text}; there are: {known}.")
    return name


def shown(name: str) -> str:
    """A benchmark's name as people write it."""
    return name.replace("_", "-")


def about(name: str) -> str:
    """The first sentence of what a benchmark says of itself."""
    module, package = FOLDER / f"{name}.py", FOLDER / name / "__main__.py"
    file = module if module.exists() else package
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def listing() -> str:
    return "\n".join(f"{shown(name):<18} {about(name)}" for name in names())

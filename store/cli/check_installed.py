"""Whether everything in a requirements file is installed, in that version, and can be imported.

`python -I store/cli/check_installed.py FILE` examines the environment of that Python; pip may
report success for another folder. Prints one fault per line; the exit code is 1 if there are any.
Standard library only.
"""

import importlib
import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:==\s*([^\s;#]+))?")


def faults(lines: Iterable[str]) -> Iterator[str]:
    modules = modules_by_package()
    for line in lines:
        if match := REQUIREMENT.match(line.strip()):
            yield from faults_of(match[1], match[2], modules)


def faults_of(name: str, version: str | None, modules: dict[str, list[str]]) -> Iterator[str]:
    try:
        installed = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        yield f"{name} is not installed"
        return
    if version and installed != version:
        yield f"{name} is {installed} instead of {version}"
        return
    for module in modules.get(normal(name), []):
        try:
            importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - an import may raise anything
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            yield f"{name} cannot be imported ({reason})"


def modules_by_package() -> dict[str, list[str]]:
    modules: dict[str, list[str]] = {}
    for module, packages in importlib.metadata.packages_distributions().items():
        if module.isidentifier() and not module.startswith("_"):
            for package in set(packages):
                modules.setdefault(normal(package), []).append(module)
    return modules


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(file: str) -> int:
    lines = list(faults(Path(file).read_text(encoding="utf-8").splitlines()))
    sys.stdout.write("".join(f"{fault}\n" for fault in lines))
    return 1 if lines else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))

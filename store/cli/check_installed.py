"""Whether everything in a requirements file is installed, in that version, and can be imported.

`python -I store/cli/check_installed.py FILE` examines the environment of that Python; pip may
report success for another folder. Prints one fault per line; the exit code is 1 if there are any.
Standard library only.
"""

import importlib
import importlib.metadata
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

REQUIREMENT = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:==\s*([^\s;#]+))?")


def faults(lines: Iterable[str]) -> Iterator[str]:
    modules = modules_by_package()
    for match in filter(None, (REQUIREMENT.match(line.strip()) for line in lines)):
        name, version = match.groups()
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{name} is not installed"
            continue
        if version not in (None, installed):
            yield f"{name} is {installed} instead of {version}"
            continue
        for module in modules[normal(name)]:
            try:
                importlib.import_module(module)
            except Exception as error:  # noqa: BLE001 - an import may raise anything
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                yield f"{name} cannot be imported ({reason})"


def modules_by_package() -> defaultdict[str, list[str]]:
    modules = defaultdict(list)
    for module, packages in importlib.metadata.packages_distributions().items():
        if module.isidentifier() and not module.startswith("_"):
            for package in set(packages):
                modules[normal(package)].append(module)
    return modules


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    found = list(faults(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()))
    sys.stdout.write("".join(f"{fault}\n" for fault in found))
    raise SystemExit(bool(found))

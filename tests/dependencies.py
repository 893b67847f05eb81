"""Looks for known vulnerabilities in all that the requirements install.

python -m tests.dependencies [FILE ...]    1: something is known; 0: nothing is, or nobody answers
"""

import json
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FILES = ("requirements.txt", "requirements-dev.txt")
DATABASE = "https://api.osv.dev/v1/query"
IGNORED: dict[str, str] = {}
"""Ids of vulnerabilities that concern nobody here, and why."""


def installed(requirements: Iterable[str]) -> dict[str, str]:
    """The versions of these packages and of all they need, as they are installed here."""
    found: dict[str, str] = {}
    asked, waiting = set[tuple[str, str]](), [Requirement(line) for line in requirements]
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            key = (canonicalize_name(wanted.name), extra)
            if key in asked:
                continue
            asked.add(key)
            try:
                package = distribution(wanted.name)
            except PackageNotFoundError:  # of another system
                continue
            found[key[0]] = package.version
            needs = map(Requirement, package.requires or [])
            waiting += [n for n in needs if n.marker is None or n.marker.evaluate({"extra": extra})]
    return found


def lines(files: Iterable[Path]) -> Iterator[str]:
    """The requirements in these files."""
    for file in files:
        for line in file.read_text("utf-8").splitlines():
            if line and not line.startswith(("-", "#")):
                yield line


def audit(versions: dict[str, str], database: str) -> int:
    """Ask the database about each package, and say what is known."""
    with TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.txt"
        pins.write_text("".join(f"{name}=={versions[name]}\n" for name in sorted(versions)))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--requirement", str(pins)),
                *("--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json"),
                *("--vulnerability-service", "osv", "--osv-url", database),
                *(word for known in IGNORED for word in ("--ignore-vuln", known)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        print(f"Not checked for known vulnerabilities: {said[:200]}")
        return 0
    known = [(package, fault) for package in packages for fault in package.get("vulns", [])]
    for package, fault in known:
        fixed = ", ".join(fault["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {fault['id']}, fixed in {fixed}")
    print(f"{len(versions)} packages checked, {len(known)} known vulnerabilities.")
    return 1 if known else 0


def main() -> int:
    words = ArgumentParser(description=__doc__)
    words.add_argument("files", nargs="*", type=Path, default=[Path(name) for name in FILES])
    words.add_argument("--database", default=DATABASE)
    asked = words.parse_args()
    return audit(installed(lines(asked.files)), asked.database)


if __name__ == "__main__":
    sys.exit(main())

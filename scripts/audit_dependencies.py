"""Looks for known vulnerabilities in all that the requirements install.

python -m scripts.audit_dependencies [FILE ...]

Exit code 1: a vulnerability is known; 0: none is, or the database did not answer.
"""

import json
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FILES = ("requirements.txt", "requirements-dev.txt")
OSV = "https://api.osv.dev/v1/query"
IGNORED: dict[str, str] = {}
"""Ids of vulnerabilities that concern nobody here, and why."""
NOT_OURS = frozenset(["pip"])
"""Comes with Python and is pinned by nobody here; only pip-audit asks for it."""
Package = dict[str, Any]
"""As pip-audit tells it: `name`, and either `version` and `vulns` or a `skip_reason`."""


def installed(requirements: Iterable[str]) -> dict[str, str]:
    """The versions of these packages and of all they need, as they are installed here."""
    found: dict[str, str] = {}
    asked, waiting = set[tuple[str, str]](), [Requirement(line) for line in requirements]
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            key = (canonicalize_name(wanted.name), extra)
            if key in asked or key[0] in NOT_OURS:
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


class NotAnswered(Exception):
    """A database that cannot be asked, or knows nothing of our packages; in its own words."""


def ask(versions: Mapping[str, str], service: Sequence[str]) -> list[Package]:
    """What this service knows of each package.

    Raises:
        NotAnswered
    """
    with TemporaryDirectory() as folder:
        pins = Path(folder) / "pins.txt"
        pins.write_text("".join(f"{name}=={versions[name]}\n" for name in sorted(versions)))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip_audit", "--requirement", str(pins)),
                *("--disable-pip", "--no-deps", "--progress-spinner", "off", "--format", "json"),
                *("--vulnerability-service", *service),
                *(word for known in IGNORED for word in ("--ignore-vuln", known)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        packages: list[Package] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        said = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        raise NotAnswered(said[:200]) from None
    if packages and all("skip_reason" in package for package in packages):
        raise NotAnswered(packages[0]["skip_reason"])
    return packages


def ask_somebody(versions: Mapping[str, str], database: str) -> list[Package]:
    """What OSV knows, or else PyPI, which has the same advisories and is more often in reach.

    PyPI is asked about one package first: a mirror may have packages, and no word about them.

    Raises:
        NotAnswered
    """
    try:
        return ask(versions, ("osv", "--osv-url", database))
    except NotAnswered as unanswered:
        if database != OSV:
            raise
        name, version = next(iter(versions.items()))
        try:
            ask({name: version}, ("pypi",))
        except NotAnswered as too:
            raise NotAnswered(f"OSV: {unanswered} PyPI: {too}") from too
        return ask(versions, ("pypi",))


def judge(packages: Sequence[Package]) -> int:
    """Say what is known of whom, and who is not known at all; 1 where anything is known."""
    checked = [package for package in packages if "skip_reason" not in package]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    known = [(package, fault) for package in checked for fault in package["vulns"]]
    for package, fault in known:
        fixed = ", ".join(fault["fix_versions"]) or "no version yet"
        print(f"{package['name']} {package['version']}: {fault['id']}, fixed in {fixed}")
    unseen = f" Nothing is said about {', '.join(skipped)}." if skipped else ""
    print(f"{len(checked)} packages checked, {len(known)} known vulnerabilities.{unseen}")
    return 1 if known else 0


def main() -> int:
    words = ArgumentParser(description=__doc__)
    words.add_argument("files", nargs="*", type=Path, default=[Path(name) for name in FILES])
    words.add_argument("--database", default=OSV, help="another OSV; PyPI is then not asked")
    asked = words.parse_args()
    try:
        return judge(ask_somebody(installed(lines(asked.files)), asked.database))
    except NotAnswered as unanswered:
        print(f"Not checked for known vulnerabilities: {unanswered}")
        return 0


if __name__ == "__main__":
    sys.exit(main())

"""The audit of dependencies, with a database that knows one vulnerability."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from scripts import audit_dependencies
from scripts.audit_dependencies import (
    FILES,
    OSV,
    NotAnswered,
    Package,
    ask_somebody,
    installed,
    judge,
    lines,
)
from store.core.settings import ROOT

FAULT = {
    "id": "GHSA-0000-0000-0000",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


class Database(BaseHTTPRequestHandler):
    """Knows one fault of jinja2, and none of anything else."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"vulns": [FAULT]} if asked["package"]["name"] == "jinja2" else {}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def database() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Database) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def searched(folder: Path, requirement: str, database: str) -> subprocess.CompletedProcess[str]:
    (folder / "requirements.txt").write_text(f"{requirement}\n")
    return subprocess.run(
        [
            *(sys.executable, "-m", "scripts.audit_dependencies", str(folder / "requirements.txt")),
            *("--database", database),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_known_vulnerability_fails_and_is_named(database: str, tmp_path: Path) -> None:
    found = searched(tmp_path, "jinja2==3.1.6", database)

    assert found.returncode == 1, found.stderr
    assert "GHSA-0000-0000-0000, fixed in 99.0" in found.stdout


def test_without_findings_zero_vulnerabilities_are_reported(database: str, tmp_path: Path) -> None:
    found = searched(tmp_path, "alembic==1.20.1", database)

    assert found.returncode == 0, found.stderr
    assert "0 known vulnerabilities" in found.stdout


def test_an_unreachable_vulnerability_database_is_reported_and_fails_nothing(
    tmp_path: Path,
) -> None:
    found = searched(tmp_path, "alembic==1.20.1", "http://127.0.0.1:1")

    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("Not checked for known vulnerabilities: ")


def test_who_is_not_known_at_all_is_named_and_not_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = {"name": "alembic", "version": "1.20.1", "vulns": []}
    unknown = {"name": "jinja2", "skip_reason": "Dependency not found on PyPI"}

    assert judge([known, unknown]) == 0

    output = capsys.readouterr().out
    assert output.startswith("1 packages checked, 0 known vulnerabilities.")
    assert "Nothing is said about jinja2." in output


def test_when_osv_is_unreachable_pypi_is_queried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, str]] = []

    def answer(versions: Mapping[str, str], service: Sequence[str]) -> list[Package]:
        asked.append((len(versions), service[0]))
        if service[0] == "osv":
            raise NotAnswered
        return [{"name": name, "version": versions[name], "vulns": []} for name in versions]

    monkeypatch.setattr(audit_dependencies, "ask", answer)

    found = ask_somebody({"alembic": "1.20.1", "jinja2": "3.1.6"}, OSV)

    assert [package["name"] for package in found] == ["alembic", "jinja2"]
    assert asked == [(2, "osv"), (1, "pypi"), (2, "pypi")]


def test_transitive_dependencies_are_audited_too() -> None:
    found = installed(lines(ROOT / name for name in FILES))

    assert {"streamlit", "starlette", "uvloop", "pytest"} <= found.keys()
    assert "pip" not in found, "it comes with Python, whichever it is"

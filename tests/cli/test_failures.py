"""Unexpected errors, closed standard streams, and the output of the launcher."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from store.cli import failures, main, virtualenv
from tests.cli.test_host_environment import running
from tests.support import loopback
from tests.support.command_line import ROOT, clean, one_sentence, store
from tests.support.ports import port_flags
from tests.support.waiting import wait_until

BROKEN = """
from store.cli import main
main.COMMANDS["migrate"] = main.Command("breaks", "run")
raise SystemExit(main.main(["migrate"]))
"""


def broken(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BROKEN],
        cwd=ROOT,
        env=clean(DATA_DIR=str(folder), **more),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.scenario("O4")
def test_an_unexpected_error_is_one_sentence_whose_number_finds_the_traceback(
    tmp_path: Path,
) -> None:
    result = broken(tmp_path)

    assert result.returncode == 1
    (sentence,) = result.stderr.splitlines()
    assert "AttributeError" in sentence
    number = sentence.partition("Error ")[2].partition(":")[0]
    log = tmp_path / "store.log"
    assert str(log) in sentence
    assert number in log.read_text()
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_debug_shows_the_traceback_as_well(tmp_path: Path) -> None:
    assert "Traceback" in broken(tmp_path, DEBUG="true").stderr


def test_an_error_is_reported_where_its_log_cannot_be_written(tmp_path: Path) -> None:
    result = broken(tmp_path / "no" / "folder")

    assert result.returncode == 1
    assert "store.log" in result.stderr
    assert "Traceback" not in result.stderr


def test_ctrl_c_is_130_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(virtualenv, "ensure_ready", interrupted)
    monkeypatch.setattr(failures, "repair_streams", lambda: None)

    assert main.main(["migrate"]) == 130
    assert capsys.readouterr().err == "Stopped.\n"


PLAIN_C, LATIN_1 = {"LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}


@pytest.mark.parametrize(
    ("streams", "terminal", "code"),
    [
        (">&-", PLAIN_C, 0),
        ("2>&-", LATIN_1, 0),
        ("<&-", {}, 0),
        ("<&- >&- 2>&-", PLAIN_C, 0),
        (">/dev/full", LATIN_1, 2),
        ("| true", PLAIN_C, 0),
        ("| head -c 1", LATIN_1, 0),
    ],
)
def test_closed_or_full_standard_streams_cause_no_traceback(
    tmp_path: Path, streams: str, terminal: dict[str, str], code: int
) -> None:
    command = f"{shlex.quote(sys.executable)} -m store migrate {streams}"

    result = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=clean(DATA_DIR=str(tmp_path / "dätä"), **terminal),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr


def test_a_question_without_a_terminal_is_answered_in_one_sentence(tmp_path: Path) -> None:
    store("migrate", "--data-dir", str(tmp_path))
    command = f"{shlex.quote(sys.executable)} -m store reset --data-dir {tmp_path} <&-"

    result = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=clean(), capture_output=True, text=True, check=False
    )

    assert result.returncode == 2
    assert "--yes" in result.stderr


def test_a_lock_that_cannot_be_taken_is_not_mistaken_for_a_running_shop(tmp_path: Path) -> None:
    (tmp_path / "running.lock").write_text("no file of ours " * 99)

    said = one_sentence(store("--data-dir", str(tmp_path), *port_flags()))

    assert "Cannot write to the data folder" in said
    assert "already running" not in said


# Log lines.


def test_json_lines_are_all_that_the_terminal_gets_and_visits_add_none(tmp_path: Path) -> None:
    with running(tmp_path, LOG_FORMAT="json", RECONCILE_SECONDS="3600") as shop:
        before = len(shop.said().splitlines())
        for _ in range(10):
            loopback.get(f"http://127.0.0.1:{shop.shop}/")
            loopback.get(f"http://127.0.0.1:{shop.webhook_server}/readyz")
        loopback.post(f"http://127.0.0.1:{shop.webhook_server}/webhooks/stripe/", content=b"{}")
        wait_until(lambda: len(shop.said().splitlines()) > before)
        entries = [json.loads(line) for line in shop.said().splitlines()]

    added = entries[before:]
    assert all({"time", "level", "logger", "message", "program"} <= set(e) for e in entries)
    assert [(e["program"], e["logger"], e["level"]) for e in added] == [
        ("webhook server", "webhook_server", "WARNING")
    ]
    assert any("sign-in#" in entry["message"] for entry in entries)


def test_the_terminal_is_quiet_about_visits(tmp_path: Path) -> None:
    with running(tmp_path, RECONCILE_SECONDS="3600") as shop:
        before = shop.said()
        for _ in range(10):
            loopback.get(f"http://127.0.0.1:{shop.shop}/")
            loopback.get(f"http://127.0.0.1:{shop.webhook_server}/readyz")
        assert shop.said() == before

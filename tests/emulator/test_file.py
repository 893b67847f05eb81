"""The emulator's file is its own: one emulator at a time, and never another program's database."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stripe_emulator.__main__ import main
from stripe_emulator.storage.database import VERSION, Storage
from tests.emulator.test_crash import ROOT, a_process, sdk
from tests.support.ports import free_port


def refused(data: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence with which an emulator does not start on this file."""
    code = main(["--port", str(free_port()), "--data", str(data)])
    said = capsys.readouterr().out
    assert (code, said.count("\n")) == (2, 1), said
    return said


@pytest.mark.scenario("N12")
@pytest.mark.parametrize("named", ["as it is", "by a link"])
def test_a_second_emulator_on_a_file_says_who_has_it_and_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    data, port = tmp_path / "emulator.db", free_port()
    with a_process(data, port) as first:
        sdk(port).v1.products.create({"name": "Tea"})
        if named == "by a link":
            (other := tmp_path / "other.db").symlink_to(data)
            data = other
        said = refused(data, capsys)

        assert f"in use by process {first.pid}, an emulator at http://127.0.0.1:{port}" in said
        assert [product.name for product in sdk(port).v1.products.list().data] == ["Tea"]


@pytest.mark.scenario("N12")
@pytest.mark.skipif(os.name == "nt", reason="killed by a signal")
def test_a_killed_emulator_lets_go_of_its_file(tmp_path: Path) -> None:
    data = tmp_path / "emulator.db"
    with a_process(data, free_port()) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()

    Storage(data).close()


@pytest.mark.scenario("N12")
def test_two_that_start_at_once_are_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stripe_emulator", "--data", str(tmp_path / "emulator.db")]
    started = [
        subprocess.Popen(
            [*command, "--port", str(free_port())], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    lines = [process.stdout.readline() for process in started if process.stdout]
    for process in started:
        process.kill()
        process.communicate()

    assert sorted("in use by process" in line for line in lines) == [False, True], lines


def garbage(file: Path) -> None:
    file.write_text("Bread, milk, and something for the cat. " * 40)


def another_programs(file: Path) -> None:
    with sqlite3.connect(file) as theirs:
        theirs.execute("CREATE TABLE songs (name TEXT)")
        theirs.execute(f"PRAGMA user_version = {VERSION}")
    theirs.close()


def a_folder(file: Path) -> None:
    file.mkdir()


@pytest.mark.scenario("N12")
@pytest.mark.parametrize(
    ("make", "word"),
    [
        (garbage, "file is not a database"),
        (another_programs, "another program's database"),
        (a_folder, "unable to open"),
    ],
)
def test_another_programs_file_is_refused_in_one_sentence_and_left_unchanged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], None], word: str
) -> None:
    make(file := tmp_path / "emulator.db")
    before = file.read_bytes() if file.is_file() else b""

    said = refused(file, capsys)

    assert word in said
    assert "--data" in said
    assert (file.read_bytes() if file.is_file() else b"") == before


def test_a_file_of_another_emulator_version_is_named_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Storage(file := tmp_path / "emulator.db").close()
    with sqlite3.connect(file) as old:
        old.execute(f"PRAGMA user_version = {VERSION + 1}")
    old.close()

    assert "another version of the emulator" in refused(file, capsys)


@pytest.mark.scenario("N8")
@pytest.mark.skipif(os.name == "nt", reason="rights are no bits there")
def test_the_account_can_be_read_by_its_user_only(tmp_path: Path) -> None:
    before = os.umask(0o022)
    storage = Storage(tmp_path / "emulator.db")
    with storage.writing() as connection:
        connection.execute("INSERT INTO settings VALUES ('a', 'b')")
        files = [tmp_path / "emulator.db", tmp_path / "emulator.db-wal"]
        found = [oct(stat.S_IMODE(file.stat().st_mode)) for file in files]
    storage.close()
    os.umask(before)

    assert found == ["0o600", "0o600"]

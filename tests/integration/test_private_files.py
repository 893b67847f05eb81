"""Files that the shop writes are readable by its own user only."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.backoffice import auth
from store.catalog import seeding
from store.core import private_files, settings
from store.core.settings import ROOT
from store.db import engine as db
from tests.support.databases import set_to

pytestmark = pytest.mark.skipif(os.name == "nt", reason="rights are no bits there")


@pytest.fixture
def open_to_all() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def rights(path: Path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))[2:]


def starts(folder: Path) -> None:
    """What a process on its own does first: look for its secrets, and for its database."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATA_DIR", str(folder))
        environment.delenv("ADMIN_PASSWORD", raising=False)
        with set_to(settings.load().database):
            auth.password()
            seeding.migrate()
            with db.unit_of_work():
                found = {file.name: rights(file) for file in folder.iterdir() if file.is_file()}
    assert {name: found[name] for name in ("store.db", "store.db-wal", "admin_password")} == {
        "store.db": "600",
        "store.db-wal": "600",
        "admin_password": "600",
    }


@pytest.mark.scenario("N8")
def test_a_new_data_folder_is_its_users_alone(tmp_path: Path, open_to_all: None) -> None:
    starts(tmp_path / "new" / "shop")

    assert rights(tmp_path / "new" / "shop") == "700"
    assert rights(tmp_path / "new") == "755"


@pytest.mark.scenario("N8")
def test_a_folder_of_an_older_shop_is_closed(tmp_path: Path, open_to_all: None) -> None:
    starts(data := tmp_path / "data")
    data.chmod(0o755)
    (data / "store.db").chmod(0o644)
    (data / "emulator.db").touch(0o644)

    starts(data)

    assert rights(data) == "700"


@pytest.mark.scenario("N8")
def test_a_folder_that_others_use_stays_as_it_is_and_only_our_files_are_closed(
    tmp_path: Path, open_to_all: None
) -> None:
    (shared := tmp_path / "shared").mkdir()
    shared.chmod(0o775)
    (theirs := shared / "minutes.txt").write_text("for everybody")

    starts(shared)

    assert (rights(shared), rights(theirs)) == ("775", "644")


def test_a_folder_made_for_many_users_stays_open(tmp_path: Path) -> None:
    (many := tmp_path / "many").mkdir()
    many.chmod(0o1777)

    private_files.make_folder(many)

    assert rights(many) == "1777"


def test_closing_a_database_ends_no_lock_on_it(tmp_path: Path) -> None:
    """Closing any descriptor of a file would end the locks that this process has on it."""
    file = tmp_path / "store.db"
    with set_to(f"sqlite:///{file.as_posix()}"):
        seeding.migrate()
        with db.unit_of_work():
            private_files.make_database(file)
            other = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=0); "
            other += "c.execute('BEGIN IMMEDIATE')"
            said = subprocess.run(
                [sys.executable, "-c", other, str(file)], capture_output=True, check=False
            )

    assert b"database is locked" in said.stderr


def test_every_file_in_the_data_folder_of_a_shop_is_known_as_ours() -> None:
    names = [
        "store.db-wal",
        "emulator.db.lock",
        "running.lock",
        "webhook-server.pid",
        "sign_in_token",
    ]
    tracked = subprocess.run(
        ["git", "ls-files", "data"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    names += [Path(name).parts[1] for name in tracked]

    assert all(
        any(Path(name).match(pattern) for pattern in private_files.OURS) for name in names
    ), names

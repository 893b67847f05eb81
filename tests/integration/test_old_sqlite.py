"""The oldest SQLite that the shop promises to run on: in words, and on a real one.

Ubuntu 20.04 has SQLite 3.31, and a Python of one's own takes the system's.
"""

import os
import platform
import re
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from store.core.errors import DatabaseUnusable
from store.core.settings import ROOT
from store.db import checks, revision
from stripe_emulator.storage import database
from tests.integration.test_query_plans import catches_up, forgets, operates, sells, shows
from tests.support.shop import ON_SQLITE, Shop

SINCE = {
    "3.32": r"\biif\(",
    "3.33": r"\bUPDATE \S+ SET (?:(?!SELECT|WHERE).)* FROM ",
    "3.34": r"\bsubstring\(",
    "3.35": r"\bRETURNING\b|\bMATERIALIZED\b|\bDROP COLUMN\b",
    "3.37": r"\) STRICT\b",
    "3.38": r"->>|\bunixepoch\(|\bprintf\(|[^.\w]format\('",
    "3.39": r"\b(RIGHT|FULL) (OUTER )?JOIN\b|IS (NOT )?DISTINCT FROM",
    "3.44": r"\bconcat(_ws)?\(|\bstring_agg\(",
}
"""What SQLite learnt after the oldest version that is promised, as it would look in a source."""
POSTGRESQL_ONLY = {"bulk.py", "sales.py", "checks.py", "postgresql.py"}
# The Linux wheel of another project that carries this very version; nothing else of it is used.
WHEEL = "pyproj==2.6.1"
FOR = ("--python-version", "38", "--platform", "manylinux2010_x86_64", "--only-binary", ":all:")


@pytest.mark.scenario("L8")
def test_no_statement_needs_a_newer_sqlite() -> None:
    found = {}
    for file in sorted((ROOT / "store").rglob("*.py")):
        if file.name in POSTGRESQL_ONLY:
            continue
        text = "".join(re.findall(r'"(.*?)"', file.read_text("utf-8"), re.DOTALL))
        for version, words in SINCE.items():
            if match := re.search(words, text):
                found[file.name, version] = match[0]

    assert found == {}


@ON_SQLITE
@pytest.mark.scenario("L8")
@pytest.mark.parametrize("act", [sells, shows, catches_up, forgets, operates])
def test_the_shop_does_all_it_does_on_this_sqlite(shop: Shop, act: Callable[[Shop], None]) -> None:
    act(shop)


@pytest.mark.scenario("L8")
def test_an_older_sqlite_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 30, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.30.1")

    with pytest.raises(DatabaseUnusable) as refusal, create_engine("sqlite://").connect() as here:
        checks.ensure_usable(here)
    with pytest.raises(ValueError, match=r"SQLite 3\.30\.1"):
        database.Storage(tmp_path / "emulator.db")

    assert "SQLite 3.30.1, and the shop needs 3.31.0" in refusal.value.for_operator
    assert not revision.is_current_in(tmp_path / "store.db")
    assert list(tmp_path.iterdir()) == []


if sys.platform == "linux" and platform.machine() == "x86_64":

    @pytest.fixture(scope="module")
    def old_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
        """SQLite 3.31.1 as a shared library, with what it needs beside it."""
        folder = tmp_path_factory.mktemp("wheel")
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *FOR)
        done = subprocess.run(
            [*pip, "--dest", str(folder), WHEEL], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("no old SQLite within reach")
        (wheel,) = folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(folder, [name for name in packed.namelist() if ".libs/" in name])
        (library,) = folder.glob("*.libs/libsqlite3-*")
        return library

    @pytest.mark.scenario("L8")
    def test_the_shop_and_the_emulator_run_on_sqlite_3_31(old_library: Path) -> None:
        """The same tests as above, in a process whose SQLite is that old."""
        environment = os.environ | {
            "LD_PRELOAD": str(old_library),
            "LD_LIBRARY_PATH": str(old_library.parent),
        }
        version = "import sqlite3; print(sqlite3.sqlite_version)"
        finished = subprocess.run(
            [sys.executable, "-c", version],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        acts = f"{__file__}::{test_the_shop_does_all_it_does_on_this_sqlite.__name__}"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", acts],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

        assert finished.stdout == "3.31.1\n", finished.stderr
        assert done.returncode == 0, done.stdout

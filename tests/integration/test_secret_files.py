"""Generated secrets: one for all processes, complete, private and on disk."""

import errno
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from store.backoffice import auth
from store.core import secret_files, settings
from store.core.errors import SettingsError
from store.core.secret_files import read_or_create_secret
from tests.support.shop import at_once

UNUSABLE = {
    "empty": b"",
    "blank": b" \n\t\n",
    "short": b"whsec_abc",
    "prefix": b"whsec_",
    "zeros": bytes(43),
    "garbage": b"\xff\xfe\x00w\x00h",
    "half": b"whsec_0123456789abcdef012345678901234",
    "other": b"a-secret-of-another-kind-0123456789abcdefghijk",
    "sentence": b"whsec_this is not a secret of ours at all, but long",
}
ANOTHER_PROCESS = (
    "import sys, pathlib; from store.core.secret_files import read_or_create_secret;"
    "print(read_or_create_secret(pathlib.Path(sys.argv[1]), 'whsec_'))"
)
HOLDER = (
    "import sys, pathlib; from store.core.file_lock import acquire;"
    "lock = acquire(pathlib.Path(sys.argv[1]), wait_seconds=0); print('held', flush=True);"
    "sys.stdin.read()"
)


def in_processes(count: int, path: Path) -> list[str]:
    """What as many processes at once return for the secret in `path`."""
    command = [sys.executable, "-c", ANOTHER_PROCESS, str(path)]
    started = [
        subprocess.Popen(command, cwd=settings.ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    return [process.communicate(timeout=60)[0].strip() for process in started]


@pytest.mark.scenario("D3", "E7")
def test_processes_that_make_a_secret_at_once_end_up_with_one(tmp_path: Path) -> None:
    path = tmp_path / "fresh" / "webhook_secret"

    made = at_once(16, lambda _: read_or_create_secret(path, "whsec_"))

    assert len(set(made)) == 1
    assert made[0].startswith("whsec_")
    assert len(made[0]) > 40
    assert {file.name for file in path.parent.iterdir()} == {"webhook_secret", "secrets.lock"}
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.scenario("P2")
@pytest.mark.parametrize("content", UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_secret_is_replaced_once(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "webhook_secret"
    path.write_bytes(content)

    made = at_once(8, lambda _: read_or_create_secret(path, "whsec_"))

    assert len(set(made)) == 1
    assert secret_files.MADE.fullmatch(made[0].removeprefix("whsec_"))
    assert path.read_text() == made[0] == read_or_create_secret(path, "whsec_")


@pytest.mark.scenario("P2")
def test_several_processes_agree_on_the_one_that_replaces_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "webhook_secret"
    path.touch()

    made = in_processes(4, path)

    assert set(made) == {path.read_text()}
    assert made[0].startswith("whsec_")


@pytest.mark.scenario("P2")
def test_an_empty_password_never_signs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("ADMIN_PASSWORD", raising=False)
    settings.current.cache_clear()
    (tmp_path / "admin_password").touch()

    for guess in ("", " ", "\n"):
        with pytest.raises(auth.WrongPassword):
            auth.OperatorSessions().sign_in(guess, "", "192.0.2.1")
    auth.OperatorSessions().sign_in((tmp_path / "admin_password").read_text(), "", "192.0.2.1")
    settings.current.cache_clear()


def test_an_existing_secret_is_used_with_a_line_end_and_read_only(tmp_path: Path) -> None:
    path = tmp_path / "admin_password"
    made = read_or_create_secret(path)
    path.write_text(f"{made}\r\n")
    tmp_path.chmod(0o500)

    assert read_or_create_secret(path) == made

    tmp_path.chmod(0o700)


@pytest.mark.scenario("N7")
def test_a_disk_without_hard_links_keeps_secrets_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_arguments: Any, **_options: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)

    made = at_once(8, lambda _: read_or_create_secret(tmp_path / "webhook_secret", "whsec_"))

    assert len(set(made)) == 1


@pytest.fixture
def no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What SQLite reports on a disk without locks: that another process holds it."""
    monkeypatch.setattr(secret_files, "LOCK_SECONDS", 0.05)
    with closing(sqlite3.connect(tmp_path / "secrets.lock", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.scenario("N7")
def test_a_disk_without_locks_keeps_one_secret_too(tmp_path: Path, no_locks: None) -> None:
    path = tmp_path / "webhook_secret"

    made = at_once(8, lambda _: secret_files._create_first(path, "whsec_"))

    assert {read_or_create_secret(path, "whsec_")} == set(made)
    assert len(made[0]) > 40
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_disk_without_locks_where_nothing_can_be_made_is_one_sentence(
    tmp_path: Path, no_locks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(secret_files, "_read", lambda *_: None)
    monkeypatch.setattr(secret_files, "_create_first", refuse)

    with pytest.raises(SettingsError, match=r"Cannot keep a secret in .* \(Permission denied\)\."):
        read_or_create_secret(tmp_path / "webhook_secret")


def test_an_unusable_secret_on_a_disk_without_locks_is_one_sentence(
    tmp_path: Path, no_locks: None
) -> None:
    (tmp_path / "webhook_secret").write_text("short")

    with pytest.raises(SettingsError, match=r"webhook_secret holds no usable secret; delete it"):
        read_or_create_secret(tmp_path / "webhook_secret")


@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
def test_a_start_that_was_killed_while_it_held_the_lock_holds_up_no_other(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "secrets.lock")],
        cwd=settings.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout
    holder.stdout.readline()
    holder.kill()
    holder.communicate(timeout=60)

    began = time.monotonic()

    assert len(read_or_create_secret(tmp_path / "webhook_secret")) > 40
    assert time.monotonic() - began < secret_files.LOCK_SECONDS / 2


def test_a_second_thread_does_not_release_the_lock_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    creating, finish = threading.Event(), threading.Event()
    create = secret_files._create

    def slow(path: Path, prefix: str) -> str:
        creating.set()
        finish.wait(30)
        return create(path, prefix)

    monkeypatch.setattr(secret_files, "_create", slow)
    with ThreadPoolExecutor() as pool:
        made = [pool.submit(read_or_create_secret, tmp_path / "admin_password")]
        assert creating.wait(30)
        made += [pool.submit(read_or_create_secret, tmp_path / "admin_password")]
        time.sleep(0.3)  # for the second thread to come to the lock
        other = [sys.executable, "-c", HOLDER, str(tmp_path / "secrets.lock")]
        refused = subprocess.run(
            other, cwd=settings.ROOT, input="", capture_output=True, text=True, check=False
        )
        finish.set()

    assert "TimeoutError" in refused.stderr
    assert len({secret.result() for secret in made}) == 1


@pytest.mark.scenario("P2")
@pytest.mark.skipif(os.name != "posix", reason="folders are opened")
def test_a_secret_and_its_name_are_on_disk_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "webhook_secret"
    synced: list[tuple[bool, bool]] = []

    def sync(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append((folder, path.exists()))

    monkeypatch.setattr(os, "fsync", sync)

    read_or_create_secret(path)

    assert synced == [(False, False), (True, True)]


@pytest.mark.parametrize("line", ["os.fsync", "pathlib.Path.replace"])
def test_a_start_that_ends_half_way_leaves_no_half_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    def ended(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(line, ended)
        with pytest.raises(KeyboardInterrupt):
            read_or_create_secret(tmp_path / "webhook_secret")

    assert [file.name for file in tmp_path.iterdir()] == ["secrets.lock"]
    assert len(read_or_create_secret(tmp_path / "webhook_secret")) > 40


def folders_that_refuse(tmp_path: Path) -> Iterable[Path]:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    yield tmp_path / "file" / "below"
    yield tmp_path / "folder"


def test_a_secret_that_cannot_be_kept_is_one_sentence(tmp_path: Path) -> None:
    for path in folders_that_refuse(tmp_path):
        with pytest.raises(SettingsError, match=r"^Cannot keep a secret in .*\.$"):
            read_or_create_secret(path)

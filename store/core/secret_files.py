"""Secrets that the shop generates, one file each in the data folder."""

import logging
import os
import re
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from store.core import private_files
from store.core.errors import SettingsError

if sys.platform != "win32":
    import fcntl

log = logging.getLogger(__name__)

STALE_SECONDS = 5.0
MADE = re.compile(r"[A-Za-z0-9_-]{32,}")
"""A complete secret after its prefix."""


def read_or_create_secret(path: Path, prefix: str = "") -> str:
    """The secret in `path`; a missing, blank, short or invalid one is generated anew.

    Concurrent processes get the same one: it is written under a lock, atomically, and is on disk
    before it is returned. A process killed before the rename leaves only a temporary file.

    Raises:
        SettingsError: the file cannot be read, or not written where it has to be.
    """
    try:
        if (secret := _read(path, prefix)) is not None:
            return secret
        private_files.make_folder(path.parent)
        with _locked(path.parent):
            return _read(path, prefix) or _create(path, prefix)
    except OSError as error:
        raise SettingsError(f"Cannot keep a secret in {path} ({error.strerror}).") from None


def _read(path: Path, prefix: str) -> str | None:
    """The secret; None if the file is missing or not a complete secret."""
    try:
        text = path.read_bytes().decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    if text.startswith(prefix) and MADE.fullmatch(text.removeprefix(prefix)):
        return text
    return None


def _create(path: Path, prefix: str) -> str:
    if path.exists():
        log.warning("%s held no usable secret; a new one was made.", path)
    secret = prefix + secrets.token_urlsafe(32)
    with private_files.written_whole(path) as draft:
        draft.write_text(secret, "ascii")
    return secret


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the operating system releases if this process dies."""
    if sys.platform != "win32":
        with private_files.opened(folder) as descriptor, ExitStack() as stack:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError:  # some network disks have none for folders
                stack.enter_context(_lock_file(folder))
            yield
    else:
        with _lock_file(folder):
            yield


@contextmanager
def _lock_file(folder: Path) -> Iterator[None]:
    """A lock by a file that only one process can create, where folders cannot be locked.

    It is held for milliseconds; one that is seconds old was left by a killed process.
    """
    lock = folder / "secrets.lock"
    while True:
        try:
            os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            break
        except FileExistsError:
            with suppress(FileNotFoundError):
                if abs(time.time() - lock.stat().st_mtime) > STALE_SECONDS:
                    lock.unlink()
            time.sleep(0.01)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)

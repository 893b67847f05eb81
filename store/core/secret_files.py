"""Secrets that the shop generates, one file each in the data folder."""

import logging
import os
import re
import secrets
import threading
import time
from contextlib import suppress
from pathlib import Path

from store.core import private_files
from store.core.errors import SettingsError

log = logging.getLogger(__name__)

LOCK_SECONDS = 10.0  # it is held for milliseconds
WRITING_SECONDS = 0.2  # for another process to write what it has created
ONE_THREAD = threading.Lock()
"""Held by the thread of this process that acquires the lock between processes."""
MADE = re.compile(r"[A-Za-z0-9_-]{32,}")
"""A complete secret after its prefix."""


def read_or_create_secret(path: Path, prefix: str = "") -> str:
    """The secret in `path`; a missing, blank, short or invalid one is generated anew.

    Concurrent processes get the same one: it is written under a lock, atomically, and is on disk
    before it is returned. A process killed before the rename leaves only a temporary file; on a
    disk without locks, it may leave an empty file, which the next start names in its sentence.

    Raises:
        SettingsError: the file cannot be read, or not written where it has to be.
    """
    try:
        if (secret := _read(path, prefix)) is not None:
            return secret
        from store.core.file_lock import acquire  # noqa: PLC0415 - few starts need SQLite so early

        private_files.make_folder(path.parent)
        try:
            with ONE_THREAD, acquire(path.with_name("secrets.lock"), wait_seconds=LOCK_SECONDS):
                return _read(path, prefix) or _create(path, prefix)
        except TimeoutError:
            return _read(path, prefix) or _create_first(path, prefix)
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


def _create_first(path: Path, prefix: str) -> str:
    """On a disk without locks, the process that creates the file decides; the others read it."""
    secret = prefix + secrets.token_urlsafe(32)
    with suppress(FileExistsError):
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        private_files.sync_names(path.parent)
        return secret
    time.sleep(WRITING_SECONDS)
    if (made := _read(path, prefix)) is None:
        raise SettingsError(f"{path} holds no usable secret; delete it, and one is made anew.")
    return made

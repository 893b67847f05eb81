"""Files and folders that only their owner may read, because orders contain email addresses.

A new folder is private. An existing one is made private if it belongs to this user and is the
project's own, or contains only files of the shop; in any other folder only our files are.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "data"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
OURS = (
    *("store.db*", "emulator.db*", "*.lock", "webhook-server.pid", "store.log*", ".git*"),
    *("admin_password*", "webhook_secret*", "sign_in_token*", "pictures", "rehearsal.json"),
    *("products.toml", "shop.toml", "images"),
)
"""Names of the shop's files in a data folder, as patterns."""
SIDE_FILES = ("-wal", "-shm", "-journal")
"""Suffixes of the files that SQLite keeps beside a database."""


def make_folder(path: Path) -> None:
    """Create a private folder, or make an existing one of ours private."""
    if path.is_dir():
        if _is_ours_alone(path):
            close(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)


def _is_ours_alone(folder: Path) -> bool:
    if folder.resolve() == DATA:
        return True
    if folder.stat().st_mode & stat.S_ISVTX:  # shared by many users, as /tmp is
        return False
    try:
        names = [file.name for file in folder.iterdir()]
    except OSError:
        return False
    return all(any(fnmatch(name, pattern) for pattern in OURS) for name in names)


def make_database(path: Path) -> None:
    """Create an empty private file for a SQLite database, or make an existing one private.

    An existing file is not opened, because closing it would release this process's locks on it.
    SQLite gives its side files the same permissions. SQLite itself reports if it cannot be created.
    """
    with suppress(OSError):
        if not path.exists():
            path.touch(0o600, exist_ok=False)
    for end in ("", *SIDE_FILES):
        close(path.with_name(path.name + end))


def close(path: Path) -> None:
    """Remove the permissions of everybody but the owner, if this user is the owner."""
    if os.name == "nt":  # has no permission bits; a user's profile is private anyway
        return
    with suppress(OSError):
        status = path.stat()
        if status.st_mode & OTHERS and status.st_uid == os.geteuid():
            path.chmod(stat.S_IMODE(status.st_mode) & ~OTHERS)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary file to write to, which replaces `path` when the block ends.

    Its content and name are on disk then. If interrupted, `path` keeps its old content. Anything
    but a regular file, such as /dev/stdout, is written to directly.
    """
    is_device = path.absolute().parts[1:2] in (("dev",), ("proc",))
    if is_device or (path.exists() and not path.is_file()):
        yield path
        return
    path = path.resolve()  # a link stays one
    descriptor, name = tempfile.mkstemp(".part", f"{path.name[:100]}.", path.parent)
    os.close(descriptor)
    draft = Path(name)
    try:
        yield draft
        with draft.open("r+b") as file:
            os.fsync(file.fileno())
        draft.replace(path)
        sync_names(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def sync_names(folder: Path) -> None:
    """Put the names in a folder on disk, where the system opens folders; Windows does not."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""Files and folders that only their owner may read: orders hold e-mail addresses.

A folder is made for its owner alone. An existing one is closed to others where it is this user's
and the project's own, or holds nothing but what the shop puts there; in any other folder only our
files are closed.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "data"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
OURS = (
    *("store.db*", "emulator.db*", "*.lock", "webhook-server.pid", "store.log*", ".git*"),
    *("admin_password*", "webhook_secret*", "sign_in_token*", "pictures"),
    "rehearsal.json",
    *("products.toml", "shop.toml", "images"),
)
"""What may lie in a data folder, as patterns of names."""
SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, by the ends of their names."""


def make_folder(path: Path) -> None:
    """
    Raises:
        OSError: there is no such folder, and it cannot be made.
    """
    if path.is_dir():
        if _is_ours_alone(path):
            close(path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)


def _is_ours_alone(folder: Path) -> bool:
    if folder.resolve() == DATA:
        return True
    if folder.stat().st_mode & stat.S_ISVTX:  # made for many users, as /tmp is
        return False
    try:
        names = [file.name for file in folder.iterdir()]
    except OSError:
        return False
    return all(any(fnmatch(name, pattern) for pattern in OURS) for name in names)


def make_database(path: Path) -> None:
    """Let a SQLite database begin as a file of its owner's; close one that is open to others.

    An existing file is not opened: closing it would end the locks that this process has on it.
    What SQLite makes beside it has the same rights. Where it cannot be made, SQLite says why.
    """
    if not path.exists():
        with suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    for end in ("", *SIDE_FILES):
        close(path.with_name(path.name + end))


def close(path: Path) -> None:
    """Take all rights from everybody but the owner, where this user may decide that."""
    if os.name == "nt":  # rights there are not bits; a profile is its user's alone
        return
    with suppress(OSError):
        found = path.stat()
        if found.st_mode & OTHERS and found.st_uid == os.geteuid():
            path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A draft to write to, beside `path`, which it replaces once the block has come to its end.

    Interrupted anywhere, nothing half written lies under the name, and what lay there still does.
    What is no file, such as /dev/stdout, is written to as it is.

    Raises:
        OSError: it cannot be written.
    """
    is_device = path.absolute().parts[1:2] in (("dev",), ("proc",))
    if is_device or (path.exists() and not path.is_file()):
        yield path
        return
    path = path.resolve()  # a link stays one
    draft = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield draft
        with draft.open("r+b") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)

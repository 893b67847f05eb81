"""What nobody expected, as one sentence with a number that finds the traceback in `store.log`.

Standard library only: it must work where anything else is broken.
"""

import os
import secrets
import sys
import tempfile
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from store.cli.virtualenv import ROOT
from store.core.errors import StoreError

LOG = "store.log"


class CannotPrint(StoreError):
    """Standard output takes nothing, because of a full disk for instance."""


def repair_streams() -> None:
    """Give the process standard streams that can be used, whatever it was started with.

    A closed descriptor would be given to the next file that is opened, a database for instance,
    and then be printed into. Text is written as UTF-8 wherever it goes.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    sys.stdin = sys.stdin or open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if stream.encoding != "utf-8":
            stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]


def say(sentence: str) -> None:
    """One line on standard error; nobody may be there to read it."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()


def flush() -> None:
    """Write out what was printed, while an error can still be answered.

    Raises:
        BrokenPipeError: the reader has left.
        CannotPrint: it cannot be written for another reason.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        stop_printing(sys.stdout)
        raise CannotPrint(
            f"The output cannot be written ({error.strerror}); the work itself was done."
        ) from None


def stop_printing(*streams: TextIO) -> None:
    """Let nothing complain when Python flushes what nobody can read at its end."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in streams or (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(null, stream.fileno())


def report(error: BaseException) -> int:
    """Write the traceback to a log and one sentence to standard error; returns the exit code."""
    incident = secrets.token_hex(4)
    lines = "".join(traceback.format_exception(error))
    entry = f"{datetime.now(UTC).isoformat()} error {incident}\n{lines}\n"
    where = next(filter(None, (appended(file, entry) for file in log_files())), None)
    said = (str(error).strip().splitlines() or [""])[0][:200]
    what = f"{type(error).__name__}{': ' if said else ''}{said}"
    found = f"the details are under that number in {where}" if where else "it could not be logged"
    say(f"Something unexpected went wrong ({what}). Error {incident}: {found}.")
    if os.environ.get("DEBUG", "").lower() in ("1", "true", "yes", "on"):
        say(lines)
    return 1


def log_files() -> list[Path]:
    folder = os.environ.get("DATA_DIR", "").strip()
    named = [Path(folder) / LOG] if folder else []
    return [*named, ROOT / "data" / LOG, Path(tempfile.gettempdir()) / LOG]


def appended(file: Path, entry: str) -> Path | None:
    """The file, if the entry could be written to it; readable by its owner only."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(entry)
    except OSError:
        return None
    return file

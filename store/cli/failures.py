"""Unexpected errors as one sentence, with a number under which `store.log` has the traceback.

Standard library only: it must work when anything else is broken.
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
    """Standard output cannot be written, because of a full disk for instance."""


def repair_streams() -> None:
    """Make standard input, output and error usable, also if the process was started without them.

    The next file that is opened, a database for instance, would otherwise get the closed descriptor
    and be printed into. Text is written as UTF-8.
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


def print_error(sentence: str) -> None:
    """Print one line on standard error, which may be closed."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()


def flush() -> None:
    """Flush standard output while an error can still be reported.

    Raises:
        BrokenPipeError: nothing reads the pipe any more.
        CannotPrint: it cannot be written for another reason.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        stop_printing(sys.stdout)
        sentence = f"The output cannot be written ({error.strerror}); the work itself was done."
        raise CannotPrint(sentence) from None


def stop_printing(*streams: TextIO) -> None:
    """Redirect the streams to nowhere, so that Python's flush at exit cannot fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in streams or (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            os.dup2(null, stream.fileno())


def report(error: BaseException) -> int:
    """Write the traceback to a log and one sentence to standard error; returns the exit code."""
    incident = secrets.token_hex(4)
    lines = "".join(traceback.format_exception(error))
    entry = f"{datetime.now(UTC).isoformat()} error {incident}\n{lines}\n"
    where = logged(entry)
    first_line = (str(error).strip().splitlines() or [""])[0][:200]
    what = f"{type(error).__name__}{': ' if first_line else ''}{first_line}"
    details = f"the details are under that number in {where}" if where else "it could not be logged"
    print_error(f"Something unexpected went wrong ({what}). Error {incident}: {details}.")
    if os.environ.get("DEBUG", "").lower() in ("1", "true", "yes", "on"):
        print_error(lines)
    return 1


def logged(entry: str) -> Path | None:
    """The first log that could be written, readable by its owner only; None if none could."""
    for folder in (os.environ.get("DATA_DIR", "").strip(), ROOT / "data", tempfile.gettempdir()):
        with suppress(OSError):
            file = Path(folder or ROOT / "data", LOG)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(entry)
            return file
    return None

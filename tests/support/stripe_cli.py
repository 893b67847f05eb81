"""The official Stripe CLI, unchanged, installed once from npm; skipped where that cannot be done.

Its program comes in a platform package, so no install script has to run.
"""

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

VERSION = "1.52.0"
KEY = "sk_test_emulator0123456789"
FOLDER = Path(tempfile.gettempdir()) / f"stripe-cli-{VERSION}-of-{os.getuid()}"
INSTALL = ("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")


def program() -> Path:
    """The CLI's file. Skips the test where there is no npm, or no network for it."""
    found = list(FOLDER.glob("node_modules/@stripe/cli-*/bin/stripe"))
    if not found:
        if shutil.which("npm") is None:
            pytest.skip("no npm here")
        _install()
        found = list(FOLDER.glob("node_modules/@stripe/cli-*/bin/stripe"))
    return found[0]


def _install() -> None:
    """Beside the final folder, then moved there whole: several processes may do this at once."""
    made = Path(tempfile.mkdtemp(prefix="stripe-cli-"))
    command = [*INSTALL, "--prefix", str(made), f"@stripe/cli@{VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        shutil.rmtree(made, ignore_errors=True)
        pytest.skip(f"npm could not install the Stripe CLI: {done.stderr[-500:]}")
    try:
        made.rename(FOLDER)
    except OSError:  # another process was faster
        shutil.rmtree(made, ignore_errors=True)


class StripeCli:
    """The CLI in front of one emulator, with a configuration folder of its own."""

    def __init__(self, address: str, folder: Path) -> None:
        self.file = program()
        self.options = ["--api-base", address, "--api-key", KEY]
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
            "NO_PROXY": "127.0.0.1",
        }

    def run(self, *words: str) -> str:
        """One command that ends by itself; what it said."""
        done = subprocess.run(
            [str(self.file), *words, *self.options],
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environment,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"stripe {' '.join(words)}: {said}"
        return said

    def secret(self) -> str:
        """What `listen` signs with."""
        return self.run("listen", "--print-secret", "--all-snapshot").strip()

    @contextmanager
    def running(self, *words: str, ready: str = "Ready!") -> "Iterator[Output]":
        """A command that goes on; from when it says that it is ready until the block ends."""
        process = subprocess.Popen(
            [str(self.file), *words, *self.options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
        )
        output = Output(process)
        try:
            output.wait_for(ready)
            yield output
        finally:
            process.terminate()
            process.wait()
            output.close()


class Output:
    """What a running command has said so far."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.text = ""
        self._process = process
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.text += line.decode(errors="replace")

    def wait_for(self, pattern: str, seconds: float = 40) -> "re.Match[str]":
        """The first place where it says this; fails when it ends, or does not say it in time."""
        until = time.monotonic() + seconds
        while (found := re.search(pattern, self.text)) is None:
            assert self._process.poll() is None, f"it ended: {self.text}"
            assert time.monotonic() < until, f"no {pattern!r} in: {self.text}"
            time.sleep(0.02)
        return found

    def close(self) -> None:
        """Read the rest."""
        self._thread.join()
        assert self._process.stdout
        self._process.stdout.close()

"""The official Stripe CLI, unchanged, in front of an emulator."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import foreign_packages
from tests.support.waiting import wait_until

PACKAGE = "@stripe/cli@1.52.0"
KEY = "sk_test_emulator0123456789"


def program() -> Path:
    """The CLI's file. Its program comes in a platform package; no install script has to run."""
    (found,) = foreign_packages.from_npm(PACKAGE).glob("@stripe/cli-*/bin/stripe*")
    return found


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
        wait_until(
            lambda: re.search(pattern, self.text),
            seconds,
            process=self._process,
            said=lambda: f"no {pattern!r} in: {self.text}",
        )
        found = re.search(pattern, self.text)
        assert found
        return found

    def close(self) -> None:
        """Read the rest."""
        self._thread.join()
        assert self._process.stdout
        self._process.stdout.close()

"""The Python that forks the shop's processes for other tests."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.preloaded_python import CAN_FORK, PreloadedPython

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="forks on Linux only")
SLEEP = ("-n1", "-r1", "import time; time.sleep({seconds})")


def test_many_forks_that_end_at_any_moment_leave_it_running(tmp_path: Path) -> None:
    python, files = PreloadedPython("json", os.environ), [os.devnull, str(tmp_path / "output")]

    def start_and_end(place: int) -> int:
        words = [*SLEEP[:2], SLEEP[2].format(seconds=place % 7 / 200)]
        process = python.start("timeit", words, os.environ, [*files, files[1]])
        if place % 2:
            process.kill()
        return process.wait(20)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(start_and_end, range(400))) == [0] * 400
    assert python.process.poll() is None
    python.close()


def test_a_running_fork_has_no_exit_code_and_a_killed_one_has(tmp_path: Path) -> None:
    python, output = PreloadedPython("json", os.environ), str(tmp_path / "output")
    words = [*SLEEP[:2], SLEEP[2].format(seconds=60)]

    process = python.start("timeit", words, os.environ, [os.devnull, output, output])

    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)
    process.kill()
    assert process.wait(20) == process.poll() == 0
    python.close()

"""What a start checks before any process begins; each refusal is one sentence."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import ROOT, one_sentence, running_with, store
from tests.support.ports import free_port, port_flags


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.mark.parametrize("flag", ["--port", "--webhook-port", "--emulator-port"])
def test_a_port_in_use_is_named_with_the_flag_that_changes_it(
    taken_port: int, flag: str, tmp_path: Path
) -> None:
    said = one_sentence(store(flag, str(taken_port), DATA_DIR=str(tmp_path)))

    assert f"Port {taken_port} is in use" in said
    assert said.endswith(f"{flag}.\n")


def test_two_processes_cannot_have_the_same_port(tmp_path: Path) -> None:
    port = str(free_port())

    said = one_sentence(store("--port", port, "--webhook-port", port, DATA_DIR=str(tmp_path)))

    assert f"--port and --webhook-port are both {port}" in said
    assert running_with(port) == []


def test_a_live_key_is_refused_and_never_printed(tmp_path: Path) -> None:
    result = store(DATA_DIR=str(tmp_path), STRIPE_SECRET_KEY="sk_live_51abcdefghijklmnop")

    assert "STRIPE_SECRET_KEY is a live key" in one_sentence(result)
    assert "51abcdef" not in result.stdout + result.stderr


def test_an_unreachable_database_is_one_sentence_without_its_password(tmp_path: Path) -> None:
    result = store(
        "migrate",
        DATA_DIR=str(tmp_path),
        DATABASE_URL="postgresql://clerk:tops3cret@127.0.0.1:1/shop?sslpassword=tops3cret",
    )

    assert "The database shop at 127.0.0.1:1 cannot be used" in one_sentence(result)
    assert "tops3cret" not in result.stdout + result.stderr


def test_a_data_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    said = one_sentence(store("--data-dir", str(tmp_path / "file" / "data"), *port_flags()))

    assert "DATA_DIR names a file" in said


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder where nobody may write")
def test_a_data_folder_that_cannot_be_written_is_one_sentence() -> None:
    said = one_sentence(store("--data-dir", "/proc/shop", *port_flags()))

    assert "Cannot write to the data folder" in said


def test_a_second_shop_in_the_same_data_folder_is_refused(tmp_path: Path) -> None:
    store("migrate", "--data-dir", str(tmp_path))
    holder = "from store.cli import preflight; from pathlib import Path; import sys\n"
    holder += (
        "with preflight.lock_data_folder(Path(sys.argv[1])): print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", holder, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"

        refused = one_sentence(store("--data-dir", str(tmp_path), *port_flags()))

        first.kill()
    assert "A shop is already running in" in refused
    assert store("reset", "--yes", "--data-dir", str(tmp_path)).returncode == 0

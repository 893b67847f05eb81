"""`kill -9` at any moment: what was answered is kept, what was owed is delivered."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import stripe

from stripe_emulator.__main__ import main
from tests.support.emulator import KEY, session_params
from tests.support.ports import free_port
from tests.support.waiting import wait_for_port
from tests.support.webhook_receiver import SECRET, Receiver

ROOT = Path(__file__).parents[2]


@contextmanager
def a_process(data: Path, port: int, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The emulator as a person starts it."""
    command = [sys.executable, "-m", "stripe_emulator", "--port", str(port), "--data", str(data)]
    process = subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield process
    finally:
        process.kill()
        process.wait(10)


def sdk(port: int) -> stripe.StripeClient:
    return stripe.StripeClient(KEY, base_addresses={"api": f"http://127.0.0.1:{port}"})


def pay(port: int, session_id: str) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/emulator/sessions/{session_id}/pay",
        b"{}",
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=15).close()


def test_a_killed_emulator_has_lost_nothing_and_delivers_what_it_owed(
    tmp_path: Path, receiver: Receiver
) -> None:
    data, port = tmp_path / "emulator.db", free_port()
    webhook = ("--webhook", receiver.url, "--secret", SECRET, "--retries", "eager")
    receiver.answer = lambda _: (500, 0)
    with a_process(data, port, *webhook) as process:
        created = sdk(port).v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
        pay(port, created.id)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    receiver.clear()

    with a_process(data, port, *webhook):
        client = sdk(port)
        again = client.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
        (arrived,) = receiver.wait_for("checkout.session.completed", seconds=10)
        session = client.v1.checkout.sessions.retrieve(created.id)
        stored = [event.id for event in client.v1.events.list().data]

    assert again.last_response is not None
    assert created.last_response is not None
    assert again.last_response.body == created.last_response.body
    assert (session.status, session.payment_status) == ("complete", "paid")
    assert arrived.genuine()
    assert arrived.event["id"] in stored


def test_sigterm_stops_the_emulator_at_once(tmp_path: Path) -> None:
    port = free_port()
    with a_process(tmp_path / "emulator.db", port) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(8) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "loopback only"),
        (["--webhook", "http://example.com/hook"], "this machine only"),
        (["--port", "{taken}"], "in use"),
        (["--port", "65536"], "port must be 0-65535"),
    ],
)
def test_it_says_in_one_sentence_why_it_cannot_start(arguments: list[str], words: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        taken, free = str(owner.getsockname()[1]), str(free_port())
        given = [argument.format(taken=taken) for argument in arguments]
        command = [sys.executable, "-m", "stripe_emulator", "--data", ":memory:", "--port", free]
        refused = subprocess.run(
            [*command, *given], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
        )

    assert (refused.returncode, refused.stderr) == (2, "")
    assert words in refused.stdout.lower()


@pytest.mark.parametrize("wrong", [["--log-level", "loud"], ["--retries", "never"]])
def test_an_unknown_option_value_is_answered_with_the_allowed_ones(
    capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(wrong)

    assert ended.value.code == 2
    assert "choose from" in capsys.readouterr().err


@pytest.mark.parametrize("clients", [8])
def test_many_requests_with_one_key_make_one_session(
    tmp_path: Path, receiver: Receiver, clients: int
) -> None:
    port = free_port()
    with a_process(tmp_path / "emulator.db", port), ThreadPoolExecutor(clients) as pool:

        def create(_: int) -> str:
            client = stripe.StripeClient(
                KEY,
                base_addresses={"api": f"http://127.0.0.1:{port}"},
                max_network_retries=5,
            )
            return client.v1.checkout.sessions.create(
                session_params(), {"idempotency_key": "one"}
            ).id

        ids = set(pool.map(create, range(clients)))
        listed = sdk(port).v1.checkout.sessions.list().data

    assert [session.id for session in listed] == list(ids)


def test_a_file_of_another_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "emulator.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE objects (id TEXT)")
    connection.close()
    command = [sys.executable, "-m", "stripe_emulator", "--data", str(file)]

    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (refused.returncode, refused.stderr) == (2, "")
    assert "another version" in refused.stdout

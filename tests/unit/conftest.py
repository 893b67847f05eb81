"""Unit tests: pure rules. A connection, a database or a process is refused."""

import socket
import sqlite3.dbapi2
import subprocess
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest


def refuse(*_arguments: Any, **_options: Any) -> NoReturn:
    raise AssertionError(
        "A unit test needs no server, database or process; with one it is an integration test."
    )


@pytest.fixture(autouse=True, scope="module")
def nothing_outside() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (socket.socket, "connect"),
            (socket.socket, "bind"),
            (subprocess.Popen, "__init__"),
            (sqlite3.dbapi2, "connect"),
        ):
            patch.setattr(owner, name, refuse)
        yield

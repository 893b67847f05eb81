"""A real PgBouncer, with the settings that it comes with."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from tests.support.ports import free_port

CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
query_wait_timeout = 10
max_client_conn = 200
"""


def program() -> str:
    path = os.environ.get("PATH", "")
    found = shutil.which("pgbouncer", path=f"{path}{os.pathsep}/usr/sbin")
    if found is None:
        pytest.skip("no PgBouncer here")
    return found


@contextmanager
def pooled(server: str, mode: str) -> Iterator[URL]:
    """The URL of a pooler in front of this server; it takes no database yet."""
    behind = make_url(server)
    host = str(behind.query["host"])
    owner = Path(host).stat().st_uid if os.getuid() == 0 else None  # it refuses to run as root
    listen = free_port()
    # A session keeps its connection to the server while it lasts; transactions share a few.
    size = 3 if mode == "transaction" else 40
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(
            CONFIGURATION.format(
                host=host,
                port=behind.port or 5432,
                user=behind.username,
                listen=listen,
                mode=mode,
                size=size,
            )
        )
        Path(folder).chmod(0o755)
        process = subprocess.Popen(
            [program(), "-q", str(file)], user=owner, stderr=subprocess.DEVNULL
        )
        try:
            _wait_for(listen, process)
            yield URL.create("postgresql+psycopg2", username="shop", host="127.0.0.1", port=listen)
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("PgBouncer did not start")

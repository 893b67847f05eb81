"""A real PgBouncer, with the settings that it comes with."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from tests.support.ports import free_port
from tests.support.waiting import wait_for_port

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
            wait_for_port(listen, process)
            yield URL.create("postgresql+psycopg2", username="shop", host="127.0.0.1", port=listen)
        finally:
            process.terminate()
            process.wait()

"""nginx as `docs/nginx.conf` sets it up, with the addresses of a test in place of the example's,
and two of each process of a shop behind it."""

import os
import shutil
import subprocess
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from store.cli.launch import ShopProcesses
from store.core import settings
from store.core.settings import ROOT
from tests.support.ports import free_port
from tests.support.processes import Process, RunningShop
from tests.support.waiting import wait_until

CONFIGURATION = ROOT / "docs" / "nginx.conf"
HOSTS = ("10.0.0.11", "10.0.0.12")
# Where nginx may write without being root.
FOLDERS = "".join(
    f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)


def binary() -> str:
    """Where nginx is. Nowhere: skipped, or failed where everything is required."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("no nginx found")
    return found


def configuration(port: int, storefronts: Sequence[int], webhook_servers: Sequence[int]) -> str:
    """The documented file with these ports; each of its addresses must have been in it."""
    text = CONFIGURATION.read_text("utf-8")
    exchanged = {"listen 8080;": f"listen 127.0.0.1:{port};", "http {": f"http {{ {FOLDERS}"}
    for documented, ours in ((8501, storefronts), (8000, webhook_servers)):
        for host, there in zip(HOSTS, ours, strict=True):
            exchanged[f"server {host}:{documented} "] = f"server 127.0.0.1:{there} "
    for example, used in exchanged.items():
        assert text.count(example) == 1, example
        text = text.replace(example, used)
    return text


class Proxy:
    """One nginx in front of some servers."""

    def __init__(
        self, folder: Path, port: int, storefronts: Sequence[int], webhook_servers: Sequence[int]
    ) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.folder, self.log = folder, folder / "nginx.log"
        file = folder / "nginx.conf"
        file.write_text(configuration(port, storefronts, webhook_servers), "utf-8")
        self.command = [binary(), "-p", str(folder), "-c", str(file), "-g", "daemon off;"]
        self.running: subprocess.Popen[bytes] | None = None

    def open(self) -> "Proxy":
        """Start it and wait until it listens, which is when its process number is written."""
        with self.log.open("wb") as log:
            self.running = subprocess.Popen(self.command, stdout=log, stderr=log)
        pid_file = self.folder / "nginx.pid"
        wait_until(pid_file.exists, process=self.running, said=self.log.read_text)
        return self

    def close(self) -> None:
        if self.running:
            self.running.terminate()
            self.running.wait(10)


class Fleet:
    """Two of each process on one PostgreSQL, under the one address that all the world knows."""

    def __init__(self, new_shop: Callable[..., RunningShop], folder: Path) -> None:
        port = free_port()
        self.running_shop = new_shop("postgresql", STORE_URL=f"http://127.0.0.1:{port}")
        shop, webhook_server, emulator = self.running_shop.ports
        second = Namespace(
            host=None, port=free_port(), webhook_port=free_port(), emulator_port=emulator
        )
        one_address = Namespace(host=None, port=port, webhook_port=port, emulator_port=emulator)
        with self.running_shop.entered():
            chosen = settings.current()
            programs = [
                ShopProcesses(chosen, one_address, has_emulator=True).emulator_program(),
                *ShopProcesses(chosen, second, has_emulator=False).programs(),
            ]
            health = ShopProcesses(chosen, second, has_emulator=False).health_urls()
        self.running_shop.processes["emulator"].program = programs[0]
        for program in programs[1:]:
            self.running_shop.processes[f"second {program.name}"] = Process(
                program,
                health[program.name],
                self.running_shop.webhook_server.environment,
                self.running_shop.folder / f"second-{program.name}.log",
            )
        self.proxy = Proxy(folder, port, [shop, second.port], [webhook_server, second.webhook_port])
        self.running_shop.address = self.proxy.address

    def machine(self, number: int) -> list[Process]:
        """What stands on one of the two machines."""
        prefix = "second " if number else ""
        return [
            self.running_shop.processes[f"{prefix}{name}"]
            for name in ("storefront", "webhook server")
        ]

    def open(self) -> "Fleet":
        self.running_shop.open()
        self.proxy.open()
        return self

    def close(self) -> None:
        self.proxy.close()
        self.running_shop.close()

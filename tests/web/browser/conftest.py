"""A storefront and an emulator as processes of their own, and a buyer in front of them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect

from store.core import settings
from tests.support.chromium import NewBrowser
from tests.support.page_visits import Servers
from tests.support.ports import free_port

expect.set_options(timeout=15_000)  # the machine may be busy


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(address, timeout=2).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"{address} did not answer")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A storefront of its own, with an emulator and no sidecar."""
    folder = tmp_path_factory.mktemp("shop")
    shop, stripe = free_port(), free_port()
    environment = os.environ | {
        "DATA_DIR": str(folder),
        "DATABASE_URL": "",
        "STRIPE_SECRET_KEY": "",
        "STRIPE_API_BASE": f"http://127.0.0.1:{stripe}",
        "STORE_URL": "",
        "RECONCILE_SECONDS": "3600",
    }
    commands = {
        f"http://127.0.0.1:{stripe}/emulator/health": [
            *(
                "-m",
                "stripe_emulator",
                "--port",
                str(stripe),
                "--data",
                str(folder / "emulator.db"),
            ),
        ],
        f"http://127.0.0.1:{shop}/_stcore/health": [
            *("-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(shop)),
        ],
    }
    running = []
    try:
        for address, command in commands.items():
            process = subprocess.Popen(
                [sys.executable, *command], cwd=settings.ROOT, env=environment
            )
            running.append(process)
            wait_for(address, process)
        yield Servers(f"http://127.0.0.1:{shop}", f"http://127.0.0.1:{stripe}", folder)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(20)


@pytest.fixture
def buyer(new_browser: NewBrowser, servers: Servers) -> BrowserContext:
    """A buyer who was never here before, at a projector."""
    return new_browser(servers.shop)

"""A storefront and an emulator as processes of their own, and a buyer in front of them."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.support.child_process import python_module
from tests.support.chromium import NewBrowser
from tests.support.page_visits import Servers
from tests.support.ports import free_port
from tests.support.waiting import wait_for_page

expect.set_options(timeout=15_000)  # the machine may be busy


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A storefront of its own, with an emulator and no webhook server."""
    folder = tmp_path_factory.mktemp("shop")
    shop, stripe = free_port(), free_port()
    environment = {
        "DATA_DIR": str(folder),
        "DATABASE_URL": "",
        "STRIPE_SECRET_KEY": "",
        "STRIPE_API_BASE": f"http://127.0.0.1:{stripe}",
        "STORE_URL": "",
        "RECONCILE_SECONDS": "3600",
    }
    commands = {
        f"http://127.0.0.1:{stripe}/emulator/health": [
            *("stripe_emulator", "--port", str(stripe), "--data", str(folder / "emulator.db")),
        ],
        f"http://127.0.0.1:{shop}/_stcore/health": [
            *("streamlit", "run", "streamlit_app.py", "--server.port", str(shop)),
        ],
    }
    with ExitStack() as running:
        for address, command in commands.items():
            process = running.enter_context(python_module(command, environment=environment))
            wait_for_page(address, process)
        yield Servers(f"http://127.0.0.1:{shop}", f"http://127.0.0.1:{stripe}", folder)


@pytest.fixture
def buyer(new_browser: NewBrowser, servers: Servers) -> BrowserContext:
    """A buyer who was never here before, at a projector."""
    return new_browser(servers.shop)

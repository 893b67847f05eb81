"""A running emulator, a shop's address to return to, and a Chromium."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from playwright.sync_api import ConsoleMessage, Page

from stripe_emulator.app import create_app
from stripe_emulator.base.config import Config
from tests.support import loopback
from tests.support.chromium import NewBrowser
from tests.support.ports import free_port
from tests.support.server_thread import ServerThread

Session = dict[str, Any]


class Shop:
    """Where buyers come back to and events are delivered, in the way a test wants it."""

    def __init__(self) -> None:
        self.status = 200
        self.seconds = 0.0
        shop = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(200, "<h1>Back in the shop</h1>")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                time.sleep(shop.seconds)
                self._say(shop.status, "received")

            def _say(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@dataclass
class EmulatorSite:
    """The running emulator as a shop and a browser see it."""

    address: str
    shop: Shop
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = loopback.Client(base_url=self.address, timeout=15)

    def api(self, method: str, path: str, **form: Any) -> Any:
        key = {"Authorization": "Bearer sk_test_pages"}
        answer = self.client.request(method, path, headers=key, data=form or None)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def a_session(
        self, amount: int = 1999, quantity: int = 2, name: str = "Red T-Shirt", **more: Any
    ) -> Session:
        """An open Checkout Session, as a shop makes it."""
        line = "line_items[0]"
        form = {
            "mode": "payment",
            "success_url": self.shop.address + "/order?session_id={CHECKOUT_SESSION_ID}",
            "cancel_url": self.shop.address + "/cart",
            f"{line}[quantity]": quantity,
            f"{line}[price_data][currency]": "usd",
            f"{line}[price_data][unit_amount]": amount,
            f"{line}[price_data][product_data][name]": name,
            **more,
        }
        wanted = {key: value for key, value in form.items() if value is not None}
        session: Session = self.api("POST", "/v1/checkout/sessions", **wanted)
        return session

    def session(self, session: Session) -> Session:
        """The same session as the API shows it now."""
        found: Session = self.api("GET", f"/v1/checkout/sessions/{session['id']}")
        return found

    def charges(self, session: Session) -> list[Any]:
        """Every charge that was tried for a session."""
        payment = self.session(session)["payment_intent"]
        if payment is None:
            return []
        found: list[Any] = self.api("GET", f"/v1/charges?payment_intent={payment}")["data"]
        return found

    def pay(self, session: Session, number: str = "4242424242424242", **more: str) -> str:
        """Pay over HTTP, as the form without JavaScript does; returns the payment's id."""
        form = {"number": number, "expiry": "12 / 34", "cvc": "123", "email": "a@example.com"}
        answer = self.client.post(f"/c/pay/{session['id']}", data=form | more)
        assert answer.status_code == 303, answer.text
        payment: str = self.session(session)["payment_intent"]
        return payment


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorSite]:
    """One emulator for all tests of this folder; every test makes sessions of its own."""
    shop = Shop()
    config = Config(
        data_path=tmp_path_factory.mktemp("site") / "emulator.db",
        port=free_port(),
        webhook_url=shop.address + "/webhooks",
        webhook_secret="whsec_pages",
    )
    server = ServerThread(
        create_app(config), port=config.port, log_level="warning", date_header=False
    )
    running = EmulatorSite(config.address, shop)
    yield running
    running.client.close()
    server.stop()
    shop.close()


@pytest.fixture
def shop_is_down(site: EmulatorSite) -> Iterator[None]:
    """The shop answers every event with 500 while a test lasts."""
    site.shop.status = 500
    yield
    site.shop.status = 200


@pytest.fixture
def shop_is_slow(site: EmulatorSite) -> Iterator[None]:
    """The shop takes a second for every event while a test lasts."""
    site.shop.seconds = 1.0
    yield
    site.shop.seconds = 0.0


@pytest.fixture
def tab(new_browser: NewBrowser) -> Iterator[Page]:
    """A fresh tab of a laptop in English; whatever it complains about fails the test."""
    page = new_browser().new_page()
    page.set_default_timeout(8000)
    complaints: list[str] = []

    def listen(said: ConsoleMessage) -> None:
        if "Content Security" in said.text:
            complaints.append(said.text)

    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", listen)
    yield page
    page.close()
    assert complaints == []

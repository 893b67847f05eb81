"""Two storefronts and two webhook servers on one PostgreSQL, behind nginx as documented."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from store.web import buyer_cookie
from tests.support import loopback
from tests.support import nginx as proxy
from tests.support.browser_actions import (
    enter,
    fill_in,
    leave_for_stripe,
    pay,
    reach,
    row,
    seconds_until_paid,
    verdict,
)
from tests.support.ports import free_port
from tests.support.processes import RunningShop

NAMES = ("storefront 1", "storefront 2", "webhook server 1", "webhook server 2")


# --- the file itself, in front of servers that only say who they are ------------------------------


class Named(BaseHTTPRequestHandler):
    """Answers with its server's name and the headers it got."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = self.server.name.encode()  # type: ignore[attr-defined]
        self.server.seen = self.headers  # type: ignore[attr-defined]
        if self.server.breaks_off:  # type: ignore[attr-defined]
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(name: str) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Named)
    server.name, server.breaks_off = name, False  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture
def named() -> Iterator[dict[str, ThreadingHTTPServer]]:
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serve(name)) for name in NAMES}
        yield servers
        for server in servers.values():
            server.shutdown()


@pytest.fixture
def before_named(named: dict[str, ThreadingHTTPServer], tmp_path: Path) -> Iterator[proxy.Proxy]:
    ports = [server.server_address[1] for server in named.values()]
    nginx = proxy.Proxy(tmp_path, free_port(), ports[:2], ports[2:]).open()
    yield nginx
    nginx.close()


def served_by(nginx: proxy.Proxy, cookie: str = "", path: str = "/") -> str:
    jar = {buyer_cookie.COOKIE_NAME: cookie} if cookie else {}
    return loopback.get(f"{nginx.address}{path}", cookies=jar).text


def test_a_buyer_stays_with_one_storefront_and_buyers_spread_over_both(
    before_named: proxy.Proxy,
) -> None:
    cookies = [buyer_cookie.new_cookie() for _ in range(40)]

    first = [served_by(before_named, cookie) for cookie in cookies]
    again = [served_by(before_named, cookie, "/_stcore/stream") for cookie in cookies]
    strangers = {served_by(before_named) for _ in range(40)}

    assert again == first
    assert set(first) == strangers == set(NAMES[:2])


def test_nginx_passes_on_the_client_address_and_websockets(
    before_named: proxy.Proxy, named: dict[str, ThreadingHTTPServer]
) -> None:
    asked = {"Upgrade": "websocket", "Connection": "Upgrade", "Host": "shop.example.com"}
    cookie = {"Cookie": f"{buyer_cookie.COOKIE_NAME}={buyer_cookie.new_cookie()}"}

    answer = loopback.get(before_named.address, headers=asked | cookie)

    seen = named[answer.text].seen  # type: ignore[attr-defined]
    assert seen["Host"] == seen["X-Forwarded-Host"] == "shop.example.com"
    assert (seen["X-Forwarded-Proto"], seen["X-Forwarded-For"]) == ("http", "127.0.0.1")
    assert (seen["Upgrade"], seen["Connection"]) == ("websocket", "upgrade")


def test_an_event_that_one_webhook_server_breaks_off_goes_to_the_other(
    before_named: proxy.Proxy, named: dict[str, ThreadingHTTPServer]
) -> None:
    """Twice is harmless: an event counts once."""
    named["webhook server 1"].breaks_off = True  # type: ignore[attr-defined]

    url = f"{before_named.address}/webhooks/stripe/"
    answers = {loopback.post(url, content=b"{}").text for _ in range(6)}

    assert answers == {"webhook server 2"}
    assert hasattr(named["webhook server 1"], "seen")


def test_nginx_sends_metrics_and_readyz_to_no_webhook_server(before_named: proxy.Proxy) -> None:
    assert {served_by(before_named, path=path) for path in ("/metrics", "/readyz")} <= {*NAMES[:2]}


# --- a purchase ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fleet(
    new_shop: Callable[..., RunningShop], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[proxy.Fleet]:
    proxy.binary()  # before anything is started in vain
    made = proxy.Fleet(new_shop, tmp_path_factory.mktemp("nginx")).open()
    yield made
    made.close()


@pytest.mark.browser
@pytest.mark.scenario("E7")
@pytest.mark.parametrize("machine", [0, 1], ids=["the first machine", "the second machine"])
def test_a_purchase_outlives_the_machine_that_it_began_on(
    fleet: proxy.Fleet, buyer: BrowserContext, machine: int, report: Callable[[str], None]
) -> None:
    """One of the two runs serves this buyer from the machine that dies, the other from its twin."""
    running_shop = fleet.running_shop
    page = enter(buyer, running_shop, "/?red-t-shirt=2")
    leave_for_stripe(page)
    fill_in(page)
    open_shop = enter(buyer, running_shop)
    expect(row(open_shop, "Not paid yet")).to_be_visible()

    for process in fleet.machine(machine):
        process.kill()
    seconds = seconds_until_paid(page)

    expect(row(open_shop, "Paid")).to_be_visible()
    order = running_shop.assert_paid_once(running_shop.knows(buyer))
    running_shop.deliver_again(order)
    report(f"from the redirect to Paid with one of two machines dead: {seconds:.2f} s")
    assert page.url.startswith(fleet.proxy.address)
    for process in fleet.machine(machine):
        process.restart()


@pytest.mark.browser
@pytest.mark.scenario("E7")
def test_a_purchase_goes_on_while_each_machine_is_killed_in_turn(
    fleet: proxy.Fleet, buyer: BrowserContext
) -> None:
    running_shop, (first, second) = fleet.running_shop, map(fleet.machine, (0, 1))
    page = enter(buyer, running_shop)

    for process in first:
        process.kill()
    reach(page, f"{running_shop.address}/?red-t-shirt=2")
    leave_for_stripe(page)
    for process in first:
        process.restart()
    for process in second:
        process.kill()
    fill_in(page)
    pay(page)

    expect(verdict(page)).to_be_visible()
    running_shop.assert_paid_once(running_shop.knows(buyer))
    for process in second:
        process.restart()

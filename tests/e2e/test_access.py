"""The running storefront and requests of other sites, hosts and shops."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import streamlit
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from store.backoffice import auth
from store.web import buyer_cookie
from store.web.buyer_cookie import cookie_name
from tests.support import loopback
from tests.support.processes import CLIENT_LIMITS, RunningShop
from tests.support.websocket_client import Visitor

PAGE = {"Accept": "text/html"}
STATIC = Path(streamlit.__file__).parent / "static"


@pytest.fixture(scope="module")
def shop(new_shop: Callable[..., RunningShop]) -> RunningShop:
    """The storefront and the emulator, on SQLite."""
    running_shop = new_shop()
    running_shop.open("emulator", "storefront")
    return running_shop


@pytest.fixture(scope="module")
def port(shop: RunningShop) -> int:
    return urlsplit(shop.address).port or 0


@pytest.fixture
def browser(shop: RunningShop) -> Iterator[httpx.Client]:
    with loopback.Client(
        base_url=shop.address,
        headers={"Origin": shop.address},
        limits=CLIENT_LIMITS,
    ) as client:
        yield client


def sign_in(shop: RunningShop, browser: httpx.Client) -> str:
    """Sign in as an operator; the Cookie header that proves it."""
    secret = shop.sign_in_link.partition("#")[2]
    answer = browser.post("/back-office/sign-in", data={"password": secret})
    assert answer.status_code == 303
    name = cookie_name(auth.COOKIE, browser.base_url.netloc.decode())
    shop.secrets.add(browser.cookies[name])
    return f"{name}={browser.cookies[name]}"


def said(messages: list[ForwardMsg]) -> str:
    return "\n".join(
        message.delta.new_element.html.body
        for message in messages
        if message.HasField("delta") and message.delta.new_element.HasField("html")
    )


# --- WebSockets of other origins -----------------------------------------------------------------


def opens(port: int, *headers: tuple[str, str], host: str = "") -> bool:
    """Whether the storefront accepts a WebSocket with these headers."""
    try:
        with connect(
            f"ws://{host or f'127.0.0.1:{port}'}/_stcore/stream",
            address=("127.0.0.1", port),
            additional_headers=headers,
            proxy=None,
        ):
            return True
    except InvalidStatus as refused:
        assert refused.response.status_code in (400, 403)
        return False


COOKIE = ("Cookie", "store_office=anything")


@pytest.mark.scenario("P4")
@pytest.mark.parametrize(
    "origin",
    [
        "http://127.0.0.1:1",
        "http://127.0.0.1",
        "http://localhost:{port}",
        "http://[::1]:{port}",
        "http://sub.127.0.0.1:{port}",
        "http://127.0.0.1:{port}.evil.example",
        "http://evil.example:{port}",
        "http://evil.example@127.0.0.1:{port}",
        "http://127.0.0.1:{port}/x",
        "http://127.0.0.1:{port}#",
        "https://evil.example",
        "file://127.0.0.1:{port}",
        "ftp://127.0.0.1:{port}",
        "127.0.0.1:{port}",
        "null",
        "",
    ],
)
@pytest.mark.parametrize("cookie", [(), (COOKIE,)], ids=["no cookie", "cookie"])
def test_a_page_of_another_origin_cannot_open_a_websocket(
    port: int, origin: str, cookie: tuple[tuple[str, str], ...]
) -> None:
    assert not opens(port, ("Origin", origin.format(port=port)), *cookie)


@pytest.mark.scenario("P4")
def test_a_websocket_with_a_cookie_needs_the_shops_own_origin(port: int) -> None:
    own = ("Origin", f"http://127.0.0.1:{port}")
    over_tls = ("X-Forwarded-Proto", "https")

    assert opens(port, own, COOKIE)
    assert opens(port, ("Origin", f"HTTP://127.0.0.1:{port}"), COOKIE)
    assert opens(port, ("Origin", "http://shop.example"), COOKIE, host="shop.example:80")
    assert opens(port, ("Origin", "https://shop.example"), over_tls, COOKIE, host="shop.example")
    assert opens(port, ("Origin", f"http://[::1]:{port}"), COOKIE, host=f"[::1]:{port}")
    assert opens(port)  # no browser, and nobody's cookie
    assert not opens(port, COOKIE)
    assert not opens(port, own, ("Origin", "https://evil.example"), COOKIE)
    assert not opens(port, ("Origin", "http://shop.example"), over_tls, COOKIE, host="shop.example")
    assert not opens(port, ("Origin", "https://sub.shop.example"), COOKIE, host="shop.example")
    assert not opens(port, ("Origin", "http://shop_a;b"), host="shop_a;b")


# --- the address that Stripe sends buyers back to ------------------------------------------------


def success_url(shop: RunningShop, port: int, host: str, **visitor: object) -> str:
    cookie = buyer_cookie.new_cookie()
    shop.secrets |= {cookie, buyer_cookie.buyer_hash(cookie)}
    given = {"claimed_url": "https://evil.example/", "host": host, **visitor}
    with Visitor(port, cookie=cookie, **given) as page:  # type: ignore[arg-type]
        page.seconds(**{page.numbers["Quantity of Red T-Shirt"]: 1})
        (pay,) = [label for label in page.buttons if label.startswith("Pay $")]
        page.seconds(**{page.buttons[pay]: True})
    order = shop.the_order(buyer_cookie.buyer_hash(cookie))
    address: str = json.loads(order.checkout_parameters)["success_url"]
    return address.partition("/order?")[0]


@pytest.mark.scenario("P5")
def test_stripe_returns_to_the_host_of_the_websocket_handshake(
    shop: RunningShop, port: int
) -> None:
    tls = {"X-Forwarded-Proto": "https,http", "X-Shop-Address": "https://evil.example"}

    addresses = [
        success_url(shop, port, f"127.0.0.1:{port}"),
        success_url(
            shop, port, f"localhost:{port}", headers={"X-Shop-Address": "http://evil.example"}
        ),
        success_url(shop, port, f"localhost:{port}", headers={"X-Forwarded-Host": "evil.example"}),
    ]

    assert addresses == [f"http://127.0.0.1:{port}", *[f"http://localhost:{port}"] * 2]
    with pytest.raises(InvalidStatus):  # an http page in front of an https shop
        success_url(shop, port, "shop.example", headers=tls)


# --- the rehearsal -------------------------------------------------------------------------------

ELSEWHERE = {"X-Forwarded-For": "192.0.2.7"}


@pytest.fixture(scope="module")
def placed_order(shop: RunningShop, port: int) -> None:
    """There is an order that could be deleted."""
    success_url(shop, port, f"127.0.0.1:{port}")


def rehearsal(port: int, cookie: str, **visitor: object) -> Visitor:
    return Visitor(port, page="rehearsal", cookie=cookie, **visitor)  # type: ignore[arg-type]


@pytest.mark.scenario("P1")
@pytest.mark.parametrize(
    ("host", "headers"),
    [
        ("", ELSEWHERE),
        ("", {"X-Forwarded-For": "127.0.0.1"}),  # a proxy on this computer, for whomever
        ("", {"Forwarded": "for=192.0.2.7"}),
        ("", {"X-Real-IP": "192.0.2.7"}),
        ("shop.example:{port}", {}),  # a name that was made to lead to this computer
        ("shop.example:{port}", {"X-Shop-Local": "yes"}),
        ("", {**ELSEWHERE, "X-Shop-Local": "yes"}),
    ],
)
def test_remote_visitors_have_no_rehearsal_buttons(
    port: int, host: str, headers: dict[str, str]
) -> None:
    with rehearsal(
        port, buyer_cookie.new_cookie(), host=host.format(port=port), headers=headers
    ) as page:
        assert page.buttons == {}
        assert "Sign in" in said(page.messages)


@pytest.mark.scenario("P1")
def test_on_this_computer_and_for_an_operator_the_rehearsal_is_open(
    shop: RunningShop, port: int, browser: httpx.Client
) -> None:
    operator = sign_in(shop, browser)
    cookie = buyer_cookie.new_cookie()

    with rehearsal(port, cookie, host=f"localhost:{port}") as here:
        assert "Run all" in here.buttons
    with rehearsal(port, f"{cookie}; {operator}", headers=ELSEWHERE) as page:
        assert "Run all" in page.buttons


@pytest.mark.scenario("P1")
@pytest.mark.parametrize("button", ["Run all", "25 sample orders", "Webhook twice", "Fresh demo"])
def test_a_click_after_signing_out_does_nothing(
    shop: RunningShop, port: int, placed_order: None, browser: httpx.Client, button: str
) -> None:
    operator = sign_in(shop, browser)
    cookie = buyer_cookie.new_cookie()
    before = len(shop.orders())

    with rehearsal(port, f"{cookie}; {operator}", headers=ELSEWHERE) as page:
        if button == "Fresh demo":
            page.seconds(**{page.buttons[button]: True})
            button = "Delete every order"
        browser.post("/back-office/sign-out")
        page.messages = list(page.run(**{page.buttons[button]: True}))
    time.sleep(0.5)

    assert "Sign in" in said(page.messages)
    assert len(shop.orders()) == before
    assert before > 0


# --- two shops on one host -----------------------------------------------------------------------


@pytest.mark.scenario("P7")
def test_two_shops_on_one_host_keep_their_operators_and_buyers_apart(
    shop: RunningShop, new_shop: Callable[..., RunningShop]
) -> None:
    other = new_shop()
    other.open("storefront")
    with loopback.Client(headers=PAGE, limits=CLIENT_LIMITS) as browser:
        for running_shop in (shop, other):
            browser.get(running_shop.address)
            secret = running_shop.sign_in_link.partition("#")[2]
            browser.post(
                f"{running_shop.address}/back-office/sign-in",
                data={"password": secret},
                headers={"Origin": running_shop.address},
            )
        seen = [
            browser.get(f"{running_shop.address}/back-office") for running_shop in (shop, other)
        ]
        browser.post(f"{other.address}/back-office/sign-out", headers={"Origin": other.address})
        after = [
            browser.get(f"{running_shop.address}/back-office") for running_shop in (shop, other)
        ]
        given = {cookie.name: cookie.value for cookie in browser.cookies.jar}
        shop.secrets |= {str(value) for value in given.values()}

    assert [answer.status_code for answer in seen] == [200, 200]
    assert [answer.status_code for answer in after] == [200, 303]
    buyers_given = {
        value for name, value in given.items() if name.startswith(buyer_cookie.COOKIE_NAME)
    }
    assert len(buyers_given) == 2
    other.close()


# --- addresses that are none of the shop's -------------------------------------------------------


@pytest.mark.scenario("P9")
@pytest.mark.parametrize(
    "path",
    [
        "/.env",
        "/.git/config",
        "/wp-login.php",
        "/index.php",
        "/index.html",
        "/order/x",
        "/order.html",
        "/Order",
        "/back-officer",
        "/back-office/nothing",
        "/rehearsal/x",
        "/go",
        "/go/x/y",
        "/static/js/nothing.js",
        "/static",
        "/_stcore/nothing",
        "/elsewhere?embed=true",
        "/%3Cscript%3E",
        "/%E2%98%83",
        "/" + "x" * 3000,
    ],
)
def test_an_unknown_address_gets_the_shops_404_page(browser: httpx.Client, path: str) -> None:
    answer = browser.get(path, headers=PAGE)

    assert answer.status_code == 404
    assert "There is no such page here." in answer.text
    assert "Streamlit" not in answer.text
    assert "frame-ancestors" in answer.headers["content-security-policy"]


@pytest.mark.scenario("P9")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/?embed=true", 200),
        ("/order", 200),
        ("/order?number=x&session_id=y", 200),
        ("/rehearsal", 200),
        ("/back-office/sign-in", 200),
        ("/go/2222-2222-2222-2222", 404),
        ("/elsewhere", 404),
    ],
)
def test_no_page_of_the_shop_may_be_framed_by_another_site(
    browser: httpx.Client, path: str, status: int
) -> None:
    answer = browser.get(path)

    assert answer.status_code == status
    assert re.search("frame-ancestors '(self|none)'", answer.headers["content-security-policy"])


@pytest.mark.scenario("P9")
def test_everything_that_streamlits_page_needs_is_still_there(browser: httpx.Client) -> None:
    index = (STATIC / "index.html").read_text("utf-8")
    assets = [f"/{asset}" for asset in re.findall(r'(?:href|src)="\./([^"]+)"', index)]
    assets = [asset for asset in assets if "/agent/" not in asset]  # closed, as are uploads
    assets += [f"/static/js/{file.name}" for file in sorted((STATIC / "static/js").glob("*"))[::20]]
    assets += ["/_stcore/health", "/_stcore/host-config", "/manifest.json", "/images/sneakers.svg"]

    answers = {path: browser.get(path) for path in assets}

    assert len(assets) > 10
    assert {path: a.status_code for path, a in answers.items() if a.status_code != 200} == {}
    assert [path for path, a in answers.items() if "text/html" in a.headers["content-type"]] == []
    assert browser.get("/order/").headers["location"].endswith("/order")


@pytest.mark.scenario("P5")
@pytest.mark.parametrize(
    "host",
    ["a b", "evil.example/x", "u@evil.example", "evil.example:99999", "evil:0", "é", "[x]", "a,b"],
)
def test_a_malformed_host_is_refused(browser: httpx.Client, host: str) -> None:
    answer = browser.get("/", headers={b"Host": host.encode()})

    assert answer.status_code == 400

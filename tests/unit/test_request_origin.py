"""The visited address, the client and the origin, read from a request's headers."""

from collections.abc import Iterator

import pytest

from store.core import addresses, settings
from store.web import request_origin

HTTPS = ("x-forwarded-proto", "https")


@pytest.fixture(autouse=True)
def without_store_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("STORE_URL", "")
    settings.current.cache_clear()
    yield
    settings.current.cache_clear()


def scope(
    host: str | None = "shop.example",
    *headers: tuple[str, str],
    client: tuple[str, int] | None = ("192.0.2.1", 50_000),
    scheme: str = "http",
) -> dict[str, object]:
    named = [("host", host)] if host is not None else []
    raw = [(name.encode(), value.encode("latin-1")) for name, value in (*named, *headers)]
    return {"type": "http", "scheme": scheme, "headers": raw, "client": client}


@pytest.mark.parametrize(
    ("text", "name", "port"),
    [
        ("localhost:8501", "localhost", 8501),
        ("Shop.EXAMPLE", "shop.example", None),
        ("my_shop:80", "my_shop", 80),
        ("192.0.2.1:65535", "192.0.2.1", 65535),
        ("[::1]:8501", "[::1]", 8501),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example", None),
    ],
)
def test_a_host_and_its_port(text: str, name: str, port: int | None) -> None:
    assert addresses.Host.parse(text) == addresses.Host(name, port)


@pytest.mark.scenario("P5")
@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "a b", "a:", "a:0", "a:65536", "a:-1", "a:8501x", "a:１"),
        *("user@shop.example", "shop.example/x", "shop.example?x", "shop.example#x", "a\\b"),
        *("http://shop.example", "a,b", "a;b", "[::1", "::1", "[evil]", "a" * 254, "a\r\nb", "ü"),
    ],
)
def test_malformed_hosts_are_refused(text: str) -> None:
    assert addresses.Host.parse(text) is None


@pytest.mark.scenario("P1")
@pytest.mark.parametrize(
    ("host", "client", "local"),
    [
        ("localhost:8501", ("127.0.0.1", 1), True),
        ("shop.localhost:8501", ("127.0.0.1", 1), True),
        ("127.0.0.1:8501", ("::ffff:127.0.0.1", 1), True),
        ("[::1]:8501", ("::1", 1), True),
        ("localhost:8501", ("192.168.1.7", 1), False),
        ("localhost:8501", ("::ffff:192.168.1.7", 1), False),
        ("localhost:8501", ("2002:7f00:1::1", 1), False),  # 6to4 of 127.0.0.1
        ("localhost:8501", ("64:ff9b::127.0.0.1", 1), False),
        ("localhost:8501", ("0.0.0.0", 1), False),
        ("localhost:8501", ("", 1), False),
        ("localhost:8501", None, False),  # a Unix socket, behind whatever proxy
        ("shop.example", ("127.0.0.1", 1), False),
        ("localhost.evil.example", ("127.0.0.1", 1), False),
        ("127.0.0.1.evil.example", ("127.0.0.1", 1), False),
        ("127.0.0.1@evil.example", ("127.0.0.1", 1), False),
        (None, ("127.0.0.1", 1), False),
    ],
)
def test_local_requests_come_from_loopback_to_loopback(
    host: str | None, client: tuple[str, int] | None, local: bool
) -> None:
    assert request_origin.is_local(scope(host, client=client)) is local


@pytest.mark.scenario("P1")
@pytest.mark.parametrize(
    "header",
    ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via", "x-real-ip"],
)
def test_requests_through_a_proxy_are_not_local(header: str) -> None:
    here = scope("localhost", (header, "127.0.0.1"), client=("127.0.0.1", 1))

    assert not request_origin.is_local(here)


@pytest.mark.scenario("P5", "P8")
@pytest.mark.parametrize(
    ("given", "address"),
    [
        (scope("shop.example"), "http://shop.example"),
        (scope("shop.example:8501"), "http://shop.example:8501"),
        (scope("shop.example", HTTPS), "https://shop.example"),
        (scope("shop.example", scheme="wss"), "https://shop.example"),
        (scope("shop.example", ("origin", "https://shop.example")), "https://shop.example"),
        (scope("shop.example", ("origin", "https://evil.example")), "http://shop.example"),
        (scope("shop.example", ("x-forwarded-host", "evil.example")), "http://shop.example"),
        (scope("shop.example", ("host", "evil.example")), None),
        (scope(None), None),
        (scope("evil.example/"), None),
    ],
)
def test_the_address_that_was_visited(given: dict[str, object], address: str | None) -> None:
    assert request_origin.visited_address(given) == address


@pytest.mark.scenario("P4")
@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("https://shop.example", True),
        ("HTTPS://SHOP.example:443", True),
        ("http://shop.example", False),
        ("https://shop.example:8443", False),
        ("https://sub.shop.example", False),
        ("https://shop.example.evil.example", False),
    ],
)
def test_where_a_proxy_changes_the_host_store_url_names_the_origin(
    monkeypatch: pytest.MonkeyPatch, origin: str, own: bool
) -> None:
    monkeypatch.setenv("STORE_URL", "https://shop.example/shop")
    settings.current.cache_clear()

    found = request_origin.own_origin(scope("127.0.0.1:8501", ("origin", origin)))

    assert (found is not None) is own

"""Which routes of Streamlit's are closed, and which requests may open a WebSocket or upload."""

import pytest
from starlette.datastructures import Headers

from store.core import settings
from store.web import middleware

SHOP = "https://shop.example"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    ("path", "closed"),
    [
        *(("/", False), ("/order", False), ("/go/1", False), ("/stream-of-orders", False)),
        *(("/_stcore/health", False), ("/_stcore/stream", False), ("/static/js/x.js", False)),
        *(("/media/x.webp", False), ("/_stcore/host-config", False), ("/healthz", True)),
        *(("/_stcore", True), ("/_stcore/metrics", True), ("/_stcore/upload_file/1", True)),
        *(("/component/x", True), ("/auth/login", True), ("/oauth2callback", True)),
        *(("/static", True), ("/media", True), ("/app/static/x", True), ("/vendor/x", True)),
    ],
)
def test_only_routes_that_a_page_needs_are_open(path: str, method: str, *, closed: bool) -> None:
    assert middleware.is_closed(path, method) is closed


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
@pytest.mark.parametrize("path", ["/_stcore/health", "/static/js/x.js", "/media/x.webp"])
def test_nothing_of_streamlits_is_written_to(path: str, method: str) -> None:
    assert middleware.is_closed(path, method)


@pytest.mark.parametrize(
    ("method", "path", "is_upload"),
    [
        ("PUT", "/_stcore/upload_file/session/file", True),
        ("DELETE", "/_stcore/upload_file/session/file", True),
        ("POST", "/_stcore/upload_file/session/file", False),
        ("GET", "/_stcore/upload_file/session/file", False),
        ("PUT", "/_stcore/upload_files", False),
        ("PUT", "/media/x.webp", False),
    ],
)
def test_an_upload_is_known_by_its_method_and_path(
    method: str, path: str, *, is_upload: bool
) -> None:
    assert middleware.is_upload({"method": method, "path": path}) is is_upload


@pytest.mark.parametrize(
    ("headers", "may"),
    [
        ({"origin": SHOP}, True),
        ({"origin": SHOP, "cookie": "store_buyer=x"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "https://shop.example.evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({}, True),
        ({"cookie": "store_buyer=x"}, False),
    ],
    ids=str,
)
def test_a_page_of_another_site_opens_no_websocket(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], *, may: bool
) -> None:
    monkeypatch.setenv("STORE_URL", "")
    settings.current.cache_clear()
    named = {"host": "shop.example", **headers}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    scope = {"type": "websocket", "scheme": "wss", "headers": raw, "client": ("192.0.2.1", 5)}

    assert middleware.may_connect(scope, Headers(raw=raw)) is may

    settings.current.cache_clear()


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({"content-type": "text/html; charset=utf-8"}, True),
        ({"content-type": "text/html", "content-security-policy": "default-src 'self'"}, False),
        ({"content-type": "application/json"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_html_without_a_policy_is_not_the_shops(headers: dict[str, str], *, foreign: bool) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]

    assert middleware.is_foreign({"type": "http.response.start", "headers": raw}) is foreign

"""ALLOWED_HOSTS at the server: pages and WebSockets of other host names are refused."""

from typing import Any

import pytest
from starlette.types import Scope

from store.core import settings
from store.storefront import server
from store.web.middleware import OwnHost
from tests.support import event_loops

HOSTS = [
    ("shop.example.com", True),
    ("shop.example.com:8501", True),
    ("example.com", True),
    ("localhost:8501", True),
    ("127.0.0.1:8501", True),
    ("[::1]:8501", True),
    ("evil.org", False),
    ("shop.example.com.evil.org", False),
    ("", False),
    ("a b", False),
]


def allowed(monkeypatch: pytest.MonkeyPatch, value: str) -> list[str]:
    """The patterns of the shop's `OwnHost` with this setting."""
    monkeypatch.setenv("ALLOWED_HOSTS", value)
    settings.current.cache_clear()
    (guard,) = [each for each in server.middleware() if str(each.cls) == str(OwnHost)]
    settings.current.cache_clear()
    patterns: Any = guard.kwargs["patterns"]
    return list(patterns)


def answered(patterns: list[str], host: str, kind: str) -> list[dict[str, Any]]:
    """What is sent to a client that names this host; nothing where the shop itself is asked."""
    sent: list[dict[str, Any]] = []

    async def shop(*_: Any) -> None:
        """Reached."""

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope: Scope = {"type": kind, "scheme": "http", "headers": [(b"host", host.encode())]}
    scope["extensions"] = {"websocket.http.response": {}}
    event_loops.run(OwnHost(shop, patterns)(scope, receive, send))
    return sent


@pytest.mark.scenario("M2")
@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(("host", "ours"), HOSTS)
def test_only_the_shops_own_names_are_answered(
    monkeypatch: pytest.MonkeyPatch, host: str, kind: str, *, ours: bool
) -> None:
    sent = answered(allowed(monkeypatch, ".example.com"), host, kind)

    assert (sent == []) is ours
    assert ours or sent[0]["status"] == 400
    assert ours or b"does not answer to this host name" in sent[1]["body"]


@pytest.mark.parametrize("value", ["*", "*, example.com"])
def test_a_star_is_every_host(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    assert answered(allowed(monkeypatch, value), "anything.example", "http") == []


def test_without_allowed_hosts_there_is_no_host_check(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered(allowed(monkeypatch, ""), "anything.example", "http") == []

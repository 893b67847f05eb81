"""The connection to Stripe through proxies, private certificate authorities and a `.netrc`."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store.backoffice import health
from store.cli import preflight
from store.core import addresses, settings
from store.core.errors import StripeError, StripeUncertain, StripeUnreachable
from store.stripe_api import network, requests, transport
from stripe_emulator.api.request_faults import ACCOUNT_ID
from stripe_emulator.base.config import Config
from tests.support.emulator import EmulatorServer
from tests.support.http_servers import ACCOUNT, Authority, Proxy, Recorder, Stripe, serving
from tests.support.ports import free_port

KEY = "sk_test_51abcdefghijklmnopqrstuvwxyz"
FAR = "stripe.test"  # no such name is known anywhere (RFC 6761)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """A key, no retries, and none of this machine's own proxies and certificates."""
    ours = {name.upper() for name in settings.Settings.model_fields} | set(network.AUTHORITIES)
    for name in list(os.environ):
        if name.upper() in ours or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("STRIPE_SECRET_KEY", KEY)
    monkeypatch.setenv("STRIPE_API_BASE", "")  # so that it is as it was, afterwards
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(settings, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setattr(transport, "RETRIES", 0)
    monkeypatch.setattr(transport, "ATTEMPT_SECONDS", 2)
    forget()
    yield monkeypatch
    forget()


def forget() -> None:
    for cache in (settings.current, transport.client_for, requests._account_of):
        cache.cache_clear()


def asked(base: str) -> str:
    """What the shop learns when it asks this address for its account."""
    os.environ["STRIPE_API_BASE"] = base
    forget()
    return str(requests.account())


def cause(base: str) -> str:
    """The operator's sentence for a question that brings no answer."""
    with pytest.raises(StripeUnreachable) as failed:
        asked(base)
    said = failed.value.for_operator
    assert said.endswith(".")
    assert KEY[12:] not in said
    assert "network" not in str(failed.value).lower(), "buyers read a buyer's sentence"
    return said


@pytest.fixture
def stripe() -> Iterator[Recorder]:
    with serving(Stripe) as server:
        yield server


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


# --- what belongs to others -----------------------------------------------------------------------


@pytest.mark.scenario("L1")
@pytest.mark.parametrize("named", [".netrc", "elsewhere"])
@pytest.mark.parametrize("machine", ["default", "machine 127.0.0.1"])
def test_a_login_in_netrc_never_takes_the_place_of_the_key(
    stripe: Recorder, environment: pytest.MonkeyPatch, tmp_path: Path, named: str, machine: str
) -> None:
    file = tmp_path / named
    file.write_text(f"{machine} login somebody password secret\n")
    file.chmod(0o600)
    if named != ".netrc":
        environment.setenv("NETRC", str(file))

    assert asked(f"http://{stripe.address}") == ACCOUNT["id"]

    assert [headers["Authorization"] for _, headers in stripe.requests] == [f"Bearer {KEY}"]


@pytest.mark.scenario("L5")
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "localhost."])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "socks5://127.0.0.1:1", "nonsense://"])
def test_loopback_is_never_reached_through_a_proxy(
    stripe: Recorder, environment: pytest.MonkeyPatch, variable: str, host: str, proxy: str
) -> None:
    environment.setenv(variable, proxy)
    environment.setenv("NO_PROXY", "")

    assert asked(f"http://{host}:{stripe.server_port}") == ACCOUNT["id"]


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("shop.localhost", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.example", False),
        ("192.168.0.1", False),
        ("0.0.0.0", False),
        ("", False),
    ],
)
def test_loopback_addresses_are_recognised(host: str, *, loopback: bool) -> None:
    assert addresses.Host(host, None).is_loopback is loopback


def test_no_redirect_is_followed_with_the_key(stripe: Recorder) -> None:
    class Elsewhere(Stripe):
        def do_GET(self) -> None:
            self.answer(302, b"<h1>Sign in</h1>", Location=f"http://{stripe.address}/v1/account")

    with serving(Elsewhere) as server:
        said = cause(f"http://{server.address}")

    assert "is not Stripe (HTTP 302)" in said
    assert "sign-in page" in said
    assert stripe.requests == []


# --- proxies --------------------------------------------------------------------------------------


@pytest.mark.scenario("L5")
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_proxy_that_is_named_is_used(
    environment: pytest.MonkeyPatch, variable: str, scheme: str
) -> None:
    with serving(Proxy) as proxy:
        environment.setenv(variable, f"{scheme}{proxy.address}")

        assert asked(f"http://{FAR}:9999") == ACCOUNT["id"]

    assert [asked for asked, _ in proxy.requests] == [f"GET http://{FAR}:9999/v1/account"]


@pytest.mark.parametrize("listed", [FAR, ".test", "*", f"other.example, {FAR}", f"{FAR}:9999"])
def test_hosts_in_no_proxy_are_reached_directly(
    environment: pytest.MonkeyPatch, listed: str
) -> None:
    with serving(Proxy) as proxy:
        environment.setenv("HTTP_PROXY", f"http://{proxy.address}")
        environment.setenv("NO_PROXY", listed)

        assert "DNS" in cause(f"http://{FAR}:9999")

    assert proxy.requests == []


@pytest.mark.scenario("L5")
@pytest.mark.parametrize("variable", ["ALL_PROXY", "HTTPS_PROXY"])
@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h"])
def test_a_socks_proxy_without_its_package_is_named_as_the_cause(
    environment: pytest.MonkeyPatch, variable: str, scheme: str
) -> None:
    environment.setenv(variable, f"{scheme}://127.0.0.1:1080")
    environment.setattr("importlib.util.find_spec", lambda _name: None)

    assert f"{variable} names a SOCKS proxy, for which the package PySocks" in cause(
        "https://stripe.test"
    )
    with pytest.raises(preflight.CannotStart, match="PySocks"):
        preflight.stripe_account()


@pytest.mark.scenario("L5")
@pytest.mark.parametrize("value", ["ftp://proxy:1", "http://", "http://proxy:port", "://"])
def test_a_proxy_that_is_none_is_one_sentence(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("HTTPS_PROXY", value)

    assert "HTTPS_PROXY names no proxy such as" in cause(f"https://{FAR}")


@pytest.mark.scenario("L5")
@pytest.mark.parametrize("status", [403, 407, 502])
def test_a_proxy_that_refuses_is_named_as_the_cause(
    environment: pytest.MonkeyPatch, status: int
) -> None:
    with serving(Proxy, refusal=status) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://user:secret@{proxy.address}")
        environment.setenv("HTTP_PROXY", f"http://user:secret@{proxy.address}")
        tunnelled, plain = cause(f"https://{FAR}"), ""
        if status != 403:  # what Stripe itself would answer to a key without rights
            plain = cause(f"http://{FAR}")

    assert "through the proxy of HTTPS_PROXY" in tunnelled
    assert not plain or "it may be the proxy of HTTP_PROXY" in plain
    assert "secret" not in tunnelled + plain


def test_a_dead_proxy_is_named_as_the_cause(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")

    assert "through the proxy of HTTPS_PROXY" in cause(f"https://{FAR}")


# --- certificates ---------------------------------------------------------------------------------


@pytest.mark.scenario("L6")
@pytest.mark.parametrize("variable", network.AUTHORITIES)
def test_a_companys_authority_is_honoured(
    environment: pytest.MonkeyPatch, authority: Authority, variable: str
) -> None:
    with authority.serving("localhost") as server:
        base = f"https://localhost:{server.server_port}"
        assert "certificate of localhost is not trusted" in cause(base)

        environment.setenv(variable, str(authority.file))

        assert asked(base) == ACCOUNT["id"]


@pytest.mark.scenario("L6")
def test_stripe_is_reached_through_a_tls_intercepting_proxy(
    environment: pytest.MonkeyPatch, authority: Authority
) -> None:
    with authority.serving(FAR) as far, serving(Proxy, target=far.address) as proxy:
        environment.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        assert "name its certificate authority with REQUESTS_CA_BUNDLE" in cause(f"https://{FAR}")

        environment.setenv("SSL_CERT_FILE", str(authority.file))

        assert asked(f"https://{FAR}") == ACCOUNT["id"]
    assert {asked for asked, _ in proxy.requests} == {f"CONNECT {FAR}:443"}


@pytest.mark.scenario("L6")
def test_a_bundle_without_the_authority_is_named(
    environment: pytest.MonkeyPatch, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path)
    environment.setenv("REQUESTS_CA_BUNDLE", str(other.file))
    with authority.serving("localhost") as server:
        said = cause(f"https://localhost:{server.server_port}")

    assert "is not trusted" in said
    assert f"is not in {other.file} (REQUESTS_CA_BUNDLE)" in said


@pytest.mark.scenario("L6")
@pytest.mark.parametrize("variable", network.AUTHORITIES)
@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "is not there"), ("", "holds no PEM certificate"), ("junk", "holds no PEM")],
)
def test_a_bundle_that_is_missing_or_garbage_is_one_sentence(
    environment: pytest.MonkeyPatch, tmp_path: Path, variable: str, content: Any, words: str
) -> None:
    file = tmp_path / "bundle.pem"
    if content is not None:
        file.write_text(content)
    environment.setenv(variable, str(file))

    said = cause(f"https://localhost:{free_port()}")

    assert words in said
    assert variable in said
    with pytest.raises(preflight.CannotStart, match=words):
        preflight.stripe_account()


def test_a_certificate_bundle_is_ignored_over_plain_http(
    stripe: Recorder, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("SSL_CERT_FILE", "/nowhere/bundle.pem")

    assert asked(f"http://{stripe.address}") == ACCOUNT["id"]


@pytest.mark.scenario("L6")
def test_the_certificate_of_another_host_is_named(
    environment: pytest.MonkeyPatch, authority: Authority
) -> None:
    environment.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    with authority.serving("other.test") as server:
        assert "is another host's" in cause(f"https://localhost:{server.server_port}")


# --- an emulator of one's own ---------------------------------------------------------------------


@pytest.mark.scenario("R5")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_key_works_at_an_emulator_of_ones_own(host: str) -> None:
    emulator = EmulatorServer(Config(port=free_port()))
    try:
        assert asked(f"http://{host}:{emulator.config.port}") == ACCOUNT_ID
        assert preflight.stripe_account() == preflight.StripeAccount("acct_…0000")
        assert [light.good for light in health.check_stripe()] == [True, True]
    finally:
        emulator.stop()


# --- other causes ---------------------------------------------------------------------------------


def test_every_cause_has_its_own_sentence(stripe: Recorder) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        late = cause(f"http://127.0.0.1:{silent.getsockname()[1]}")
    closed = cause(f"http://127.0.0.1:{free_port()}")
    unknown = cause(f"http://{FAR}")
    plain = cause(f"https://{stripe.address}")

    assert "Time-out: 127.0.0.1 does not answer" in late
    assert "Nothing listens at" in closed
    assert f"DNS: the name {FAR} is not known" in unknown
    assert "its port may speak plain HTTP" in plain


def test_an_account_that_is_none_is_an_answer_that_is_not_stripes() -> None:
    class Odd(Stripe):
        def do_GET(self) -> None:
            self.answer(200, b'{"object": "account", "id": 5}')

    with serving(Odd) as server, pytest.raises(StripeUncertain):
        asked(f"http://{server.address}")


def test_the_back_offices_light_says_the_cause() -> None:
    os.environ["STRIPE_API_BASE"] = f"http://{FAR}"

    light, _ = health.check_stripe()

    assert light.good is False
    assert "DNS" in light.remedy


def test_every_error_of_the_sdk_about_a_connection_has_a_cause(
    environment: pytest.MonkeyPatch,
) -> None:
    """Also one that no row of the table knows."""

    def broken(*_arguments: Any, **_options: Any) -> None:
        raise RuntimeError("nobody expected this")

    environment.setattr(network.Session, "send", broken)

    with pytest.raises(StripeError) as failed:
        asked("http://127.0.0.1:1")
    assert "The connection to 127.0.0.1 breaks." in failed.value.for_operator

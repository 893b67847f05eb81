"""Beyond loopback, on purpose only: who may call the emulator, and where webhooks may go."""

import pytest

from stripe_emulator.__main__ import main
from stripe_emulator.base.config import Config
from tests.support.emulator import EmulatorServer
from tests.support.ports import free_port
from tests.support.webhook_receiver import Receiver

OTHER = "127.1"  # another name of this machine that is not among those of loopback


def test_a_name_that_is_allowed_may_call_and_be_called(receiver: Receiver) -> None:
    url = receiver.url.replace("127.0.0.1", OTHER)
    stripe_ = EmulatorServer(Config(port=free_port(), allowed_hosts=("Shop.test", OTHER)))
    try:
        endpoint = stripe_.client.v1.webhook_endpoints.create({"url": url, "enabled_events": ["*"]})
        hosts = ("shop.test", "SHOP.TEST:8502", "localhost", "other.test", "shop.test.evil")
        answers = [stripe_.raw("GET", "/v1/balance", Host=host)[0] for host in hosts]
        stripe_.client.v1.products.create({"name": "Shirt"})
        (arrived,) = receiver.wait_for("product.created")
    finally:
        stripe_.stop()

    assert answers == [200, 200, 200, 403, 403]
    assert arrived.genuine(str(endpoint.secret))


@pytest.mark.parametrize("host", [OTHER, "hooks.example.com", "169.254.169.254", "0.0.0.0"])
def test_an_endpoint_on_a_forbidden_host_is_stored_and_gets_no_delivery(
    stripe_: EmulatorServer, receiver: Receiver, host: str
) -> None:
    url = receiver.url.replace("127.0.0.1", host)
    endpoints = stripe_.client.v1.webhook_endpoints
    endpoint = endpoints.create({"url": url, "enabled_events": ["product.created"]})
    stripe_.client.v1.products.create({"name": "Shirt"})
    receiver.wait_for("product.created")
    stripe_.emulator.dispatcher.wait_until_idle()

    (delivery,) = [d for d in stripe_.emulator.deliveries() if d.endpoint_id == endpoint.id]
    (attempt,) = delivery.attempts
    assert (delivery.state, delivery.next_attempt_at, attempt.status) == ("failed", None, None)
    assert attempt.body.startswith("Not sent: this emulator delivers to this machine only.")
    assert f"--allow-host {host}" in attempt.body
    assert endpoints.retrieve(endpoint.id).url == url
    assert len(receiver.arrived) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--host", "0.0.0.0"], "loopback only"),
        (["--webhook", "http://shop.test/hook"], "--allow-host shop.test lets them go there"),
        (["--allow-host", "http://shop.test"], "takes a host name"),
        (["--allow-host", "shop.test/"], "takes a host name"),
    ],
)
def test_unusable_options_are_refused_at_start(
    capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main(["--data", ":memory:", "--port", str(free_port()), *words]) == 2

    assert sentence in capsys.readouterr().out

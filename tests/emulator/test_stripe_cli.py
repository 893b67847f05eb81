"""The official Stripe CLI, unchanged, in front of the emulator."""

import http.client
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import stripe

from stripe_emulator.base.config import Config
from stripe_emulator.resources.payment_attempts import SETTLE_SECONDS
from tests.support.emulator import EmulatorServer
from tests.support.ports import free_port
from tests.support.stripe_cli import Output, StripeCli
from tests.support.waiting import wait_until
from tests.support.webhook_receiver import Arrived, Receiver

IMITATED = re.compile(
    r"(?m)^ +((?:checkout|charge|coupon|payment_intent|payment_method|price|product"
    r"|promotion_code|setup_intent)\.\S+|customer\.(?:created|updated|deleted))$"
)


class Listening:
    """`stripe listen` in front of an emulator of its own, and what it forwards to."""

    def __init__(self, folder: Path) -> None:
        self.config = Config(data_path=folder / "emulator.db", port=free_port())
        self.stripe = EmulatorServer(self.config)
        self.receiver = Receiver()
        self.cli = StripeCli(self.config.address, folder)
        self.secret = self.cli.secret()
        self.output: Output

    def restart(self) -> None:
        """End the emulator and start it again, on the same file and port."""
        self.stripe.stop()
        self.stripe = EmulatorServer(self.config)

    def newest(self, event_type: str) -> stripe.Event:
        """The latest event of this type."""
        return self.stripe.client.v1.events.list({"type": event_type, "limit": 1}).data[0]

    def deliveries_of(self, event_id: str) -> list[Arrived]:
        """What arrived of one event. Other events may be late ones of an earlier test."""
        return [each for each in list(self.receiver.arrived) if each.event["id"] == event_id]

    def assert_arrives(self, event_type: str) -> None:
        """An event of this type comes, with a signature of the printed secret."""
        arrived = self.receiver.wait_for(event_type, seconds=20)
        assert all(each.genuine(self.secret) for each in arrived)


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    made = Listening(tmp_path_factory.mktemp("stripe-cli"))
    words = ("listen", "--all-snapshot", "--forward-to", made.receiver.url)
    try:
        with made.cli.running(*words) as made.output:
            yield made
    finally:
        made.stripe.stop()
        made.receiver.close()


def test_the_printed_secret_is_that_of_the_account_and_stays(listening: Listening) -> None:
    assert re.fullmatch(r"whsec_\w{32}", listening.secret)
    assert listening.cli.secret() == listening.secret
    assert listening.secret in listening.output.text

    listening.stripe.emulator.reset()

    assert listening.cli.secret() == listening.secret


def test_every_trigger_ends_in_its_event_at_the_receiver(listening: Listening) -> None:
    """All that the CLI lists of these kinds; a debit is settled once its days are over."""
    names = sorted(set(IMITATED.findall(listening.cli.run("trigger", "--help"))))
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda name: listening.cli.run("trigger", name), names))
    listening.stripe.emulator.move_clock(SETTLE_SECONDS)

    assert [text for text in said if "Trigger succeeded" not in text] == []
    assert len(names) > 30
    for name in names:
        listening.assert_arrives(name)


def test_a_delivery_stands_in_the_dashboard_with_the_receivers_answer(
    listening: Listening,
) -> None:
    listening.receiver.answer = lambda event: (500 if event["type"] == "price.created" else 200, 0)
    listening.cli.run("trigger", "price.created")
    product = listening.newest("product.created")
    price = listening.newest("price.created")

    def is_shown(event: stripe.Event, state: str, status: int) -> bool:
        """Among others where the CLI of an earlier test may still come back."""
        deliveries = listening.stripe.emulator.deliveries(event_id=event.id)
        shown = [
            (each.url, each.state, [(attempt.status, attempt.body) for attempt in each.attempts])
            for each in deliveries
        ]
        return (address, state, [(status, "thanks")]) in shown

    # The CLI prints an answer before it reports it to the emulator.
    address = f"Stripe CLI, to {listening.receiver.url}"
    wait_until(lambda: is_shown(product, "succeeded", 200))
    wait_until(lambda: is_shown(price, "failed", 500))
    listening.output.wait_for(r"\[500\] POST")
    listening.receiver.clear()
    status, _, page = listening.stripe.raw("GET", f"/events/{price.id}")
    assert (status, address.encode() in page) == (200, True)


def test_an_event_is_sent_again_to_the_cli_or_to_one_endpoint(listening: Listening) -> None:
    listening.cli.run("trigger", "product.created")
    event = listening.newest("product.created")
    other = Receiver()
    endpoint = listening.stripe.client.v1.webhook_endpoints.create(
        {"url": other.url, "enabled_events": ["charge.failed"]}
    )
    wait_until(lambda: len(listening.deliveries_of(event.id)) == 1)

    listening.cli.run("events", "resend", event.id)
    wait_until(lambda: len(listening.deliveries_of(event.id)) == 2)
    assert other.arrived == []

    listening.cli.run("events", "resend", event.id, "--webhook-endpoint", endpoint.id)
    (arrived,) = other.wait_for("product.created")
    other.close()

    assert arrived.genuine(str(endpoint.secret))
    deliveries = listening.deliveries_of(event.id)
    assert [each.genuine(listening.secret) for each in deliveries] == [True, True]


def test_the_paths_of_registered_endpoints_and_the_types_asked_for_are_used(
    listening: Listening,
) -> None:
    """`-a` forwards to the path of each endpoint; `--events` keeps the rest away."""
    endpoint = listening.stripe.client.v1.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/registered/path", "enabled_events": ["price.created"]}
    )
    base = listening.receiver.url.removesuffix("/hook")
    words = ("listen", "-a", "--events", "price.created", "--forward-to", base)
    with (
        listening.cli.running(*words) as forwarded,
        listening.cli.running("listen", "--events", "price.created", "--format", "JSON") as shown,
    ):
        listening.cli.run("trigger", "price.created")
        forwarded.wait_for(r"\[200\] POST \S+/registered/path")
        (event,) = shown.wait_for(r"(?m)^\{.*\}$")[0].splitlines()
        listening.stripe.client.v1.webhook_endpoints.delete(endpoint.id)

    assert json.loads(event)["type"] == "price.created"
    assert "product.created" not in forwarded.text + shown.text


def test_the_request_log_is_followed_with_its_filters(listening: Listening) -> None:
    tail = ("logs", "tail", "--format", "JSON")
    with (
        listening.cli.running(*tail, "--filter-status-code-type", "4XX") as refused,
        listening.cli.running(*tail, "--filter-http-method", "POST") as posts,
    ):
        listening.cli.run("get", "/v1/products")
        listening.cli.run("post", "/v1/products", "-d", "name=Shirt")
        status, _, _ = listening.stripe.raw("GET", "/v1/products/none")
        found = refused.wait_for(r"(?m)^\{.*\}$")[0]
        posts.wait_for(r"(?m)^\{.*\}$")

    assert status == 404
    logged = json.loads(found)
    assert (logged["status"], logged["url"]) == (404, "/v1/products/none")
    assert logged["error"]["code"] == "resource_missing"
    assert [line for line in posts.text.splitlines() if '"GET"' in line] == []


def test_resources_are_made_listed_and_deleted_by_their_own_commands(
    listening: Listening, tmp_path: Path
) -> None:
    cli = listening.cli
    made = json.loads(cli.run("products", "create", "--name", "Shirt"))
    assert json.loads(cli.run("products", "retrieve", made["id"]))["name"] == "Shirt"
    assert json.loads(cli.run("get", f"/v1/products/{made['id']}"))["id"] == made["id"]
    assert json.loads(cli.run("products", "list", "--limit", "1"))["object"] == "list"
    assert json.loads(cli.run("delete", f"/v1/products/{made['id']}", "--confirm"))["deleted"]

    steps = [
        {"name": "shirt", "path": "/v1/products", "method": "post", "params": {"name": "Shirt"}},
        {
            "name": "price",
            "path": "/v1/prices",
            "method": "post",
            "params": {"product": "${shirt:id}", "currency": "usd", "unit_amount": 1500},
        },
    ]
    file = tmp_path / "fixtures.json"
    file.write_text(json.dumps({"_meta": {"template_version": 0}, "fixtures": steps}))
    cli.run("fixtures", str(file))
    (price,) = listening.stripe.client.v1.prices.list({"limit": 1}).data
    assert price.unit_amount == 1500


def test_an_unknown_cli_session_gets_the_error_that_makes_the_cli_reconnect(
    listening: Listening,
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", listening.config.port, timeout=10)
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        "Websocket-Id": "cliws_unknown",
    }
    connection.request("GET", "/stripecli/subscribe?websocket_feature=webhooks", headers=headers)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()

    assert (answer.status, body) == (404, {"error": {"message": "Unknown WebSocket ID."}})


def test_events_during_a_restart_are_forwarded_afterwards(
    listening: Listening,
) -> None:
    """The connection is gone before the event: it is kept, and delivered to the next one."""
    listening.restart()
    product = listening.stripe.client.v1.products.create({"name": "Made while nobody listened"})
    event = listening.newest("product.created")
    wait_until(lambda: listening.deliveries_of(event.id))

    (arrived,) = listening.deliveries_of(event.id)
    assert arrived.genuine(listening.secret)
    assert arrived.event["data"]["object"]["id"] == product.id

"""Deliveries: to whom, signed by what, and what counts as an answer."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.support.emulator import EmulatorServer
from tests.support.webhook_receiver import Receiver


@pytest.fixture
def other() -> Iterator[Receiver]:
    """A second endpoint."""
    made = Receiver()
    yield made
    made.close()


def test_each_endpoint_has_its_events_and_its_secret(
    stripe_: EmulatorServer, receiver: Receiver, other: Receiver
) -> None:
    endpoint = stripe_.client.v1.webhook_endpoints.create(
        {"url": other.url, "enabled_events": ["product.updated"]}
    )
    product = stripe_.client.v1.products.create({"name": "Hat"})
    stripe_.client.v1.products.update(product.id, {"name": "Red Hat"})
    (update,) = other.wait_for("product.updated")
    receiver.wait_for("product.updated")
    stripe_.emulator.dispatcher.wait_until_idle()

    assert [delivery.type for delivery in other.arrived] == ["product.updated"]
    assert update.genuine(str(endpoint.secret))
    assert not update.genuine()
    assert {delivery.type for delivery in receiver.arrived} == {
        "product.created",
        "product.updated",
    }
    (updated,) = stripe_.client.v1.events.list({"type": "product.updated"}).data
    assert updated.pending_webhooks == 0


def test_pending_webhooks_counts_endpoints_without_a_2xx(
    stripe_: EmulatorServer, receiver: Receiver, other: Receiver
) -> None:
    stripe_.client.v1.webhook_endpoints.create({"url": other.url, "enabled_events": ["*"]})
    other.answer = lambda _: (500, 0)
    stripe_.client.v1.products.create({"name": "Hat"})
    other.wait_for("product.created")
    receiver.wait_for("product.created")
    stripe_.emulator.dispatcher.wait_until_idle()

    (event,) = stripe_.client.v1.events.list({"delivery_success": False}).data
    assert event.pending_webhooks == 1
    other.clear()
    stripe_.emulator.resend(event.id)
    other.wait_for("product.created")
    stripe_.emulator.dispatcher.wait_until_idle()
    assert stripe_.client.v1.events.retrieve(event.id).pending_webhooks == 0


@pytest.mark.parametrize("how", ["deleted", "disabled"])
def test_a_deleted_endpoint_gets_no_more_deliveries(
    stripe_: EmulatorServer, other: Receiver, how: str
) -> None:
    endpoints = stripe_.client.v1.webhook_endpoints
    endpoint = endpoints.create({"url": other.url, "enabled_events": ["*"]})
    other.answer = lambda _: (500, 0)
    stripe_.client.v1.products.create({"name": "Hat"})
    other.wait_for("product.created")
    stripe_.emulator.dispatcher.wait_until_idle()

    if how == "deleted":
        assert endpoints.delete(endpoint.id).to_dict()["deleted"] is True
    else:
        endpoints.update(endpoint.id, {"disabled": True})
    stripe_.emulator.move_clock(601)
    stripe_.client.v1.products.create({"name": "Shoe"})
    stripe_.emulator.dispatcher.wait_until_idle()

    assert len(other.arrived) == 1
    states = {delivery.endpoint_id: delivery.state for delivery in stripe_.emulator.deliveries()}
    assert states[endpoint.id] == "failed"


@pytest.mark.parametrize(
    ("status", "seconds", "state"),
    [
        (200, 0, "succeeded"),
        (204, 0, "succeeded"),
        (301, 0, "pending"),
        (400, 0, "pending"),
        (503, 0, "pending"),
        (200, 1.3, "pending"),
    ],
)
def test_only_a_2xx_in_time_is_an_answer(
    stripe_: EmulatorServer, receiver: Receiver, status: int, seconds: float, state: str
) -> None:
    receiver.answer = lambda _: (status, seconds)
    stripe_.client.v1.products.create({"name": "Hat"})
    receiver.wait_for("product.created")
    stripe_.emulator.dispatcher.wait_until_idle()

    (delivery,) = stripe_.emulator.deliveries()

    assert delivery.state == state
    (attempt,) = delivery.attempts
    assert attempt.status == (status if seconds < 1 else None)
    assert (delivery.next_attempt_at is None) == (state == "succeeded")


def test_a_payment_is_committed_before_its_events_leave(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    seen: list[Any] = []

    def look(event: dict[str, Any]) -> tuple[int, float]:
        if event["type"] == "checkout.session.completed":
            session_id = event["data"]["object"]["id"]
            session = stripe_.client.v1.checkout.sessions.retrieve(session_id)
            seen.append((session.status, session.payment_status))
        return 200, 0

    receiver.answer = look
    stripe_.pay(stripe_.a_session().id)

    assert seen == [("complete", "paid")]


def test_an_event_is_a_snapshot_and_never_changes(stripe_: EmulatorServer) -> None:
    intent = stripe_.a_payment()
    stripe_.client.v1.refunds.create({"payment_intent": intent.id})

    (event,) = stripe_.client.v1.events.list({"type": "charge.succeeded"}).data

    assert event.data.object.to_dict()["amount_refunded"] == 0
    assert stripe_.charge_of(intent).amount_refunded == 3998


def test_the_redirect_follows_after_a_timeout_of_the_endpoint(
    stripe_: EmulatorServer, receiver: Receiver
) -> None:
    receiver.answer = lambda _: (200, 1.5)
    started = time.monotonic()

    assert stripe_.pay(stripe_.a_session().id).outcome == "succeeded"

    assert 0.9 < time.monotonic() - started < 4


def test_an_unknown_event_or_endpoint_cannot_be_resent(stripe_: EmulatorServer) -> None:
    stripe_.client.v1.products.create({"name": "Hat"})
    (event,) = stripe_.client.v1.events.list().data
    for event_id, endpoint_id in (("evt_nobody", None), (event.id, "we_nobody")):
        with pytest.raises(Exception, match="No such"):
            stripe_.emulator.resend(event_id, endpoint_id)
    with pytest.raises(stripe.InvalidRequestError, match="No such event: 'evt_nobody'"):
        stripe_.client.v1.events.retrieve("evt_nobody")

"""One emulator and one receiver for all tests here; each test finds them empty."""

from collections.abc import Iterator

import pytest
import stripe

from stripe_emulator.base.config import Config
from tests.support.emulator import EmulatorServer
from tests.support.ports import free_port
from tests.support.webhook_receiver import SECRET, Receiver


@pytest.fixture(scope="session")
def _receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="session")
def _running(_receiver: Receiver) -> Iterator[EmulatorServer]:
    stripe.enable_telemetry = False
    made = EmulatorServer(
        Config(
            port=free_port(),
            webhook_url=_receiver.url,
            webhook_secret=SECRET,
            delivery_timeout_seconds=1.0,
            redirect_wait_seconds=3.0,
        )
    )
    yield made
    made.stop()


@pytest.fixture
def receiver(_receiver: Receiver) -> Receiver:
    """The endpoint the emulator was started with, which has seen nothing yet."""
    _receiver.clear()
    return _receiver


@pytest.fixture
def stripe_(_running: EmulatorServer, receiver: Receiver) -> EmulatorServer:
    """A running emulator whose account is empty."""
    _running.emulator.dispatcher.wait_until_idle()
    _running.emulator.reset()
    receiver.clear()
    return _running

"""The shop on SQLite and on PostgreSQL, each test with a fresh database and an empty emulator."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import stripe

from store.core import settings
from store.db import engine as db
from store.orders import coalescing
from store.reconciliation import open_orders
from store.stripe_api import transport
from store.stripe_api.clock_skew import CLOCK_SKEW
from stripe_emulator.base.config import Config
from tests.support.databases import (  # noqa: F401 - fixtures
    _postgres_server,
    empty_database_url,
    fresh_database_url,
    new_postgres_database,
    postgres,
    postgres_template,
    share_statements,
    sqlite_template,
)
from tests.support.emulator import EmulatorServer
from tests.support.ports import free_port
from tests.support.shop import SECRET, Shop, WebhookServer


@pytest.fixture(scope="session")
def _stripe() -> Iterator[EmulatorServer]:
    made = EmulatorServer(Config(port=free_port()))
    yield made
    made.stop()


@pytest.fixture
def settled(
    database_url: str, _stripe: EmulatorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The environment of a shop on its own database, in front of an empty Stripe.

    Its pauses are short: how long it waits is not what these tests are about.
    """
    for name in set(os.environ) & {"STRIPE_SECRET_KEY", "STORE_URL", "CURRENCY"}:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("STRIPE_API_BASE", _stripe.config.address)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("RECONCILE_SECONDS", "3600")
    monkeypatch.setattr(open_orders, "MIN_ORDER_AGE", timedelta(0))
    monkeypatch.setattr(CLOCK_SKEW, "ahead", None)  # of a test that moved the clock
    monkeypatch.setattr(coalescing, "REUSE_SECONDS", 0)
    monkeypatch.setattr(transport, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(transport, "BUSY_PAUSES_SECONDS", (0.01, 0.02, 0.04))
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.02)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0.1)
    settings.current.cache_clear()
    share_statements(db.engine())
    yield
    # Before the database is emptied for the next test, or a last delivery would come in between.
    _stripe.emulator.dispatcher.wait_until_idle()
    _stripe.emulator.reset()
    db.engine().dispose()
    db.engine_for.cache_clear()
    settings.current.cache_clear()
    transport.client_for.cache_clear()


@pytest.fixture(scope="session")
def _server() -> Iterator[WebhookServer]:
    opened = WebhookServer(free_port())
    yield opened
    opened.close()


@pytest.fixture
def server(settled: None, _server: WebhookServer) -> WebhookServer:
    """The webhook server; it looks at the settings anew for each event."""
    return _server


@pytest.fixture
def shop(_stripe: EmulatorServer, server: WebhookServer) -> Shop:
    """A shop with its webhook server running; only the test delivers events."""
    return Shop(_stripe, server)


@pytest.fixture
def empty(
    empty_database_url: str,  # noqa: F811 - the fixture imported above
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """A shop whose database has no table yet."""
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.delenv("CURRENCY", raising=False)
    settings.current.cache_clear()
    yield empty_database_url
    db.engine().dispose()
    db.engine_for.cache_clear()
    settings.current.cache_clear()

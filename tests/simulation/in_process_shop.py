"""The shop and Stripe in one process and one thread, where every step can be the last.

The store's own code runs unchanged, through the real `stripe` SDK, against the emulator. Three
things are not what they are outside: the SDK hands its requests over without a socket, the clock
only moves when it is told to, and SQLite does not wait for the disk, because what dies here is
the process and not the machine.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import stripe
from sqlalchemy import Connection, Engine, event

from store.core import clock, settings
from store.core.errors import StoreError
from store.db import engine as db
from store.orders import checkout, coalescing
from store.stripe_api import signatures, transport
from store.stripe_api.clock_skew import CLOCK_SKEW
from store.webhooks import parsing, processing
from stripe_emulator.api.pipeline import ApiRequest, RequestPipeline
from stripe_emulator.base.config import Config
from stripe_emulator.base.ids import new_id
from stripe_emulator.emulator import Emulator
from stripe_emulator.webhooks import deliveries, tampering
from stripe_emulator.webhooks.http_client import HttpResult

SECRET = "whsec_the_simulated_shop"
STORE_URL = "http://127.0.0.1:9"
WEBHOOKS = f"{STORE_URL}/webhooks/stripe/"
STRAY = "stray"
"""In the metadata of sessions that the shop never made, though they name an order of its."""
LIES = ("livemode", "amount", "currency")
IDENTIFIER = re.compile(r"\b[a-z]+_[A-Za-z0-9_]{20,}")
FIRST_DAY = 1_767_225_600.0
"""1 January 2026, in Unix seconds."""


class Crash(BaseException):
    """The process ends here. No `except Exception` may know of it."""


class Clock:
    """Stripe's time, and the shop's, which may be ahead of it or behind."""

    def __init__(self) -> None:
        self.seconds = FIRST_DAY
        self.shop_ahead = 0.0

    def __call__(self) -> float:
        return self.seconds

    def now(self, zone: tzinfo) -> datetime:
        """Stands in for `datetime.now` in `store.core.clock`."""
        return datetime.fromtimestamp(self.seconds + self.shop_ahead, zone)

    def at_stripe(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


class Points:
    """The places where a process may die: on both sides of each commit and each Stripe call."""

    def __init__(self) -> None:
        self.passed = 0
        self.act: Callable[[str], None] = _nothing

    def __call__(self, place: str) -> None:
        self.passed += 1
        self.act(place)


def _nothing(_place: str) -> None:
    """Go on."""


class Wire(transport.DeadlineClient):
    """Carries the SDK's requests to the emulator's request pipeline without a socket in between."""

    name = "in process"

    def __init__(self, simulated: "SimulatedShop") -> None:
        super().__init__()
        self.simulated = simulated

    def send(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        """One attempt; the SDK repeats it as it would over the network."""
        assert not self.simulated.open_transactions, "Stripe is asked inside a transaction"
        given = {name.lower(): value for name, value in (headers or {}).items()}
        assert given["authorization"].startswith("Bearer sk_test_")
        parts = urlsplit(url)
        place = f"{method.upper()} {IDENTIFIER.sub('…', parts.path)}"
        self.simulated.points(f"before {place}")
        answer = self.simulated.pipeline.handle(
            ApiRequest(
                method=method.upper(),
                path=parts.path,
                query=parts.query.encode(),
                body=(post_data or "").encode(),
                content_type=given.get("content-type", ""),
                authorization=given["authorization"],
                idempotency_key=given.get("idempotency-key"),
            )
        )
        self.simulated.points(f"after {place}")
        self.simulated.calls += 1
        if answer.fault and answer.fault.kind in ("cut", "hang"):
            raise stripe.APIConnectionError("Cut.", should_retry=True)  # type: ignore[no-untyped-call]
        date = formatdate(self.simulated.clock(), usegmt=True)
        return answer.body.decode(), answer.status, answer.headers | {"Date": date}

    def close(self) -> None:
        """There is nothing to close."""


@dataclass
class SimulatedShop:
    """Everything that outlives a crash: the database, Stripe, the time."""

    emulator: Emulator
    clock: Clock
    points: Points = field(default_factory=Points)
    open_transactions: set[int] = field(default_factory=set)
    calls: int = 0
    commits: int = 0
    arrived: dict[str, int] = field(default_factory=dict)
    """How often each event was answered with a 2xx."""
    forgotten: set[str] = field(default_factory=set)
    """Sessions that Stripe does not know any more."""
    unmissed: set[str] = field(default_factory=set)
    """Sessions of orders that only a lost copy of the database knew: expired unpaid, or strays."""

    def __post_init__(self) -> None:
        self.pipeline = RequestPipeline(self.emulator.account)
        self.wire = Wire(self)

    # --- the process ------------------------------------------------------------------------

    def restart(self) -> None:
        """A process begins: connections, engine and settings of the one before are gone."""
        self.drop_connections()
        db.engine_for.cache_clear()
        settings.current.cache_clear()
        self._watch(db.engine())

    def drop_connections(self) -> None:
        """What the database sees of a process that ends; much cheaper than a new engine."""
        checkout.LOOK_UPS = coalescing.RequestCoalescer()
        if db.engine_for.cache_info().currsize:
            db.engine().dispose()
        self.open_transactions.clear()

    @contextmanager
    def another_process(self) -> Iterator[None]:
        """What one process keeps about its own questions to Stripe, another does not know."""
        ours, checkout.LOOK_UPS = checkout.LOOK_UPS, coalescing.RequestCoalescer()
        try:
            yield
        finally:
            checkout.LOOK_UPS = ours

    def _watch(self, engine: Engine) -> None:
        commit, rollback = engine.dialect.do_commit, engine.dialect.do_rollback

        def begun(connection: Connection) -> None:
            self.open_transactions.add(id(connection.connection.dbapi_connection))

        def do_commit(connection: Any) -> None:
            self.points("before commit")
            commit(connection)
            self.commits += 1
            self._ended(connection)
            self.points("after commit")

        def do_rollback(connection: Any) -> None:
            rollback(connection)
            self._ended(connection)

        def gone(connection: Any, *_more: Any) -> None:
            self.open_transactions.discard(id(connection))

        event.listen(engine, "begin", begun)
        event.listen(engine, "close", gone)
        event.listen(engine, "invalidate", gone)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _never_wait_for_the_disk)
        dialect: Any = engine.dialect
        dialect.do_commit, dialect.do_rollback = do_commit, do_rollback

    def _ended(self, connection: Any) -> None:
        raw = getattr(connection, "dbapi_connection", None) or connection
        self.open_transactions.discard(id(raw))

    # --- the way from Stripe to the server -------------------------------------------------------

    def due(self) -> list[int]:
        """Deliveries whose time has come."""
        with self.emulator.account.reading() as tx:
            return deliveries.due(tx.connection, tx.now, 500)

    def carry(self, delivery_ids: Sequence[int]) -> int:
        """Deliver some events together, in this order; answers how many got a 2xx."""
        parcels = []
        for delivery_id in delivery_ids:
            with self.emulator.account.writing() as tx:
                if prepared := deliveries.prepare(tx, delivery_id):
                    parcels.append(prepared)
        posts = []
        for prepared in parcels:
            if prepared.fault and prepared.fault.kind == "forge":
                assert self.deliver_posts([tampering.forge_event(prepared, int(self.clock()))]) == [
                    400
                ]
            if prepared.fault and prepared.fault.kind in LIES:
                if STRAY.encode() not in prepared.payload:
                    self.deliver_posts([_lie(prepared, int(self.clock()))])
                prepared = replace(prepared, fault=None)  # noqa: PLW2901
            posts.append(tampering.body_and_signature(prepared, int(self.clock())))
        statuses = self.deliver_posts(posts)
        for prepared, (_, signature), status in zip(parcels, posts, statuses, strict=True):
            if status < 300:
                self.arrived[prepared.event_id] = self.arrived.get(prepared.event_id, 0) + 1
            with self.emulator.account.writing() as tx:
                deliveries.record(tx, prepared, HttpResult(status, "", 0.0), signature, "sandbox")
        return sum(status < 300 for status in statuses)

    def deliver_posts(self, posts: Sequence[tuple[bytes, str]]) -> list[int]:
        """The webhook server without its HTTP: verify, find out, commit together, answer."""
        statuses, arrived = [200] * len(posts), {}
        for place, (body, header) in enumerate(posts):
            try:
                signatures.verify(body, header, settings.current().webhook_secrets)
                arrived[place] = parsing.parse_event(parsing.decode_body(body))
            except StoreError as error:
                statuses[place] = int(error.status)
        if arrived:
            try:
                answers = processing.process_events(list(arrived.values()), source="webhook")
                for place, answer in zip(arrived, answers, strict=True):
                    if isinstance(answer, StoreError):
                        statuses[place] = int(answer.status)
            except StoreError as error:
                statuses = [
                    int(error.status) if place in arrived else status
                    for place, status in enumerate(statuses)
                ]
        return statuses

    def forget_session(self, session_id: str) -> None:
        """Let an open session be gone at Stripe: unpayable, unknown, and no event says so."""
        with self.emulator.account.writing() as tx:
            session = tx.get(session_id, "checkout.session")
            tx.save(session | {"status": "expired", "url": None})
        self.forgotten.add(session_id)
        self.emulator.inject_fault("request", "gone", times=None, match=session_id)

    def calm(self) -> None:
        """Let nothing go wrong any more; what is gone stays so."""
        self.emulator.clear_faults()
        for session_id in sorted(self.forgotten):
            self.emulator.inject_fault("request", "gone", times=None, match=session_id)

    def unmissed_numbers(self) -> set[str]:
        """The orders of those sessions."""
        found = [self.emulator.retrieve(session_id) or {} for session_id in self.unmissed]
        return {session["metadata"]["order_number"] for session in found}

    def events(self) -> list[dict[str, Any]]:
        """The events of the last days at Stripe, oldest first."""
        with self.emulator.account.reading() as tx:
            rows = tx.connection.execute("SELECT body FROM events ORDER BY seq").fetchall()
        return [json.loads(row["body"]) for row in rows]

    def stripes(self, kind: str) -> list[dict[str, Any]]:
        """All objects of a kind at Stripe, oldest first."""
        with self.emulator.account.reading() as tx:
            rows = tx.connection.execute(
                "SELECT body FROM objects WHERE kind = ? ORDER BY seq", (kind,)
            ).fetchall()
        return [json.loads(row["body"]) for row in rows]


def _lie(prepared: deliveries.PreparedDelivery, now: int) -> tuple[bytes, str]:
    """The same event with another amount, currency or mode, as an event of its own, well signed.

    It comes beside the true one and not in its place: Stripe says no event in two ways.
    """
    event = json.loads(prepared.payload)
    event["id"] = new_id("event")
    return tampering.body_and_signature(replace(prepared, payload=json.dumps(event).encode()), now)


def _never_wait_for_the_disk(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


@contextmanager
def set_up(database_url: str, folder: Path) -> Iterator[SimulatedShop]:
    """A simulated shop on a migrated database, with an empty Stripe."""
    made_clock = Clock()
    config = Config(
        data_path=folder / "emulator.db",
        webhook_url=WEBHOOKS,
        webhook_secret=SECRET,
        clock=made_clock,
        redirect_wait_seconds=0,
    )
    simulated = SimulatedShop(Emulator(config), made_clock)
    CLOCK_SKEW.ahead = None  # of the simulation before
    client = stripe.StripeClient(
        settings.EMULATOR_KEY,
        base_addresses={"api": config.address},
        max_network_retries=transport.RETRIES,
        http_client=simulated.wire,
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STRIPE_SECRET_KEY", "STRIPE_API_BASE", "CURRENCY", "CHECKOUT_MINUTES"):
            patch.delenv(name, raising=False)
        patch.setenv("DATABASE_URL", database_url)
        patch.setenv("DATA_DIR", str(folder))
        patch.setenv("STRIPE_WEBHOOK_SECRET", SECRET)
        patch.setattr(clock, "datetime", made_clock)
        patch.setattr(transport, "client_for", lambda _key, _base: client)
        patch.setattr(transport, "BUSY_PAUSES_SECONDS", (0.0, 0.0, 0.0))
        patch.setattr(transport, "PAUSE_SECONDS", 0)
        patch.setattr(coalescing, "REUSE_SECONDS", 0)  # by a clock that is not the simulation's
        patch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)
        patch.setattr(stripe.HTTPClient, "MAX_DELAY", 0)
        simulated.restart()
        yield simulated
        simulated.points.act = _nothing
        db.engine().dispose()
        db.engine_for.cache_clear()
    settings.current.cache_clear()
    simulated.emulator.stop()

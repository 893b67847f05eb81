"""The three processes of one shop, each of which can be killed, stopped and started again."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import IO
from urllib.parse import urlsplit

import httpx
import pytest
import stripe
from playwright.sync_api import BrowserContext, Page
from sqlmodel import Session, col, select

from store.backoffice import auth
from store.catalog import seeding
from store.cli.child_process import OWN_GROUP
from store.cli.launch import ShopProcesses
from store.cli.supervisor import Program
from store.core import settings
from store.core.local_http import is_up
from store.core.settings import EMULATOR_KEY, ROOT
from store.db import engine as db
from store.db.models import HistoryEntry, Order
from store.stripe_api import transport
from store.web import buyer_cookie
from store.web.buyer_cookie import cookie_name
from tests.support import loopback
from tests.support.command_line import clean
from tests.support.counting import Payment, count, judge
from tests.support.ports import FLAGS, free_port
from tests.support.preloaded_python import (
    CAN_FORK,
    SERVER_LIBRARIES,
    ForkedProcess,
    preloaded_python,
)
from tests.support.waiting import wait_until

START_SECONDS = 120
# uvicorn closes an idle connection after 5 s; a client that reuses it at this moment gets an error.
CLIENT_LIMITS = httpx.Limits(keepalive_expiry=2)
SECRET = re.compile(r"whsec_|sk_test_|store_buyer(?:_\d+)?=")
"""What begins with one of these is a secret, whichever."""
SIGN_IN = re.compile(r"/back-office/sign-in#\S+")
"""The link that the launcher shows to whoever started it, once; everywhere else it is a leak."""
# A blank is a value that wins over a developer's own `.env`, and then counts as not set.
UNSET = (
    "STRIPE_SECRET_KEY STRIPE_PUBLISHABLE_KEY STRIPE_WEBHOOK_SECRET CURRENCY STORE_URL "
    "DEMO_CUSTOMER_EMAIL ADMIN_PASSWORD ALLOWED_HOSTS DEBUG LOG_LEVEL CHECKOUT_MINUTES"
).split()


@dataclass
class Process:
    """One program of the shop, started as the launcher starts it."""

    program: Program
    health: str
    environment: dict[str, str]
    log: Path
    running: subprocess.Popen[bytes] | ForkedProcess | None = None
    kills: int = 0
    _input: IO[bytes] | None = None

    def start(self) -> "Process":
        assert self.running is None
        environment = {**self.environment, **self.program.environment}
        if CAN_FORK:
            self.running = self._fork(environment)
            return self
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                self.program.command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=ROOT,
                **OWN_GROUP,
            )
        self._input = self.running.stdin
        return self

    def _fork(self, environment: dict[str, str]) -> ForkedProcess:
        """The same, without waiting for its libraries to be loaded once more."""
        _python, _option, module, *words = self.program.command
        pipe = self.log.with_suffix(".stdin")
        if not pipe.exists():
            os.mkfifo(pipe)
        self._input = os.fdopen(os.open(pipe, os.O_RDWR), "wb", buffering=0)
        python = preloaded_python(SERVER_LIBRARIES, tuple(clean().items()))
        return python.start(module, words, environment, [str(pipe), *[str(self.log)] * 2])

    def listens(self) -> bool:
        """True if it listens on its port, whether or not it can answer."""
        parts = urlsplit(self.health)
        with socket() as probe:
            probe.settimeout(0.02)
            return probe.connect_ex((parts.hostname or "", parts.port or 0)) == 0

    def wait_until_ready(self) -> None:
        assert self.running is not None
        wait_until(lambda: is_up(self.health), START_SECONDS, process=self.running, said=self.said)

    def restart(self) -> None:
        self.start().wait_until_ready()

    def kill(self) -> None:
        """What `kill -9` does: nothing of the program runs any more."""
        assert self.running is not None
        assert self.running.poll() is None, f"{self.program.name} had ended:\n{self.said()}"
        self.end()
        self.kills += 1
        count("kills")

    def end(self) -> None:
        """The same, when all is over and nobody counts."""
        assert self.running is not None
        assert self._input is not None
        self.running.kill()
        self.running.wait()
        self._input.close()
        self.running = None

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Killed, and not started again until this is over."""
        self.kill()
        try:
            yield
        finally:
            self.restart()

    @contextmanager
    def held(self) -> Iterator[None]:
        """The program is stopped with its port open: a request to it waits."""
        assert self.running is not None
        held = self.running
        held.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            held.send_signal(signal.SIGCONT)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


@dataclass
class RunningShop:
    """A shop with a data folder of its own. `reconcile_seconds` is so long by default that what
    settles an order is its webhook, or the buyer coming back."""

    folder: Path
    database_url: str
    reconcile_seconds: float = 3600
    more: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ports = [free_port() for _ in range(3)]
        shop, webhook_server, emulator = self.ports
        self.environment = {
            "DATA_DIR": str(self.folder),
            "DATABASE_URL": self.database_url,
            "STRIPE_API_BASE": f"http://127.0.0.1:{emulator}",
            "RECONCILE_SECONDS": str(self.reconcile_seconds),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            **dict.fromkeys(UNSET, " "),
            **self.more,
        }
        with self.entered():
            arguments = Namespace(
                host=None, port=shop, webhook_port=webhook_server, emulator_port=emulator
            )
            launched = ShopProcesses(settings.current(), arguments, has_emulator=True)
            self.sign_in_link = auth.sign_in_url(f"http://127.0.0.1:{shop}")
            self.secrets |= {EMULATOR_KEY, auth.password(), *settings.current().webhook_secrets}
            seeding.migrate()
        for name in ("storefront_url", "webhook_server_url", "emulator_url"):
            assert getattr(launched, name).startswith("http://")
        self.address = f"http://127.0.0.1:{shop}"
        self.stripe_address = launched.emulator_url
        self.webhook_address = f"{launched.webhook_server_url}/webhooks/stripe/"
        health, environment = launched.health_urls(), {**os.environ, **self.environment}
        environment |= {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
        self.processes = {
            program.name: Process(
                program, health[program.name], environment, self.folder / f"{program.name}.log"
            )
            for program in launched.programs()
        }
        self.stripe = stripe.StripeClient(
            EMULATOR_KEY, base_addresses={"api": self.stripe_address}, max_network_retries=2
        ).v1
        self.engine = db.engine_for.__wrapped__(self.database_url)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This test process as one more process of the shop, with its environment."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            settings.current.cache_clear()
            try:
                yield
            finally:
                db.engine().dispose()
                db.engine_for.cache_clear()
                transport.client_for.cache_clear()
        settings.current.cache_clear()

    @property
    def webhook_server(self) -> Process:
        return self.processes["webhook server"]

    @property
    def storefront(self) -> Process:
        return self.processes["storefront"]

    @property
    def emulator(self) -> Process:
        return self.processes["emulator"]

    def open(self, *names: str) -> None:
        started = [self.processes[name].start() for name in names or self.processes]
        for process in started:
            process.wait_until_ready()

    @contextmanager
    def launched(self) -> Iterator[Path]:
        """The whole shop by one command instead, from when it says that it is open; its log."""
        words = [f"{flag}={port}" for flag, port in zip(FLAGS, self.ports, strict=True)]
        given = {"STRIPE_API_BASE": " ", "DATABASE_URL": " ", "DATA_DIR": " "}
        log = self.folder / "launcher.log"
        with log.open("wb") as output:
            launcher = subprocess.Popen(
                [sys.executable, "-m", "store", "--data-dir", str(self.folder), *words],
                cwd=ROOT,
                env={**os.environ, **self.environment, **given},
                stdout=output,
                stderr=output,
            )
        wait_until(lambda: "Ctrl-C stops everything" in log.read_text("utf-8"), seconds=120)
        try:
            yield log
        finally:
            launcher.send_signal(signal.SIGINT)
            ended = launcher.wait(60)
        assert ended == 0

    def close(self) -> None:
        for process in self.processes.values():
            if process.running:
                process.end()
        self.engine.dispose()

    def leaks(self) -> list[str]:
        """Which secret stands in which log, named by its first letters."""
        logs = {log.name: log.read_text("utf-8", "replace") for log in self.folder.glob("*.log")}
        if terminal := logs.get("launcher.log"):
            logs["launcher.log"] = SIGN_IN.sub("", terminal)
        assert logs
        known = [
            f"{name}: {secret[:9]}…"
            for name, said in logs.items()
            for secret in sorted(self.secrets)
            if secret in said
        ]
        kinds = [f"{name}: {kind}" for name, said in logs.items() for kind in SECRET.findall(said)]
        return known + kinds

    # --- our records and Stripe's ----------------------------------------------------------------

    def orders(self, buyer: str | None = None) -> list[Order]:
        """The orders in our book, oldest first."""
        with Session(self.engine, expire_on_commit=False) as session:
            rows = select(Order).order_by(col(Order.id))
            return list(
                session.exec(rows if buyer is None else rows.where(Order.buyer_hash == buyer))
            )

    def the_order(self, buyer: str) -> Order:
        """The one order of this buyer; a second one would be the fault we look for."""
        (order,) = self.orders(buyer)
        return order

    def log(self, order: Order) -> list[tuple[str, str]]:
        """The history of an order: who said it, and what."""
        with Session(self.engine) as session:
            rows = select(HistoryEntry).where(HistoryEntry.order_id == order.id)
            history = session.exec(rows.order_by(col(HistoryEntry.id)))
            return [(row.source, row.action) for row in history]

    def sessions(self, order: Order) -> list[stripe.checkout.Session]:
        """Every Checkout Session at Stripe that names this order."""
        listed = self.stripe.checkout.sessions.list({"limit": 100}).auto_paging_iter()
        return [session for session in listed if session.client_reference_id == order.number]

    def charges(self) -> dict[str, list[stripe.Charge]]:
        """The charges at Stripe that took money, by payment."""
        found: dict[str, list[stripe.Charge]] = {}
        for charge in self.stripe.charges.list({"limit": 100}).auto_paging_iter():
            if charge.status == "succeeded":
                found.setdefault(str(charge.payment_intent), []).append(charge)
        return found

    def assert_paid_once(self, buyer: str) -> Order:
        """One order, one session, one charge of the right amount."""
        order = self.the_order(buyer)
        assert order.status == "paid", (order.status, self.log(order))
        (session,) = self.sessions(order)
        assert session.id == order.checkout_session_id
        (charge,) = self.charges()[str(session.payment_intent)]
        assert (charge.amount, charge.amount_refunded) == (order.total_amount, 0)
        return order

    def assert_books_equal(self) -> int:
        """Each payment at Stripe is one paid order here, to the cent, and the other way round."""
        charges = self.charges()
        theirs = {
            payment: [charge.amount for charge in taken] for payment, taken in charges.items()
        }
        ours = {
            str(order.payment_intent_id): [order.total_amount]
            for order in self.orders()
            if order.status == "paid"
        }
        self.judge()
        assert ours == theirs
        return len(ours)

    def judge(self) -> None:
        """Each charge at Stripe is known here, and no order keeps two."""
        listed = self.stripe.checkout.sessions.list({"limit": 100}).auto_paging_iter()
        order_of = {
            str(session.payment_intent): str(session.client_reference_id) for session in listed
        }
        judge(
            (
                Payment(payment, order_of[payment], kept=charge.amount_refunded < charge.amount)
                for payment, taken in self.charges().items()
                for charge in taken
            ),
            {order.number: [str(order.payment_intent_id)] for order in self.orders()},
        )

    def requests(self) -> int:
        """How often Stripe has been asked for something."""
        with closing(sqlite3.connect(self.folder / "emulator.db")) as account:
            count: int = account.execute("SELECT count(*) FROM requests").fetchone()[0]
        return count

    def trouble(self, kind: str, request: str, value: str = "") -> None:
        """Let the next such request to Stripe go wrong."""
        asked = {"target": "request", "kind": kind, "match": request, "value": value}
        loopback.post(f"{self.stripe_address}/emulator/troubles", json=asked).raise_for_status()

    def deliver_again(self, order: Order) -> None:
        """Let Stripe send the order's completed checkout once more, and wait for the 2xx."""
        listed = self.stripe.events.list({"type": "checkout.session.completed", "limit": 100})
        event = next(e for e in listed.data if e.data.object["id"] == order.checkout_session_id)
        controls = f"{self.stripe_address}/emulator"
        loopback.post(f"{controls}/events/{event.id}/resend", json={}).raise_for_status()

        def has_arrived() -> bool:
            newest = loopback.get(f"{controls}/deliveries", params={"event": event.id}).json()[0]
            return bool(newest["state"] == "succeeded")

        wait_until(has_arrived)

    def knows(self, browser: BrowserContext) -> str:
        """Who the shop takes this browser for; its name must never be written to a log."""
        (cookie,) = [
            cookie["value"]
            for cookie in browser.cookies(self.address)
            if cookie.get("name")
            == cookie_name(buyer_cookie.COOKIE_NAME, urlsplit(self.address).netloc)
        ]
        self.secrets |= {cookie, buyer_cookie.buyer_hash(cookie)}
        return buyer_cookie.buyer_hash(cookie)

    def opens_back_office(self, browser: BrowserContext) -> Page:
        """Sign in as the printed link does; the session's cookie must never be in a log either."""
        page = browser.new_page()
        page.goto(self.sign_in_link)
        page.wait_for_url(f"{self.address}/back-office")
        self.knows_the_operator(browser)
        return page

    def knows_the_operator(self, browser: BrowserContext) -> None:
        """Remember the session of this browser's operator as a secret."""
        name = cookie_name(auth.COOKIE, urlsplit(self.address).netloc)
        cookies = browser.cookies(self.address)
        found = {cookie["value"] for cookie in cookies if cookie.get("name") == name}
        assert found
        self.secrets |= found

    def visitor(self) -> tuple[str, httpx.Client]:
        """A buyer without a browser: the name the database knows, and a client with the cookie."""
        cookie = buyer_cookie.new_cookie()
        self.secrets |= {cookie, buyer_cookie.buyer_hash(cookie)}
        client = loopback.Client(
            base_url=self.address,
            cookies={buyer_cookie.COOKIE_NAME: cookie},
            timeout=30,
            limits=CLIENT_LIMITS,
        )
        return buyer_cookie.buyer_hash(cookie), client

"""The servers that are measured, ours and its yardsticks: one process each, with its database."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sqlalchemy import Engine, create_engine, make_url, text

from bench.support.servers import running
from tests.support import sample_shop
from tests.support.child_process import ROOT
from tests.support.ports import free_port

SECRET = "whsec_benchmark"  # noqa: S105 - of this benchmark alone
PEERS = ("dj-stripe==2.11.0", "Django==5.2.19", "psycopg2-binary==2.9.13", "waitress==3.0.2")
OURS, BARE, PLAIN, PEER, NOTHING = "ours", "bare", "plain", "dj-stripe", "constant"
SERVERS = {OURS: "webhook_server:app", BARE: "bench.webhooks.baseline_raw_driver:app"}
SERVERS[PLAIN] = "bench.webhooks.baseline_fastapi_sqlmodel:app"


@dataclass
class Subject:
    """One server, and how the orders in its database are filled in and read.

    `events` is the table that keeps the ids of the events it has taken.
    """

    name: str
    port: int
    path: str = "/webhooks/stripe/"
    engine: Engine | None = None
    environment: dict[str, str] = field(default_factory=dict)
    events: str = "stripe_events"
    python: str = sys.executable
    placed: int = 0
    process: psutil.Process | None = None

    def cpu_seconds(self) -> float:
        """What the server itself has used of the processor since it started."""
        assert self.process is not None
        return float(sum(self.process.cpu_times()[:2]))

    def command(self) -> list[str]:
        if self.name == NOTHING:
            return ["bench.webhooks.baseline_constant", str(self.port)]
        if self.name == PEER:
            return ["bench.webhooks.baseline_djstripe", str(self.port)]
        quiet = ["--log-level", "error", "--no-access-log"]
        return ["uvicorn", SERVERS[self.name], "--port", str(self.port), *quiet]

    def fill(self, count: int) -> int:
        """Open so many new orders; the first of them."""
        first, self.placed = self.placed, self.placed + count
        if self.engine is None:
            return first
        if self.name == PEER:
            rows = [{"number": sample_shop.number(place)} for place in range(first, first + count)]
            with self.engine.begin() as connection:
                connection.execute(text("INSERT INTO orders VALUES (:number, 'open')"), rows)
        else:
            with sample_shop.entered(self.environment):
                sample_shop.fill(first, count)
        self.checkpoint()
        return first

    def checkpoint(self) -> None:
        """Let the database write out what filling it left to do, before anything is measured."""
        assert self.engine is not None
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            sqlite = self.engine.dialect.name == "sqlite"
            connection.exec_driver_sql(
                "PRAGMA wal_checkpoint(TRUNCATE)" if sqlite else "CHECKPOINT"
            )

    def lost(self, accepted: list[int]) -> int:
        """How many of the accepted events did not pay their order, or are not kept."""
        if self.engine is None:
            return 0
        with self.engine.connect() as connection:
            paid = set(
                connection.execute(
                    text("SELECT number FROM orders WHERE status = 'paid'")
                ).scalars()
            )
            kept = set(connection.execute(text(f"SELECT id FROM {self.events}")).scalars())  # noqa: S608
        return sum(
            sample_shop.number(place) not in paid or event_id(place) not in kept
            for place in accepted
        )


def event_id(place: int) -> str:
    return f"evt_bench{place:020}"


@contextmanager
def served(
    names: list[str], new_database: Callable[[], str], folder: Path
) -> Iterator[dict[str, Subject]]:
    """All of them at once, each in a process of its own; only the one that is asked works."""
    subjects = {name: subject(name, new_database, folder / name) for name in names}
    with serving(list(subjects.values())):
        yield subjects


@contextmanager
def serving(subjects: list[Subject]) -> Iterator[None]:
    """Each of them in a process of its own, until the end of the block."""
    if not subjects:
        yield
        return
    first, *others = subjects
    with running(
        first.command(), first.port, python=first.python, environment=first.environment
    ) as process:
        first.process = psutil.Process(process.pid)
        with serving(others):
            yield


def subject(name: str, new_database: Callable[[], str], folder: Path) -> Subject:
    if name == NOTHING:
        return Subject(name, free_port())
    url = new_database()
    if name == PEER:
        return _peer(url)
    environment = sample_shop.environment(url, folder, SECRET)
    with sample_shop.entered(environment):
        return Subject(name, free_port(), engine=create_engine(url), environment=environment)


def _peer(url: str) -> Subject:
    environment = {
        "DJANGO_DATABASE": json.dumps(django_settings(url)),
        "STRIPE_WEBHOOK_SECRET": SECRET,
    }
    python = str(peer_python())
    subprocess.run(  # noqa: S603
        [python, "-m", "bench.webhooks.baseline_djstripe"],
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
    )
    return Subject(
        PEER,
        free_port(),
        path="/stripe/webhook/00000000-0000-0000-0000-000000000001/",
        engine=create_engine(url),
        environment=environment,
        events="djstripe_event",
        python=python,
    )


def django_settings(url: str) -> dict[str, object]:
    """A database URL as Django's setting, as durable as the shop's own."""
    parts = make_url(url)
    if parts.drivername.startswith("sqlite"):
        pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        options = {"transaction_mode": "IMMEDIATE", "init_command": pragmas, "timeout": 20}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.database, "OPTIONS": options}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.database,
        "USER": parts.username,
        "PASSWORD": parts.password or "",
        "HOST": parts.host or parts.query.get("host", ""),
        "PORT": parts.port or "",
    }


def peer_python() -> Path:
    """The Python of dj-stripe's environment, made on the first run and kept in the user's cache.

    Raises:
        subprocess.CalledProcessError: PyPI cannot be reached.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    folder = Path(cache or Path.home() / ".cache") / "store-bench" / "dj-stripe"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text("ascii") != " ".join(PEERS):
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)  # noqa: S603
        subprocess.run([python, "-m", "pip", "install", "-qqq", *PEERS], check=True)  # noqa: S603
        stamp.write_text(" ".join(PEERS), "ascii")
    return python

"""The webhook endpoint: verify, parse, commit, answer; with health, metrics and the reconciler.

After a 2xx Stripe never delivers the event again, so it is sent after the commit. Everything that
may succeed later (the database is locked, Stripe does not answer a look-up) is a 5xx.
"""

import asyncio
import gc
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from sqlmodel import text
from starlette.types import Receive, Scope, Send

from store.catalog import seeding
from store.core import clock, logs, settings
from store.core.errors import (
    BodyTooLarge,
    BodyTooSlow,
    MethodRefused,
    SignatureRefused,
    StoreError,
    WebhookSecretMissing,
)
from store.core.workers import Worker
from store.db import engine as db
from store.db.models import Lease
from store.db.write_probe import WriteProbe
from store.orders.stripe_facts import Document, nested
from store.reconciliation import reconciler as reconcile
from store.reports import sales
from store.stripe_api import signatures
from store.stripe_api.clock_skew import CLOCK_SKEW
from store.web import connection_limits
from store.webhooks import parsing
from store.webhooks.batch_queue import EventBatcher
from store.webhooks.processing import Outcome

log = logging.getLogger(__name__)

PATHS = ("/webhooks/stripe/", "/webhooks/stripe")
RESPONSES = {name: json.dumps({"outcome": name}).encode() for name in get_args(Outcome)}
REFUSAL_HEADERS = {503: (b"retry-after", b"5"), 405: (b"allow", b"POST")}
MAX_BODY_BYTES = 1024 * 1024  # Stripe's events stay far below
BODY_SECONDS = 10.0
# How much of a rejected body is read after the response, so that the client can read that.
DRAINED_BYTES, DRAIN_SECONDS = 16 * MAX_BODY_BYTES, 5.0
# `/readyz` reports a reconciler without a finished pass for so long.
LATE = timedelta(minutes=15)
LATE_PASSES = 10

ANSWERED = Counter("store_webhooks", "Webhooks answered, by outcome", ["outcome"])
RECEIVED = {outcome: ANSWERED.labels(outcome) for outcome in get_args(Outcome)}
REFUSED = Counter("store_webhooks_refused", "Webhooks not accepted, by status", ["status"])
SECONDS = Histogram("store_webhook_seconds", "From the verified event to its commit")
ORDERS = Gauge("store_orders", "Orders by status", ["status"])
SIGNATURES_REFUSED = Counter("store_webhook_signatures_refused", "Webhooks with a bad signature")
COMMITTED_AT = Gauge("store_webhook_last_commit_timestamp_seconds", "When one was last committed")
RESTARTS = Gauge("store_webhook_queue_restarts", "Unexpected errors of the thread that commits")


@dataclass
class SignatureVerifier:
    """Verifies webhooks, and counts those refused since the last accepted one."""

    refused: int = 0
    since: datetime | None = None
    reason: str = ""

    def verify(self, body: bytes, signature: str, secrets: list[str]) -> None:
        """Check the signature of a body; SignatureRefused if it does not fit."""
        try:
            signatures.verify(body, signature, secrets)
        except SignatureRefused as error:
            SIGNATURES_REFUSED.inc()
            self.refused, self.reason = self.refused + 1, str(error)
            self.since = self.since or clock.now()
            raise
        self.refused, self.since = 0, None

    def hint(self) -> str:
        """`ok`, or what to do where none has been accepted since the first was refused."""
        if self.since is None:
            return "ok"
        return (
            f"{self.refused} refused since {self.since:%Y-%m-%d %H:%M:%S} UTC and none accepted "
            f"since; the last one: {self.reason} If Stripe sent them, STRIPE_WEBHOOK_SECRET is not "
            "the signing secret of this endpoint."
        )


batcher = EventBatcher()
verifier = SignatureVerifier()
probe = WriteProbe()
reconciler = Worker("reconciler", reconcile.run_forever)
connection_limits.limit()
COMMITTED_AT.set_function(lambda: batcher.committed_at or 0.0)
RESTARTS.set_function(lambda: batcher.restarts)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Run the event batcher and the reconciler; an unreachable database stops neither."""
    logs.configure()
    if not settings.current().webhook_secrets:
        log.error("%s", WebhookSecretMissing())
    try:
        await asyncio.to_thread(seeding.migrate)
    except StoreError as error:
        log.error("The database is not ready: %s", error.for_operator)
    batcher.open()
    reconciler.start()
    gc.freeze()  # modules and models stay; collecting them again would delay every response
    yield
    reconciler.stop()
    await asyncio.to_thread(batcher.close)


api = FastAPI(title="Store webhooks", lifespan=lifespan, openapi_url=None)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Webhooks bypass FastAPI, whose routing costs more time than processing the event."""
    if scope["type"] == "http" and is_webhook(scope):
        await handle_webhook(scope, receive, send)
    elif scope["type"] == "lifespan" and (fault := settings.fault()):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": fault})
    else:
        await api(scope, receive, send)


def is_webhook(scope: Scope) -> bool:
    """Whether this is the webhooks' path, with or without the server's `root_path` before it.

    Servers add the prefix to the path, and a proxy may have left it there already.
    """
    path, prefix = scope["path"], scope.get("root_path", "").rstrip("/")
    while path not in PATHS and prefix and path.startswith(f"{prefix}/"):
        path = path.removeprefix(prefix)
    return path in PATHS


async def handle_webhook(scope: Scope, receive: Receive, send: Send) -> None:
    """Verify, parse and commit one event, then answer; an unexpected error is a 500."""
    status, headers, unread = 200, [(b"content-type", b"application/json")], False
    event: dict[str, Any] = {}
    try:
        answer = RESPONSES[await stripe_webhook(scope, receive, event)]
    except StoreError as error:
        status = int(error.status)
        REFUSED.labels(status).inc()
        message = "Webhook refused with %d: %s"
        log.warning(message, status, error.for_operator, extra=log_fields(event))
        answer = json.dumps({"error": error.for_operator}).encode()
        unread = isinstance(error, MethodRefused | BodyTooLarge | BodyTooSlow)
    except Exception:
        REFUSED.labels(500).inc()
        log.exception("Unexpected error of a webhook", extra=log_fields(event))
        raise
    headers.append((b"content-length", b"%d" % len(answer)))
    if status in REFUSAL_HEADERS:
        headers.append(REFUSAL_HEADERS[status])
    if unread:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if unread:
        await send({"type": "http.response.body", "body": answer, "more_body": True})
        await drain(receive)
        answer = b""
    await send({"type": "http.response.body", "body": answer})


async def drain(receive: Receive) -> None:
    """Read a part of a rejected body, for a limited time.

    Closing the connection while the client still sends would reset it and lose the response.
    """
    left, more = DRAINED_BYTES, True
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while more and left > 0:
                message = await receive()
                more = message.get("more_body", False)
                left -= len(message.get("body", b""))


def log_fields(event: Document) -> dict[str, str]:
    """The fields of a log line about an event, as far as the event has them."""
    fields = {
        "event_id": event.get("id"),
        "order_number": parsing.named_order(event),
        "request_id": nested(event, "request").get("id"),
    }
    return {name: str(value)[:255] for name, value in fields.items() if value}


async def stripe_webhook(scope: Scope, receive: Receive, event: dict[str, Any]) -> Outcome:
    """The outcome of the event once it is committed; a StoreError if it was not recorded.

    Fills `event` with its document, for the log.
    """
    if scope["method"] != "POST":
        raise MethodRefused
    headers = dict(scope["headers"])
    body = await raw_body(headers.get(b"content-length", b"0"), receive)
    secrets = settings.current().webhook_secrets
    if not secrets:
        raise WebhookSecretMissing
    verifier.verify(body, headers.get(b"stripe-signature", b"").decode("latin-1"), secrets)
    event.update(parsing.decode_body(body))
    started = time.perf_counter()
    outcome = await batcher.submit(event)
    SECONDS.observe(time.perf_counter() - started)
    RECEIVED[outcome].inc()
    if outcome == "livemode":
        message = "A live-mode event (%s) was sent to this test shop; nothing changed."
        log.error(message, event["id"], extra=log_fields(event))
    if outcome == "review":
        log.error("Event %s was recorded for review.", event["id"], extra=log_fields(event))
    return outcome


async def raw_body(announced: bytes, receive: Receive) -> bytes:
    """The exact bytes that were signed.

    Raises:
        BodyTooLarge: by its announced length, or before more than the limit is read.
        BodyTooSlow: the rest did not arrive in time.
    """
    if not announced.isdigit() or int(announced[:20]) > MAX_BODY_BYTES:
        raise BodyTooLarge
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise BodyTooSlow
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MAX_BODY_BYTES:
                    raise BodyTooLarge
    except TimeoutError:
        raise BodyTooSlow from None
    return bytes(body)


@api.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "alive"}


def database_trouble() -> None:
    with db.reading() as session:
        session.connection().execute(text("SELECT 1"))


def schema_trouble() -> str | None:
    if db.schema_is_current():
        return None
    return "The database schema is not up to date. Run: python -m store migrate"


def writing_trouble() -> str | None:
    return probe.trouble()


def secret_trouble() -> str | None:
    return None if settings.current().webhook_secrets else str(WebhookSecretMissing())


def reconciler_trouble() -> str | None:
    """Why the reconciler does not run; webhooks are processed nevertheless."""
    if trouble := reconciler.trouble():
        return trouble
    running_seconds = reconciler.running_seconds()
    late = max(LATE, timedelta(seconds=LATE_PASSES * settings.current().reconcile_seconds))
    if running_seconds is None or running_seconds < late.total_seconds():
        return None
    try:
        with db.reading() as session:
            lease = session.get(Lease, "reconciler")
    except StoreError:
        return None  # `database_trouble` reports it
    processed_until = lease.processed_until if lease else None
    if processed_until and clock.now() - processed_until < late:
        return None
    return f"No pass has ended since {processed_until or 'the start'}. Its log lines say why."


# Each returns what is wrong, if anything, or raises it as a StoreError.
CHECKS: dict[str, Callable[[], str | None]] = {
    "database": database_trouble,
    "schema": schema_trouble,
    "writing": writing_trouble,
    "queue": batcher.problem,
    "webhook_secret": secret_trouble,
}


@api.get("/readyz")
def readyz() -> JSONResponse:
    """200 if webhooks can be processed; else 503, with what is wrong and how to fix it.

    Signatures, supervisor, reconciler and clock are hints and no reason for a 503. The clock's hint
    is as old as this process's last response from Stripe, which is not called here.
    """
    results = {name: run_check(check) for name, check in CHECKS.items()}
    status = 200 if set(results.values()) == {"ok"} else 503
    hints = {
        "signatures": verifier.hint(),
        "supervisor": batcher.supervisor_problem() or "ok",
        "reconciler": reconciler_trouble() or "ok",
        "clock": CLOCK_SKEW.message(),
    }
    return JSONResponse({**results, **hints}, status)


def run_check(check: Callable[[], str | None]) -> str:
    try:
        return check() or "ok"
    except StoreError as error:
        return error.for_operator


@api.get("/metrics")
def metrics() -> Response:
    try:
        with db.reading() as session:
            for status, count in sales.orders_by_status(session).items():
                ORDERS.labels(status).set(count)
    except StoreError as error:
        return PlainTextResponse(error.for_operator, error.status)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

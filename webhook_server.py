"""The door Stripe knocks on: verify, receive, answer; with health, metrics and the reconciler.

A 2xx tells Stripe never to send an event again, so it follows the commit. Everything that may
succeed later (the database is locked, Stripe does not answer a question) is a 5xx.
"""

import asyncio
import gc
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from http import HTTPStatus
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
from store.orders.stripe_facts import Document
from store.reconciliation import reconciler as reconcile
from store.reports import sales
from store.stripe_api import gateway
from store.stripe_api.traces import STRIPES_CLOCK
from store.web import connections
from store.webhooks import parsing
from store.webhooks.batch_queue import Inbox
from store.webhooks.processing import Outcome
from store.webhooks.refused_signatures import RefusedSignatures

log = logging.getLogger(__name__)

PATHS = ("/webhooks/stripe/", "/webhooks/stripe")
ANSWERS = {name: json.dumps({"outcome": name}).encode() for name in get_args(Outcome)}
LARGEST_BODY = 1024 * 1024  # bytes; Stripe's events stay far below
BODY_SECONDS = 10.0
# Read of a refused body after the answer, so that a client that first sends it all can read that.
DRAINED_BYTES, DRAIN_SECONDS = 16 * LARGEST_BODY, 5.0
# Without a finished pass of the reconciler for so long, nobody catches up with Stripe.
LATE = timedelta(minutes=15)
LATE_PASSES = 10

ANSWERED = Counter("store_webhooks", "Webhooks answered, by outcome", ["outcome"])
RECEIVED = {outcome: ANSWERED.labels(outcome) for outcome in get_args(Outcome)}
REFUSED = Counter("store_webhooks_refused", "Webhooks not accepted, by status", ["status"])
SECONDS = Histogram("store_webhook_seconds", "From the verified event to its commit")
ORDERS = Gauge("store_orders", "Orders by status", ["status"])
SIGNATURES_REFUSED = Counter("store_webhook_signatures_refused", "Webhooks with a bad signature")
COMMITTED_AT = Gauge("store_webhook_last_commit_timestamp_seconds", "When webhooks were last kept")
RESTARTS = Gauge("store_webhook_queue_restarts", "Unexpected errors of the thread that commits")

inbox = Inbox()
signatures = RefusedSignatures()
probe = WriteProbe()
reconciler = Worker("reconciler", reconcile.run_forever)
connections.limit()
COMMITTED_AT.set_function(lambda: inbox.committed_at or 0.0)
RESTARTS.set_function(lambda: inbox.restarts)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """The inbox and the reconciler run beside the door; a missing database stops neither."""
    logs.configure()
    if not settings.current().webhook_secrets:
        log.error("%s", WebhookSecretMissing())
    await asyncio.to_thread(migrate)
    inbox.open()
    reconciler.start()
    gc.freeze()  # what is here now stays; looking through it again would hold up every answer
    yield
    reconciler.stop()
    await asyncio.to_thread(inbox.close)


def migrate() -> None:
    try:
        seeding.migrate()
    except StoreError as error:
        log.error("The database is not ready: %s", error.for_operator)


pages = FastAPI(title="Store webhooks", lifespan=lifespan, openapi_url=None)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The webhook door stands before the framework, whose way to it costs more than the work."""
    if scope["type"] == "http" and is_webhook(scope):
        await knock(scope, receive, send)
    elif scope["type"] == "lifespan" and (fault := settings.fault()):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": fault})
    else:
        await pages(scope, receive, send)


def is_webhook(scope: Scope) -> bool:
    """Whether this is the webhooks' address, behind whatever prefix the server is told of.

    Servers put the prefix (`root_path`) in front of the path, and a proxy may have left it there.
    """
    path, prefix = scope["path"], scope.get("root_path", "").rstrip("/")
    while path not in PATHS and prefix and path.startswith(f"{prefix}/"):
        path = path.removeprefix(prefix)
    return path in PATHS


async def knock(scope: Scope, receive: Receive, send: Send) -> None:
    """Verify, receive, answer. Whatever nobody expected is a 500, which Stripe sends again."""
    status, headers, unread = 200, [(b"content-type", b"application/json")], False
    event: dict[str, Any] = {}
    try:
        answer = ANSWERS[await stripe_webhook(scope, receive, event)]
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
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"5"))
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"POST"))
    if unread:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    if unread:
        await send({"type": "http.response.body", "body": answer, "more_body": True})
        await drain(receive)
        answer = b""
    await send({"type": "http.response.body", "body": answer})


async def drain(receive: Receive) -> None:
    """Read some more of a body that is refused, for a while.

    A connection that is closed while the client still sends is reset, and the answer lost.
    """
    left = DRAINED_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                if not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))


def log_fields(event: Document) -> dict[str, str]:
    """The fields of a log line about an event, as far as the event says them."""
    request = event.get("request")
    found = {
        "event_id": event.get("id"),
        "order_number": parsing.named_order(event),
        "request_id": request.get("id") if isinstance(request, dict) else None,
    }
    return {name: str(value)[:255] for name, value in found.items() if value}


async def stripe_webhook(scope: Scope, receive: Receive, event: dict[str, Any]) -> Outcome:
    """What became of the event, once that is on disk; `event` is filled with what it says.

    Raises:
        StoreError: it was not taken in.
    """
    if scope["method"] != "POST":
        raise MethodRefused
    headers = dict(scope["headers"])
    body = await raw_body(headers.get(b"content-length", b"0"), receive)
    secrets = settings.current().webhook_secrets
    if not secrets:
        raise WebhookSecretMissing
    verify(body, headers.get(b"stripe-signature", b"").decode("latin-1"), secrets)
    event.update(parsing.decode_body(body))
    started = time.perf_counter()
    outcome = await inbox.receive(event)
    SECONDS.observe(time.perf_counter() - started)
    RECEIVED[outcome].inc()
    if outcome == "livemode":
        message = "A live-mode event (%s) came to this test shop; nothing changed."
        log.error(message, event["id"], extra=log_fields(event))
    if outcome == "review":
        log.error("Event %s was taken in for review.", event["id"], extra=log_fields(event))
    return outcome


def verify(body: bytes, signature: str, secrets: list[str]) -> None:
    """Hold a body against its signature, and count those that are refused.

    Raises:
        SignatureRefused
    """
    try:
        gateway.verify(body, signature, secrets)
    except SignatureRefused as error:
        SIGNATURES_REFUSED.inc()
        signatures.refused(str(error))
        raise
    signatures.accepted()


async def raw_body(announced: bytes, receive: Receive) -> bytes:
    """The exact bytes that were signed.

    Raises:
        BodyTooLarge: said by the length, or found out before more than the limit is read.
        BodyTooSlow: the rest did not come.
    """
    if not announced.isdigit() or int(announced[:20]) > LARGEST_BODY:
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
                if len(body) > LARGEST_BODY:
                    raise BodyTooLarge
    except TimeoutError:
        raise BodyTooSlow from None
    return bytes(body)


@pages.get("/healthz")
async def alive() -> dict[str, str]:
    return {"status": "alive"}


def database_answers() -> None:
    with db.reading() as session:
        session.connection().execute(text("SELECT 1"))


def schema_is_current() -> None:
    if not db.schema_is_current():
        raise StoreError("The database schema is not up to date. Run: python -m store migrate")


def secret_is_set() -> None:
    if not settings.current().webhook_secrets:
        raise WebhookSecretMissing


def database_takes_writes() -> None:
    if trouble := probe.trouble():
        raise StoreError(trouble)


def queue_works() -> None:
    if trouble := inbox.trouble():
        raise StoreError(trouble)


def reconciler_passes() -> str:
    """`ok`, or why nobody catches up with Stripe; webhooks are taken all the same."""
    if trouble := reconciler.trouble():
        return trouble
    running_seconds = reconciler.running_seconds()
    late = max(LATE, timedelta(seconds=LATE_PASSES * settings.current().reconcile_seconds))
    if running_seconds is None or running_seconds < late.total_seconds():
        return "ok"
    try:
        with db.reading() as session:
            turn = session.get(Lease, "reconciler")
    except StoreError:
        return "ok"  # the database's own check says so
    processed_until = turn.processed_until if turn else None
    if processed_until and clock.now() - processed_until < late:
        return "ok"
    return f"No pass has ended since {processed_until or 'the start'}. Its log lines say why."


CHECKS: dict[str, Callable[[], None]] = {
    "database": database_answers,
    "schema": schema_is_current,
    "writing": database_takes_writes,
    "queue": queue_works,
    "webhook_secret": secret_is_set,
}


@pages.get("/readyz")
def ready() -> JSONResponse:
    """200 when webhooks can be taken; else 503, with what is wrong and how to mend it.

    What is said of signatures, the reconciler and the clock are hints and no reason for a 503.
    The clock's is as old as the last answer that this process had from Stripe, which is not asked
    here.
    """
    found = {name: check_of(check) for name, check in CHECKS.items()}
    status = 200 if set(found.values()) == {"ok"} else 503
    hints = {
        "signatures": signatures.hint(),
        "reconciler": reconciler_passes(),
        "clock": STRIPES_CLOCK.hint(),
    }
    return JSONResponse({**found, **hints}, status)


def check_of(check: Callable[[], None]) -> str:
    try:
        check()
    except StoreError as error:
        return error.for_operator
    return "ok"


@pages.get("/metrics")
def metrics() -> Response:
    try:
        with db.reading() as session:
            for status, count in sales.orders_by_status(session).items():
                ORDERS.labels(status).set(count)
    except StoreError as error:
        return PlainTextResponse(error.for_operator, error.status)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

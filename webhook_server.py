"""The door Stripe knocks on: verify, receive, answer; with health, metrics and the reconciler.

A 2xx tells Stripe never to send an event again, so it follows the commit. Everything that may
succeed later (the database is locked, Stripe does not answer a question) is a 5xx.
"""

import asyncio
import gc
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import get_args

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from sqlmodel import text
from starlette.types import Receive, Scope, Send

from store import arrivals, db, gateway, logs, reconcile, reports, settings
from store.errors import BodyTooLarge, BodyTooSlow, MethodRefused, StoreError, WebhookSecretMissing
from store.events import Outcome
from store.inbox import Inbox
from store.traces import STRIPES_CLOCK

log = logging.getLogger(__name__)

PATHS = ("/webhooks/stripe/", "/webhooks/stripe")
ANSWERS = {name: json.dumps({"outcome": name}).encode() for name in get_args(Outcome)}
LARGEST_BODY = 1024 * 1024  # bytes; Stripe's events stay far below
BODY_SECONDS = 10.0

ANSWERED = Counter("store_webhooks", "Webhooks answered, by outcome", ["outcome"])
RECEIVED = {outcome: ANSWERED.labels(outcome) for outcome in get_args(Outcome)}
REFUSED = Counter("store_webhooks_refused", "Webhooks not accepted, by status", ["status"])
SECONDS = Histogram("store_webhook_seconds", "From the verified event to its commit")
ORDERS = Gauge("store_orders", "Orders by status", ["status"])

inbox = Inbox()


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """The inbox and the reconciler run beside the door; a missing database stops neither."""
    logs.configure()
    if not settings.current().webhook_secrets:
        log.error("%s", WebhookSecretMissing())
    stop = threading.Event()
    reconciler = threading.Thread(target=reconcile.run_forever, args=(stop,), daemon=True)
    await asyncio.to_thread(migrate)
    inbox.open()
    reconciler.start()
    gc.freeze()  # what is here now stays; looking through it again would hold up every answer
    yield
    stop.set()
    await asyncio.to_thread(inbox.close)


def migrate() -> None:
    try:
        db.migrate()
    except StoreError as error:
        log.error("The database is not ready: %s", error.for_operator)


pages = FastAPI(title="Store webhooks", lifespan=lifespan, openapi_url=None)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The webhook door stands before the framework, whose way to it costs more than the work."""
    if scope["type"] == "http" and scope["path"] in PATHS:
        await knock(scope, receive, send)
    elif scope["type"] == "lifespan" and (fault := settings.fault()):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": fault})
    else:
        await pages(scope, receive, send)


async def knock(scope: Scope, receive: Receive, send: Send) -> None:
    """Verify, receive, answer. Whatever nobody expected is a 500, which Stripe sends again."""
    status = 200
    try:
        answer = ANSWERS[await stripe_webhook(scope, receive)]
    except StoreError as error:
        status = int(error.status)
        REFUSED.labels(status).inc()
        log.warning("Webhook refused with %d: %s", status, error.for_operator)
        answer = json.dumps({"error": error.for_operator}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def stripe_webhook(scope: Scope, receive: Receive) -> Outcome:
    """What became of the event, once that is on disk.

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
    gateway.verify(body, headers.get(b"stripe-signature", b"").decode("latin-1"), secrets)
    event = arrivals.parse(body)
    started = time.perf_counter()
    outcome = await inbox.receive(event)
    SECONDS.observe(time.perf_counter() - started)
    RECEIVED[outcome].inc()
    if outcome == "livemode":
        log.error(
            "A live-mode event (%s) came to this test shop; nothing changed.",
            event["id"],
            extra={"event_id": event["id"]},
        )
    return outcome


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


CHECKS: dict[str, Callable[[], None]] = {
    "database": database_answers,
    "schema": schema_is_current,
    "webhook_secret": secret_is_set,
}


@pages.get("/readyz")
def ready() -> JSONResponse:
    """200 when webhooks can be taken; else 503, with what is wrong and how to mend it.

    What is said of the clock is a hint and no reason for a 503: it is as old as the last answer
    that this process had from Stripe, and Stripe is not asked here.
    """
    found = {name: check_of(check) for name, check in CHECKS.items()}
    status = 200 if set(found.values()) == {"ok"} else 503
    return JSONResponse({**found, "clock": STRIPES_CLOCK.hint()}, status)


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
            for status, count in reports.orders_by_status(session).items():
                ORDERS.labels(status).set(count)
    except StoreError as error:
        return PlainTextResponse(error.for_operator, error.status)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

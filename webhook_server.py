"""The door Stripe knocks on: verify, receive, answer; with health, metrics and the reconciler.

A 2xx tells Stripe never to send an event again, so it follows the commit. Everything that may
succeed later (the database is locked, Stripe does not answer a question) is a 5xx.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from sqlmodel import text
from starlette.requests import ClientDisconnect

from store import db, events, gateway, reconcile, reports, settings
from store.errors import BodyTooLarge, BodyTooSlow, StoreError, WebhookSecretMissing
from store.events import Arrival
from store.inbox import Inbox

log = logging.getLogger(__name__)

LARGEST_BODY = 1024 * 1024  # bytes; Stripe's events stay far below
BODY_SECONDS = 10.0

RECEIVED = Counter("store_webhooks", "Webhooks answered, by outcome", ["outcome"])
REFUSED = Counter("store_webhooks_refused", "Webhooks not accepted, by status", ["status"])
SECONDS = Histogram("store_webhook_seconds", "From the verified event to its commit")
ORDERS = Gauge("store_orders", "Orders by status", ["status"])

inbox = Inbox()


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """The inbox and the reconciler run beside the door; a missing database stops neither."""
    logging.basicConfig(level=settings.current().log_level)
    for chatty in ("alembic", "stripe"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.root.level))
    if not settings.current().webhook_secrets:
        log.error("%s", WebhookSecretMissing())
    stop = threading.Event()
    reconciler = threading.Thread(target=reconcile.run_forever, args=(stop,), daemon=True)
    await asyncio.to_thread(migrate)
    inbox.open()
    reconciler.start()
    yield
    stop.set()
    await asyncio.to_thread(inbox.close)


def migrate() -> None:
    try:
        db.migrate()
    except StoreError as error:
        log.error("The database is not ready: %s", error)


app = FastAPI(title="Store webhooks", lifespan=lifespan, openapi_url=None, redirect_slashes=False)


@app.exception_handler(StoreError)
async def refuse(request: Request, error: StoreError) -> JSONResponse:
    """Every expected failure in one sentence; only the webhook door counts them."""
    if request.method == "POST":
        REFUSED.labels(int(error.status)).inc()
        log.warning("Webhook refused with %d: %s", error.status, error)
    return JSONResponse({"error": str(error)}, error.status)


async def raw_body(request: Request) -> bytes:
    """The exact bytes that were signed.

    Raises:
        BodyTooLarge: said by the length, or found out before more than the limit is read.
        BodyTooSlow: the rest did not come.
    """
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced[:20]) > LARGEST_BODY:
        raise BodyTooLarge
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise BodyTooLarge
    except (TimeoutError, ClientDisconnect):
        raise BodyTooSlow from None
    return bytes(body)


async def verified_event(request: Request, body: Annotated[bytes, Depends(raw_body)]) -> Arrival:
    """The event, once its signature has been found genuine and its order found out."""
    secrets = settings.current().webhook_secrets
    if not secrets:
        raise WebhookSecretMissing
    gateway.verify(body, request.headers.get("stripe-signature", ""), secrets)
    return await asyncio.to_thread(events.arrival, events.parse(body))


VerifiedEvent = Annotated[Arrival, Depends(verified_event)]


@app.post("/webhooks/stripe")
@app.post("/webhooks/stripe/")
async def stripe_webhook(event: VerifiedEvent) -> dict[str, str]:
    with SECONDS.time():
        outcome = await inbox.receive(event)
    RECEIVED.labels(outcome).inc()
    if outcome == "livemode":
        log.error("A live-mode event (%s) came to this test shop; nothing was changed.", event.id)
    return {"outcome": outcome}


@app.get("/healthz")
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


@app.get("/readyz")
def ready() -> JSONResponse:
    """200 when webhooks can be taken; else 503, with what is wrong and how to mend it."""
    found = {name: check_of(check) for name, check in CHECKS.items()}
    return JSONResponse(found, 200 if set(found.values()) == {"ok"} else 503)


def check_of(check: Callable[[], None]) -> str:
    try:
        check()
    except StoreError as error:
        return str(error)
    return "ok"


@app.get("/metrics")
def metrics() -> Response:
    try:
        with db.reading() as session:
            for status, count in reports.orders_by_status(session).items():
                ORDERS.labels(status).set(count)
    except StoreError as error:
        return PlainTextResponse(str(error), error.status)
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

"""Yardstick: the least that a durable webhook endpoint can do, as fast as we can make it.

Verify, one insert and one update for each event, by the bare driver in set-based statements, one
commit for whatever waits, answered after it; after a batch of several it waits for more, as
`store/webhooks/batch_queue.py` does. It checks neither the amount nor the order's state, and it
keeps no history. What it does, it does on the shop's own tables.
"""

import asyncio
import gc
import json
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg2
import stripe
from sqlalchemy import make_url

SECRET = os.environ.get("STRIPE_WEBHOOK_SECRET", "")
LARGEST_BATCH = 500
GATHER_SECONDS = 0.001
ANSWER = b'{"outcome":"applied"}'
Row = tuple[str, str, str, str, str]  # event, type, when, payment, number
Waiting = tuple[Row, "asyncio.Future[None]"]

waiting: "queue.SimpleQueue[Waiting]" = queue.SimpleQueue()


def sqlite_writer(path: str) -> Callable[[list[Row]], None]:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")

    def write(rows: list[Row]) -> None:
        now = str(datetime.now(UTC))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO stripe_events (id, type, created_at, received_at, deliveries, outcome)"
            " VALUES (?, ?, ?, ?, 1, 'applied')",
            [(event, kind, when, now) for event, kind, when, *_ in rows],
        )
        connection.executemany(
            "UPDATE orders SET status = 'paid', checkout_status = 'complete',"
            " payment_status = 'paid', payment_intent_id = ?, paid_at = ? WHERE number = ?",
            [(payment, now, number) for *_, payment, number in rows],
        )
        connection.execute("COMMIT")

    return write


def postgresql_writer(connection: Any) -> Callable[[list[Row]], None]:
    def write(rows: list[Row]) -> None:
        events, kinds, whens, payments, numbers = map(list, zip(*rows, strict=True))
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO stripe_events (id, type, created_at, received_at, deliveries, outcome)"
                " SELECT id, type, at, now(), 1, 'applied' FROM"
                " unnest(%s::text[], %s::text[], %s::timestamptz[]) AS e (id, type, at)",
                (events, kinds, whens),
            )
            cursor.execute(
                "UPDATE orders SET status = 'paid', checkout_status = 'complete',"
                " payment_status = 'paid', payment_intent_id = e.payment, paid_at = now()"
                " FROM unnest(%s::text[], %s::text[]) AS e (payment, number)"
                " WHERE orders.number = e.number",
                (payments, numbers),
            )

    return write


def writer() -> Callable[[list[Row]], None]:
    url = make_url(os.environ["DATABASE_URL"])
    if url.drivername.startswith("sqlite"):
        return sqlite_writer(url.database or "")
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return postgresql_writer(psycopg2.connect(dsn))


def work(loop: asyncio.AbstractEventLoop, write: Callable[[list[Row]], None]) -> None:
    crowded = False
    while True:
        batch = [waiting.get()]
        known = -1
        while crowded and known < waiting.qsize():
            known = waiting.qsize()
            time.sleep(GATHER_SECONDS)
        while len(batch) < LARGEST_BATCH and not waiting.empty():
            batch.append(waiting.get())
        crowded = len(batch) > 1
        write([row for row, _ in batch])
        loop.call_soon_threadsafe(answer, batch)


def answer(batch: list[Waiting]) -> None:
    for _, done in batch:
        done.set_result(None)


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    header = next(value for name, value in scope["headers"] if name == b"stripe-signature")
    stripe.WebhookSignature.verify_header(body, header.decode(), SECRET, 300)
    event = json.loads(body)
    session = event["data"]["object"]
    when = datetime.fromtimestamp(event["created"], UTC).isoformat(" ")
    number = session["metadata"]["order_number"]
    row = (event["id"], event["type"], when, session["payment_intent"], number)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiting.put((row, done))
    await done
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ANSWER))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


async def lifespan(receive: Any, send: Any) -> None:
    while (await receive())["type"] == "lifespan.startup":
        loop = asyncio.get_running_loop()
        threading.Thread(target=work, args=(loop, writer()), daemon=True).start()
        gc.collect()
        gc.freeze()
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})

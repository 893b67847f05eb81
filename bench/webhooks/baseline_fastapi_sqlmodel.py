"""Yardstick: the endpoint as the documentation of FastAPI, SQLModel and Stripe would write it.

`construct_event`, the order and the event as objects of the ORM, one commit for each event. On
SQLite, which lets one writer in at a time, the work is done in the event loop, because threads
that wait for its lock are slower; on PostgreSQL in FastAPI's threads, which is faster there.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import stripe
from fastapi import Depends, FastAPI, HTTPException, Request
from sqlalchemy import event as sqlalchemy_event
from sqlmodel import Session, create_engine, select
from starlette.concurrency import run_in_threadpool

from store.db.models import Order, StripeEvent

SECRET = os.environ.get("STRIPE_WEBHOOK_SECRET", "")
URL = os.environ.get("DATABASE_URL", "sqlite://")
ON_SQLITE = URL.startswith("sqlite")

engine = create_engine(URL, **({} if ON_SQLITE else {"pool_size": 10, "max_overflow": 30}))
if ON_SQLITE:

    @sqlalchemy_event.listens_for(engine, "connect")
    def _durable(connection: object, _record: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]


app = FastAPI()


def sessions() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@app.post("/webhooks/stripe/")
async def webhook(
    request: Request, session: Annotated[Session, Depends(sessions)]
) -> dict[str, str]:
    body, signature = await request.body(), request.headers["stripe-signature"]
    if ON_SQLITE:
        return settle(session, body, signature)
    return await run_in_threadpool(settle, session, body, signature)


def settle(session: Session, body: bytes, signature: str) -> dict[str, str]:
    try:
        event = stripe.Webhook.construct_event(body, signature, SECRET)
    except (ValueError, stripe.SignatureVerificationError) as error:
        raise HTTPException(400) from error
    if session.get(StripeEvent, event.id):
        return {"outcome": "duplicate"}
    checkout = event.data.object
    number = checkout["metadata"]["order_number"]
    order = session.exec(select(Order).where(Order.number == number).with_for_update()).one()
    order.status = order.payment_status = "paid"
    order.checkout_status = "complete"
    order.payment_intent_id = checkout["payment_intent"]
    order.paid_at = datetime.now(UTC)
    created_at = datetime.fromtimestamp(event.created, UTC)
    session.add(StripeEvent(id=event.id, type=event.type, created_at=created_at))
    session.commit()
    return {"outcome": "applied"}
